/** Messages on their way: bytes with descriptors and credentials beside them. */
import { binding, Control, Errno, MessageFlag } from '@sock/native';
import type { Credentials, MessageFlags, ReceivedMessage } from './message.js';
import { type ByteSource, ReceiveOperation } from './receive-operations.js';
import { ReceivedFd } from './received-fd.js';
import { GatherOperation } from './send-operations.js';
import type { Vector } from './vector.js';

const { control, duplicate, sendMessage } = binding;
const { EBADF, EFAULT, EINVAL, EMSGSIZE, EPERM, ESRCH, ETOOMANYREFS } = Errno;

/** Errors of one message, such as a descriptor that nobody has open; others go on without it. */
const ownFaults = new Set(
  [EBADF, EFAULT, EINVAL, EMSGSIZE, EPERM, ESRCH, ETOOMANYREFS].map((errno) => -errno),
);

/** What stands beside the bytes of a message, as the addon takes it. */
export interface Ancillary {
  descriptors: Int32Array;
  /** Process, user and group, or nothing. */
  credentials: Float64Array;
  outOfBand: boolean;
}

/**
 * Sends a message. The first bytes take everything beside them along, and end the operation, so
 * nothing is ever passed twice. While it waits it holds duplicates of the descriptors: their owner
 * may close them, and others get their numbers.
 */
export class MessageOperation extends GatherOperation {
  private held: { slot: number; generation: number }[] = [];
  private descriptors: Int32Array;

  constructor(
    resolve: (sent: number) => void,
    reject: (error: unknown) => void,
    vector: Vector,
    private readonly beside: Ancillary,
  ) {
    super(resolve, reject, vector, false);
    this.descriptors = beside.descriptors;
  }

  override transmit(slot: number, generation: number, wait: boolean): number {
    const { views, lengths } = this.vector;
    const { credentials, outOfBand } = this.beside;
    return sendMessage(
      slot,
      generation,
      views,
      lengths,
      this.descriptors,
      credentials,
      outOfBand,
      wait,
    );
  }

  override isOwnFault(errno: number): boolean {
    return ownFaults.has(errno);
  }

  override hold(): number {
    const duplicates = new Int32Array(this.descriptors.length);
    for (const [index, fd] of this.descriptors.entries()) {
      const slot = duplicate(fd);
      if (slot < 0) {
        this.letGo();
        return slot;
      }
      const generation = control[Control.Extra] as number;
      this.held.push({ slot, generation });
      duplicates[index] = binding.fd(slot, generation);
    }
    this.descriptors = duplicates;
    return 0;
  }

  override finish(): void {
    this.letGo();
    super.finish();
  }

  override reject(error: unknown): void {
    this.letGo();
    super.reject(error);
  }

  private letGo(): void {
    for (const { slot, generation } of this.held.splice(0)) binding.close(slot, generation);
  }
}

/** Small messages are received here, and copied out: nobody knows how long one will be. */
const receiveSize = 64 * 1024;
let common: Buffer | null = null;

/** Receives one message. */
export class ReceiveMessageOperation extends ReceiveOperation {
  message: ReceivedMessage | null = null;

  constructor(
    private readonly resolve: (message: ReceivedMessage) => void,
    reject: (error: unknown) => void,
    size: number,
    private readonly kind: number,
  ) {
    super(reject, memoryFor(size), size, false);
  }

  override get syscall(): string {
    return 'recvmsg';
  }

  override get enough(): boolean {
    return this.message !== null;
  }

  override read(source: ByteSource, wait: boolean): number {
    const memory = this.view as Buffer;
    const got = source.readMessage(memory, this.max, this.kind, wait);
    if (typeof got === 'number' && got <= 0) return got;
    const described = typeof got === 'number' ? [got] : got;
    this.message = toMessage(memory, described);
    return Math.max(1, this.message.data.length);
  }

  override takeFilled(): undefined {
    return undefined;
  }

  finish(): void {
    this.resolve(this.message as ReceivedMessage);
  }
}

function memoryFor(size: number): Buffer {
  if (size > receiveSize) return Buffer.allocUnsafeSlow(size);
  common ??= Buffer.allocUnsafeSlow(receiveSize);
  return common;
}

/** See describe() in the addon. */
function toMessage(memory: Buffer, [count = 0, bits = 0, ...rest]: number[]): ReceivedMessage {
  const [pid = 0, uid = 0, gid = 0, ...slots] = rest;
  const part = memory.subarray(0, count);
  const credentials: Credentials | undefined =
    (bits & MessageFlag.HasCredentials) === 0 ? undefined : { pid, uid, gid };
  const flags: MessageFlags = {
    truncated: (bits & MessageFlag.Truncated) !== 0,
    controlTruncated: (bits & MessageFlag.ControlTruncated) !== 0,
  };
  const fds: ReceivedFd[] = [];
  for (let at = 0; at < slots.length; at += 2) {
    fds.push(new ReceivedFd(slots[at] as number, slots[at + 1] as number));
  }
  return { data: memory === common ? Buffer.from(part) : part, fds, credentials, flags };
}
