/** What can wait in the queue of a sender. */
import { binding, defer, Errno, Operation } from '@sock/native';
import { detachedError, systemError } from './errors.js';
import { copyTo, type Vector } from './vector.js';

// Looked up once: these are on the path of every message.
const { send, sendVector } = binding;
const { EFAULT } = Errno;

const corkBlockSize = 16 * 1024;
const sparesMax = 64;
const spareBlocks: Uint8Array[] = [];
/** Of operations that do not send from one place. */
export const noBytes = new Uint8Array(0);

export function sendError(
  errno: number,
  bytesTransferred: number | undefined,
  syscall: string,
): Error {
  if (errno === -EFAULT) return detachedError(bytesTransferred);
  return systemError(errno, { syscall, bytesTransferred });
}

export class SendOperation extends Operation {
  sent = 0;
  readonly bytes: Uint8Array;
  /** Grows while the operation is a cork. */
  length: number;
  /** True when all bytes must go; otherwise the first that the kernel takes are enough. */
  readonly all: boolean;
  private readonly resolve: (sent: number) => void;

  constructor(
    resolve: (sent: number) => void,
    reject: (error: unknown) => void,
    bytes: Uint8Array,
    length: number,
    all: boolean,
  ) {
    super(reject);
    this.resolve = resolve;
    this.bytes = bytes;
    this.length = length;
    this.all = all;
  }

  /** The system call that it makes. */
  get syscall(): string {
    return 'send';
  }

  /** Bytes of memory that wait with it. */
  get queued(): number {
    return this.length - this.sent;
  }

  /** True while it waits for something else than room in the socket, and says itself when. */
  get stalled(): boolean {
    return false;
  }

  /**
   * One system call for what is left: bytes taken, or a negative errno. With `wait` the addon will
   * say when there is room; `mayBlock` is for callers that have nothing else to do anyway.
   */
  transmit(slot: number, generation: number, wait: boolean, _mayBlock: boolean): number {
    return send(slot, generation, this.bytes, this.sent, this.length - this.sent, wait);
  }

  /** It is about to wait. A negative errno when it cannot keep what it needs for that. */
  hold(): number {
    return 0;
  }

  /** Whether memory that it sends from was taken away. */
  get isDetached(): boolean {
    return this.bytes !== noBytes && this.bytes.length < this.length;
  }

  /** Whether the errno is about what it sends: others are about the connection. */
  isOwnFault(errno: number): boolean {
    return errno === -EFAULT;
  }

  errorFor(errno: number, bytesTransferred: number): Error {
    return sendError(errno, bytesTransferred, this.syscall);
  }

  finish(): void {
    this.disarm();
    this.resolve(this.sent);
  }
}

/** Sends from several places by one system call. */
export class GatherOperation extends SendOperation {
  constructor(
    resolve: (sent: number) => void,
    reject: (error: unknown) => void,
    protected readonly vector: Vector,
    all: boolean,
  ) {
    super(resolve, reject, noBytes, vector.total, all);
  }

  override get syscall(): string {
    return 'sendmsg';
  }

  override get isDetached(): boolean {
    return !this.vector.isWhole;
  }

  override transmit(slot: number, generation: number, wait: boolean): number {
    const { vector } = this;
    vector.seek(this.sent);
    const { views, lengths, first, offset } = vector;
    return sendVector(slot, generation, views, lengths, first, offset, wait);
  }
}

/** Half-closes once everything ahead of it has been sent. */
export class ShutdownOperation extends Operation {
  readonly resolve: () => void;

  constructor(resolve: () => void, reject: (error: unknown) => void) {
    super(reject);
    this.resolve = resolve;
  }
}

/** Small sends, copied one behind the other, which leave and settle together. */
export class Cork extends SendOperation {
  readonly promise: Promise<void>;

  constructor() {
    const { promise, resolve, reject } = defer<void>();
    const block = spareBlocks.pop() ?? new Uint8Array(corkBlockSize);
    super(() => resolve(), reject, block, 0, true);
    this.promise = promise;
  }

  hasRoomFor(length: number): boolean {
    return this.length + length <= corkBlockSize;
  }

  add(bytes: Uint8Array): Promise<void> {
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
    return this.promise;
  }

  addEach(views: readonly Uint8Array[]): Promise<void> {
    this.length = copyTo(this.bytes, this.length, views);
    return this.promise;
  }
}

/** Its memory serves the next cork. */
export function recycle(operation: SendOperation): void {
  if (operation instanceof Cork && spareBlocks.length < sparesMax) {
    spareBlocks.push(operation.bytes);
  }
}
