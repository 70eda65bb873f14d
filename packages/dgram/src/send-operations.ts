/** What can wait in the queue of a sender. */
import type { SocketErrorDetails } from '@sock/core';
import { binding, Control, Errno, Operation, wordsPerDatagram } from '@sock/native';
import { hostOf, portOf } from './addresses.js';
import { systemError } from './errors.js';
import type { Traits } from './traits.js';

const { control, sendDatagrams } = binding;
const { EAGAIN } = Errno;
const { Extra, Extra2 } = Control;

/** Datagrams whose bytes lie in one memory, as their entries say. */
export class SendOperation extends Operation {
  /** Entries that have gone. */
  sent = 0;
  /** Of the next entry, which is cut into segments: bytes that have gone. */
  private skipped = 0;
  private readonly neededBytes: number;

  constructor(
    private readonly resolvePromise: (sent: number) => void,
    reject: (error: unknown) => void,
    readonly memory: Uint8Array,
    private entries: Int32Array,
    private readonly count: number,
  ) {
    super(reject);
    this.neededBytes = memory.length;
  }

  /** Bytes of memory that wait with it. */
  get queuedBytes(): number {
    return this.neededBytes;
  }

  get isDetached(): boolean {
    return this.memory.length < this.neededBytes;
  }

  get done(): boolean {
    return this.sent === this.count;
  }

  /** The entries are somebody else's after this call. */
  hold(): void {
    this.entries = this.entries.slice(0, this.count * wordsPerDatagram);
  }

  /**
   * One system call as a rule: 0 when it is over, since all have gone, or since one was refused
   * after others had gone; else a negative errno.
   */
  attempt(traits: Traits, mode: number): number {
    const { slot, generation } = traits.endpoint;
    const { entries, count, memory, sent, skipped } = this;
    const gone = sendDatagrams(
      slot,
      generation,
      memory,
      entries,
      sent,
      count - sent,
      skipped,
      traits.sendMode | mode,
    );
    if (gone < 0) return this.sent > 0 && gone !== -EAGAIN ? 0 : gone;
    this.sent += gone;
    this.skipped = control[Extra] as number;
    traits.endpoint.spend(gone << 10);
    const error = control[Extra2] as number;
    if (error === 0 || error === -EAGAIN) return error;
    return this.sent > 0 ? 0 : error;
  }

  /** Why the next of its datagrams was refused. */
  errorFor(errno: number, traits: Traits): Error {
    const { entries, sent, skipped } = this;
    const details: SocketErrorDetails = { syscall: 'sendmmsg', bytesTransferred: skipped };
    const address = hostOf(entries, sent, traits.family);
    if (traits.family === 'unix') {
      return systemError(errno, address === '' ? details : { ...details, path: address });
    }
    if (address === '') return systemError(errno, details);
    return systemError(errno, { ...details, address, port: portOf(entries, sent, traits.family) });
  }

  finish(): void {
    this.disarm();
    this.resolvePromise(this.sent);
  }
}
