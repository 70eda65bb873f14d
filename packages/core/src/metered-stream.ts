/**
 * A limit on bytes per second, each direction apart.
 *
 * Theory of operation. Each direction has a bucket whose tokens are bytes. An operation takes as
 * many as it may move, tries, and settles at the end: what was taken comes back, and what was moved
 * is paid, then. So a receive that waits for long holds its share of the bucket against others, and
 * not against itself, and a send that the kernel cut short has paid for what it sent. Who waits for
 * tokens is called back, not resumed by a promise, so that sends leave in the order of the calls.
 */
import { checkInteger, checkOneOf, type Limits, toBytes } from '@sock/native';
import type { Patience } from './blocking.js';
import { Bucket } from './bucket.js';
import { busyError, closedError, detachedError, SocketError, TimeoutError } from './errors.js';
import { MessageStream } from './message-stream.js';
import { monotonicMs } from './monotonic.js';
import type { OperationOptions } from './operation.js';
import { checkWanted } from './stream.js';
import type { Data, SyncOptions } from './stream-socket.js';
import { quietClock, TokenQueue } from './token-queue.js';

const unlimited = Number.POSITIVE_INFINITY;
/** Who has to wait waits for 10 ms' worth, so that it is not a call for each byte. A guess. */
const sharesPerSecond = 100;

/** A limit as it is set, with the tokens of each direction. */
interface Bandwidth {
  rate: number;
  readonly read: TokenQueue;
  readonly write: TokenQueue;
}

/** One direction of a stream, for one operation on it. */
interface Move<T extends number | Buffer> {
  readonly queue: TokenQueue;
  readonly verb: 'send' | 'recv';
  /** The bytes to send or to fill; null to be given a Buffer. */
  readonly view: Uint8Array | null;
  readonly length: number;
  /** Moves up to that many bytes. */
  readonly run: (count: number, limits: OperationOptions) => Promise<T>;
}

function bandwidthOf(rate: number): Bandwidth {
  const nowMs = quietClock.now();
  const queue = (verb: string): TokenQueue =>
    new TokenQueue(new Bucket(rate, rate, nowMs), verb, quietClock, null);
  return { rate, read: queue('recv'), write: queue('send') };
}

/** What is worth waiting for, to move so many bytes. */
function leastOf(queue: TokenQueue, length: number): number {
  return Math.min(length, Math.ceil(queue.bucket.rate / sharesPerSecond));
}

function countOf(moved: number | Buffer): number {
  return typeof moved === 'number' ? moved : moved.length;
}

function transferredBy(error: unknown): number {
  return error instanceof SocketError ? (error.bytesTransferred ?? 0) : 0;
}

export abstract class MeteredStream extends MessageStream {
  private bandwidth: Bandwidth | null;

  /** @internal */
  protected constructor(slot: number, generation: number) {
    super(slot, generation);
    this.bandwidth = null;
  }

  /**
   * Limits what {@link sendLimited} and {@link recvLimited} move, each direction by itself, and
   * charged by the bytes that were really moved. Every other method is as fast as it was, and is
   * not charged. After a pause up to one second's bytes go at once; it begins like that.
   *
   * @param bytesPerSecond An integer from 1 to 2^53−1, or `Infinity` for no limit, which is how a
   * socket begins. A change counts from now on, for those who wait too; what had come until then
   * came at the old rate.
   * @throws TypeError, RangeError (`ERR_OUT_OF_RANGE`, also for 0); `SocketClosedError`
   * (`ERR_SOCK_CLOSED`).
   */
  setBandwidth(bytesPerSecond: number): void {
    const name = 'bytesPerSecond';
    if (bytesPerSecond !== unlimited) {
      checkInteger(name, bytesPerSecond, 1, Number.MAX_SAFE_INTEGER);
    }
    if (this.endpoint.closed) throw closedError();
    const bandwidth = this.bandwidth;
    if (bytesPerSecond === unlimited) {
      this.bandwidth = null;
      bandwidth?.read.open();
      bandwidth?.write.open();
    } else if (bandwidth === null) {
      this.bandwidth = bandwidthOf(bytesPerSecond);
    } else {
      bandwidth.rate = bytesPerSecond;
      bandwidth.read.configure(bytesPerSecond, bytesPerSecond);
      bandwidth.write.configure(bytesPerSecond, bytesPerSecond);
    }
  }

  /** The limit in bytes per second, for each direction; `Infinity` where there is none. */
  getBandwidth(): number {
    return this.bandwidth?.rate ?? unlimited;
  }

  /**
   * How long it takes until so many bytes may be moved, if nobody else moves any; those who wait
   * are served first. Moves nothing.
   *
   * @param n Bytes, an integer from 0 to 2^53−1.
   * @param direction Default `'write'`.
   * @returns Milliseconds, rounded up; 0 when they may be moved now or there is no limit,
   * `Infinity` when `n` is more than a second's bytes: so many never may at once.
   * @throws TypeError, RangeError when an argument is wrong.
   */
  bandwidthWaitMs(n: number, direction: 'read' | 'write' = 'write'): number {
    checkInteger('n', n, 0, Number.MAX_SAFE_INTEGER);
    checkOneOf('direction', direction, ['read', 'write']);
    if (this.bandwidth === null || n === 0) return 0;
    return n > this.bandwidth.rate ? unlimited : this.bandwidth[direction].waitMs(n);
  }

