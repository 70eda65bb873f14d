/** What can wait in the queue of a receiver. */
import { Operation } from '@sock/native';
import { BufferOver, type DatagramBatch } from './batch.js';
import type { ReceivedDatagram } from './datagrams.js';
import { sizeError } from './errors.js';
import type { Receiver } from './receiver.js';

type Settle<T> = (value: T) => void;

/** For the forms that look at the operation themselves instead of waiting for its promise. */
export function unawaited(): void {}

export abstract class ReceiveOperation<T = unknown> extends Operation {
  private readonly resolvePromise: Settle<never>;
  /** What came, once {@link attempt} has said so. */
  abstract readonly result: T;
  /** Why what came is not what was asked for. */
  failure: Error | null = null;

  constructor(resolve: Settle<T>, reject: (error: unknown) => void) {
    super(reject);
    this.resolvePromise = resolve;
  }

  /** One system call at most: above 0 when something came, or a negative errno. */
  abstract attempt(receiver: Receiver, wait: boolean): number;

  /** Whether memory that it would fill was taken away. */
  get isDetached(): boolean {
    return false;
  }

  finish(): void {
    if (this.failure !== null) {
      this.reject(this.failure);
      return;
    }
    this.disarm();
    this.resolvePromise(this.result as never);
  }
}

/** One datagram with everything that is known of it. */
export class MessageOperation extends ReceiveOperation<ReceivedDatagram> {
  declare result: ReceivedDatagram;

  constructor(
    resolve: Settle<ReceivedDatagram>,
    reject: (error: unknown) => void,
    private readonly size: number,
  ) {
    super(resolve, reject);
  }

  attempt(receiver: Receiver, wait: boolean): number {
    const got = receiver.takeOne(this.size, wait);
    if (typeof got === 'number') return got;
    this.result = got;
    return 1;
  }
}

/** The bytes of one datagram, all of which must have room, or (`exact`) just fill it. */
export class DataOperation extends ReceiveOperation<Buffer> {
  declare result: Buffer;

  constructor(
    resolve: Settle<Buffer>,
    reject: (error: unknown) => void,
    private readonly size: number,
    private readonly exact: boolean,
  ) {
    super(resolve, reject);
  }

  attempt(receiver: Receiver, wait: boolean): number {
    const got = receiver.takeOne(this.size, wait);
    if (typeof got === 'number') return got;
    this.result = got.data;
    this.failure = failureOf(got, this.size, this.exact);
    return 1;
  }
}

function failureOf(got: ReceivedDatagram, size: number, exact: boolean): Error | null {
  const { data, truncated } = got;
  if (truncated) return sizeError(`the datagram is longer than ${size} bytes`, data);
  if (!exact || data.length === size) return null;
  return sizeError(`the datagram has ${data.length} bytes, not ${size}`, data);
}

/** The bytes of one datagram into the caller's memory, in one place or several. */
export class ScatterOperation extends ReceiveOperation<number> {
  result = 0;
  private readonly lengths: readonly number[];
  private readonly room: number;

  constructor(
    resolve: Settle<number>,
    reject: (error: unknown) => void,
    private readonly views: readonly Uint8Array[],
    private readonly exact: boolean,
  ) {
    super(resolve, reject);
    this.lengths = views.map(({ length }) => length);
    this.room = this.lengths.reduce((sum, length) => sum + length, 0);
  }

  override get isDetached(): boolean {
    return this.views.some((view, index) => view.length < (this.lengths[index] as number));
  }

  attempt(receiver: Receiver, wait: boolean): number {
    if (this.isDetached) return receiver.detached;
    const got = receiver.takeOne(this.room, wait);
    if (typeof got === 'number') return got;
    let at = 0;
    for (const view of this.views) {
      const part = got.data.subarray(at, at + view.length);
      view.set(part);
      at += part.length;
    }
    this.result = at;
    this.failure = failureOf(got, this.room, this.exact);
    return 1;
  }
}

/** As many datagrams as there are. */
export class MessagesOperation extends ReceiveOperation<ReceivedDatagram[]> {
  result: ReceivedDatagram[] = [];

  constructor(
    resolve: Settle<ReceivedDatagram[]>,
    reject: (error: unknown) => void,
    private readonly max: number,
    private readonly size: number,
  ) {
    super(resolve, reject);
  }

  attempt(receiver: Receiver, wait: boolean): number {
    const got = receiver.takeMany(this.max, this.size, wait);
    if (typeof got === 'number') return got;
    this.result = got;
    return got.length;
  }
}

/** As many as there are, into a batch of the caller's. */
export class IntoOperation extends ReceiveOperation<number> {
  result = 0;

  constructor(
    resolve: Settle<number>,
    reject: (error: unknown) => void,
    private readonly batch: DatagramBatch,
  ) {
    super(resolve, reject);
  }

  override get isDetached(): boolean {
    return this.batch.isDetached;
  }

  attempt(receiver: Receiver, wait: boolean): number {
    if (this.isDetached) return receiver.detached;
    const got = receiver.fillBatch(this.batch, wait);
    if (got > 0) this.result = got;
    return got;
  }
}

/** Copies of short pieces share blocks of this size, so that one kept cannot hold much. */
const blockSize = 64 * 1024;
const sharedMax = 4 * 1024;
let block = Buffer.allocUnsafeSlow(blockSize);
let used = 0;

/** A copy of a piece of memory that is used again. */
export function copyOf(memory: Buffer, offset: number, length: number): Buffer {
  const bytes = new BufferOver(memory.buffer, memory.byteOffset + offset, length);
  if (length > sharedMax) {
    const alone = Buffer.allocUnsafeSlow(length);
    alone.set(bytes);
    return alone;
  }
  if (used + length > blockSize) {
    block = Buffer.allocUnsafeSlow(blockSize);
    used = 0;
  }
  block.set(bytes, used);
  const copy = new BufferOver(block.buffer, used, length);
  used += length;
  return copy;
}