  /**
   * Sends as much as the bandwidth allows and the kernel takes; {@link send} where no bandwidth is
   * set. Waits for both: for bytes of 10 ms at least, or all of the data, then for the kernel.
   *
   * @param data Bytes, or a string as UTF-8. Must not be changed before the promise settles.
   * @param options `timeout` (ms; default the socket's `operationTimeout`), which covers both
   * waits, and `signal`.
   * @returns The count of bytes taken, from the front, 0 only for empty data. Concurrent sends,
   * limited ones and others, leave in the order of the calls, but those that wait for bandwidth do
   * not hold up others.
   *
   * Rejects as {@link send} does; before the kernel was asked `bytesTransferred` is absent or 0.
   * @throws TypeError, RangeError when an argument is wrong.
   * @example
   * ```ts
   * socket.setBandwidth(100_000);
   * for (let rest = data; rest.length > 0; ) rest = rest.subarray(await socket.sendLimited(rest));
   * ```
   */
  sendLimited(data: Data, options?: OperationOptions): Promise<number> {
    const queue = this.bandwidth?.write;
    if (queue === undefined) return this.send(data, options);
    const bytes = toBytes(data);
    if (bytes.length === 0) return this.send(bytes, options);
    const limits = this.limitsOf(options, this.limits);
    return (
      this.refusal(limits) ??
      this.move(limits, {
        queue,
        verb: 'send',
        view: bytes,
        length: bytes.length,
        run: (count, left) => this.send(bytes.subarray(0, count), left),
      })
    );
  }

  /**
   * Blocks this thread's event loop: {@link sendLimited}, waiting up to `timeout`. Sends that are
   * queued go first. Throws what it rejects with, and `ERR_SOCK_BUSY` while a `sendLimited` waits
   * for bandwidth.
   */
  sendLimitedSync(data: Data, options?: SyncOptions): number {
    const queue = this.bandwidth?.write;
    if (queue === undefined) return this.sendSync(data, options);
    const bytes = toBytes(data);
    if (bytes.length === 0) return this.sendSync(bytes, options);
    const patience = this.patienceOf(options);
    const taken = this.takeBlocking(queue, bytes.length, patience, 'send');
    return this.settling(queue, taken, () =>
      this.sendSync(bytes.subarray(0, taken), { timeout: patience.leftMs }),
    );
  }

  /**
   * Sends without waiting: the count of bytes taken, 0 when the bandwidth is used up
   * ({@link bandwidthWaitMs} tells for how long), or `null` when the kernel takes none or other
   * sends are queued. Without a bandwidth, and for empty data, it is {@link trySend}. Throws what
   * `trySend` throws.
   */
  trySendLimited(data: Data): number | null {
    const queue = this.bandwidth?.write;
    if (queue === undefined) return this.trySend(data);
    const bytes = toBytes(data);
    if (bytes.length === 0) return this.trySend(bytes);
    this.checkReady();
    const taken = queue.take(1, bytes.length);
    if (taken === 0) return 0;
    return this.settling(queue, taken, () => this.trySend(bytes.subarray(0, taken)));
  }

  /**
   * Receives as {@link recv} does, and no more than the bandwidth allows. Waits for both: for bytes
   * of 10 ms at least, or as many as are asked for, then for the peer. What is not received yet
   * stays in the kernel, and in the end makes the peer wait.
   *
   * @param size 1 to 2^31−1; default 65,536. Or a Uint8Array with at least one byte, to be filled.
   * @param options `timeout` (ms; default the socket's `operationTimeout`), which covers both
   * waits, and `signal`. Neither loses bytes.
   * @returns A Buffer of 1 to `size` bytes, or the count of bytes in the view. Concurrent receives
   * are served in the order of the calls.
   *
   * Rejects as {@link recv} does. The end of the stream, too, is only noticed with bandwidth left.
   * @throws TypeError, RangeError when an argument is wrong.
   */
  recvLimited(size?: number, options?: OperationOptions): Promise<Buffer>;
  recvLimited(view: Uint8Array, options?: OperationOptions): Promise<number>;
  recvLimited(what?: number | Uint8Array, options?: OperationOptions): Promise<Buffer | number> {
    const wanted = checkWanted(what);
    const queue = this.bandwidth?.read;
    if (queue === undefined) return this.recv(wanted as number, options);
    const limits = this.limitsOf(options, this.limits);
    const refusal = this.refusal(limits);
    if (refusal !== undefined) return refusal;
    const verb = 'recv';
    if (typeof wanted === 'number') {
      const run = (count: number, left: OperationOptions) => this.recv(count, left);
      return this.move<Buffer>(limits, { queue, verb, view: null, length: wanted, run });
    }
    const run = (count: number, left: OperationOptions) =>
      this.recv(wanted.subarray(0, count), left);
    return this.move<number>(limits, { queue, verb, view: wanted, length: wanted.length, run });
  }

  /**
   * Blocks this thread's event loop: {@link recvLimited}, waiting up to `timeout`. Throws what it
   * rejects with, and `ERR_SOCK_BUSY` while a `recv` or `recvLimited` waits.
   */
  recvLimitedSync(size?: number, options?: SyncOptions): Buffer;
  recvLimitedSync(view: Uint8Array, options?: SyncOptions): number;
  recvLimitedSync(what?: number | Uint8Array, options?: SyncOptions): Buffer | number {
    const wanted = checkWanted(what);
    const queue = this.bandwidth?.read;
    if (queue === undefined) return this.recvSync(wanted as number, options);
    const patience = this.patienceOf(options);
    const length = typeof wanted === 'number' ? wanted : wanted.length;
    const taken = this.takeBlocking(queue, length, patience, 'recv');
    return this.settling(queue, taken, () => {
      const left = { timeout: patience.leftMs };
      if (typeof wanted === 'number') return this.recvSync(taken, left);
      return this.recvSync(wanted.subarray(0, taken), left);
    });
  }

  /**
   * Receives without waiting: as {@link tryRecv}, or 0 when the bandwidth is used up
   * ({@link bandwidthWaitMs} tells for how long). Throws what `tryRecv` throws, and
   * `ERR_SOCK_BUSY` while a `recvLimited` waits.
   */
  tryRecvLimited(size?: number): Buffer | 0 | null;
  tryRecvLimited(view: Uint8Array): number | null;
  tryRecvLimited(what?: number | Uint8Array): Buffer | number | null {
    const wanted = checkWanted(what);
    const queue = this.bandwidth?.read;
    if (queue === undefined) return this.tryRecv(wanted as number);
    this.checkReady();
    if (queue.isWaiting) throw busyError('tryRecvLimited', 'a recvLimited');
    const taken = queue.take(1, typeof wanted === 'number' ? wanted : wanted.length);
    if (taken === 0) return 0;
    return this.settling<Buffer | number | null>(queue, taken, () =>
      typeof wanted === 'number' ? this.tryRecv(taken) : this.tryRecv(wanted.subarray(0, taken)),
    );
  }

  /** @internal Takes away from those who wait for bandwidth: the socket was closed. */
  protected rejectThrottled(): void {
    this.bandwidth?.read.close(closedError);
    this.bandwidth?.write.close(() => closedError(0));
  }

  /** Takes tokens, at once or when there are some, and then moves bytes. */
  private move<T extends number | Buffer>(limits: Limits, move: Move<T>): Promise<T> {
    const { queue, length } = move;
    const least = leastOf(queue, length);
    const taken = queue.take(least, length);
    if (taken > 0) return this.run(taken, limits, limits.timeoutMs, move);
    const { endpoint } = this;
    const startMs = monotonicMs();
    endpoint.beginWait();
    return new Promise((resolve, reject) => {
      const onTaken = (count: number): void => {
        endpoint.endWait();
        const leftMs = Math.max(0, limits.timeoutMs - (monotonicMs() - startMs));
        resolve(this.run(count, limits, leftMs, move));
      };
      queue.wait(least, length, limits, onTaken, (error) => {
        endpoint.endWait();
        reject(error);
      });
    });
  }

  /** Moves bytes at once, so that others do not come in between; settles when that is over. */
  private async run<T extends number | Buffer>(
    taken: number,
    { signal, timeoutMs }: Limits,
    leftMs: number,
    { queue, verb, view, length, run }: Move<T>,
  ): Promise<T> {
    let used = 0;
    try {
      if (view !== null && view.length < length) throw detachedError(0);
      const moved = await run(Math.min(taken, length), { signal, timeout: leftMs });
      used = countOf(moved);
      return moved;
    } catch (error) {
      used = transferredBy(error);
      if (!(error instanceof TimeoutError) || leftMs === timeoutMs) throw error;
      // Told to wait for what was left, it must not say that this was all.
      throw new TimeoutError(verb, timeoutMs, { bytesTransferred: error.bytesTransferred });
    } finally {
      queue.settle(taken, used);
    }
  }

  private takeBlocking(
    queue: TokenQueue,
    length: number,
    patience: Patience,
    verb: 'send' | 'recv',
  ): number {
    this.checkReady();
    if (queue.isWaiting) throw busyError(`${verb}LimitedSync`, `a ${verb}Limited`);
    const least = leastOf(queue, length);
    for (;;) {
      const taken = queue.take(least, length);
      if (taken > 0) return taken;
      patience.pause(queue.waitMs(least), verb);
    }
  }

  /** Pays for what the call moves, and gets back the rest. */
  private settling<T extends number | Buffer | null>(
    queue: TokenQueue,
    taken: number,
    call: () => T,
  ): T {
    let used = 0;
    try {
      const moved = call();
      used = moved === null ? 0 : countOf(moved);
      return moved;
    } catch (error) {
      used = transferredBy(error);
      throw error;
    } finally {
      queue.settle(taken, used);
    }
  }
}
