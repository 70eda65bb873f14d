/** The verbs of a connected stream, in their three tempos. */
import { types } from 'node:util';
import {
  type Borrower,
  binding,
  checkBoolean,
  checkInteger,
  checkLimits,
  checkOneOf,
  checkOptions,
  checkTimeout,
  Endpoint,
  invalidType,
  invalidValue,
  type Limits,
  noLimits,
  PollIn,
  PollOut,
  toBytes,
} from '@sock/native';
import { Patience } from './blocking.js';
import { ChunkIterator } from './chunk-iterator.js';
import { TakenSocket, type TakenStream } from './duplex/taken-stream.js';
import {
  AbortError,
  busyError,
  closedError,
  endOfStreamError,
  lentError,
  SocketClosedError,
  SocketError,
  TimeoutError,
} from './errors.js';
import { type Layer, takenByAnother } from './layer.js';
import { checkBorrower, ReadLoan, WriteLoan } from './loans.js';
import { monotonicMs } from './monotonic.js';
import type { OperationOptions } from './operation.js';
import {
  type ReceiveOperation,
  type StepOperation,
  type StepResult,
  WholeOperation,
} from './receive-operations.js';
import { Receiver } from './receiver.js';
import { SendOperation } from './send-operations.js';
import { Sender } from './sender.js';
import type { ChunksOptions, Data, SyncOptions } from './stream-socket.js';

/** The most that one receive asks for unless told. */
const receiveSizeDefault = 64 * 1024;
const receiveSizeMax = 2 ** 31 - 1;
const sendQueueMaxDefault = 16 * 1024 * 1024;
const directions = ['read', 'write', 'both'] as const;

export abstract class Stream {
  /** @internal */
  protected endpoint: Endpoint;
  /** @internal Made by the first receive. */
  protected receiver: Receiver | null = null;
  /** @internal Made by the first send. */
  protected sender: Sender | null = null;
  private queueMax = sendQueueMaxDefault;

  /** @internal `below`: that of a stream which this one is a layer over; it stays its owner's. */
  protected constructor(slot: number, generation: number, below?: Endpoint) {
    this.endpoint = below ?? new Endpoint(this, slot, generation);
  }

  /** @internal The limits of operations that are given none. */
  protected limits: Limits = noLimits;
  /** @internal Whether the stream can carry bytes: connected, and not closed. */
  protected ready = false;
  /** @internal Whether somebody else has the I/O now: see {@link takeOver}. */
  isTaken = false;
  private layer: Layer | null = null;

  /** The descriptor, for looking at; −1 once closed. It stays this object's to close. */
  get fd(): number {
    const { slot, generation, closed } = this.endpoint;
    return closed ? -1 : binding.fd(slot, generation);
  }

  /** @internal False where every send is a message of its own. */
  protected get joinsSends(): boolean {
    return true;
  }

  /** @internal Whether the peer can be told that the connection broke, by a reset. */
  protected get canReset(): boolean {
    return false;
  }

  /** @internal Has its addresses kept for those who observe: they are about to be lost. */
  protected rememberEnds(): void {}

  /** Whether there is a peer; false once the connection is broken or closed. */
  abstract get isConnected(): boolean;
  /** Closes at once; what waits is rejected with `ERR_SOCK_CLOSED`. Again: does nothing. */
  abstract close(): void;

  /**
   * The most bytes that may wait behind the kernel: an integer from 0 to 2^53−1, default 16 MiB. A
   * send that finds others waiting and would pass it is refused with `ERR_SOCK_QUEUE_FULL`; one
   * that finds the queue empty is never refused, however long it is.
   */
  get sendQueueMax(): number {
    return this.queueMax;
  }

  /** From the next send on; what waits already goes on waiting. RangeError for any other number. */
  set sendQueueMax(bytes: number) {
    this.queueMax = checkInteger('sendQueueMax', bytes, 0, Number.MAX_SAFE_INTEGER);
    if (this.sender !== null) this.sender.queueMax = bytes;
  }

  /** Bytes that wait in this process for the kernel to take them. */
  get sendQueueBytes(): number {
    return this.sender?.queued ?? 0;
  }

  /**
   * Sends what the kernel takes: all of it as a rule, less when its buffer fills.
   *
   * @param data Bytes, or a string sent as UTF-8. Must not be changed before the promise settles.
   * @param options `timeout` (ms; default the socket's `operationTimeout`) and `signal`.
   * @returns The count of bytes taken, 0 only for empty data. Waits while the kernel takes none.
   * Concurrent sends leave in the order of the calls.
   *
   * Rejects with `SocketClosedError` (`EPIPE`, `ECONNRESET`, `ERR_SOCK_CLOSED`), `TimeoutError`,
   * `AbortError`, or `SocketError` (`ENOTCONN`, `ERR_SOCK_QUEUE_FULL`,
   * `ERR_SOCK_BUFFER_DETACHED`); each has `bytesTransferred`.
   * @throws TypeError when an argument is of a wrong kind.
   * @see send(2)
   */
  send(data: Data, options?: OperationOptions): Promise<number> {
    const bytes = toBytes(data);
    const limits = options === undefined ? this.limits : this.limitsOf(options, this.limits);
    return this.refusal(limits) ?? this.sending().send(bytes, limits);
  }

  /**
   * Sends all of it.
   *
   * Small sends of one turn of the event loop leave together, by one system call when the turn's
   * microtasks have run, and then settle together: await the last of a burst, not each.
   *
   * @param data As for {@link send}.
   * @param options As for {@link send}; the timeout covers the whole.
   * @returns Resolves once the kernel has taken every byte.
   *
   * Rejects as {@link send} does. After a timeout or an abort `bytesTransferred` bytes are on their
   * way, the rest is dropped, and sends queued behind are rejected with `ERR_SOCK_SEND_ABANDONED`
   * unless none of this one had gone.
   * @example
   * ```ts
   * for await (const chunk of socket) await socket.sendAll(chunk);
   * ```
   */
  sendAll(data: Data, options?: OperationOptions): Promise<void> {
    const bytes = toBytes(data);
    const limits = options === undefined ? this.limits : this.limitsOf(options, this.limits);
    return this.refusal(limits) ?? this.sending().sendAll(bytes, limits);
  }

  /**
   * Blocks this thread's event loop: {@link send}, waiting up to `timeout`. Sends that are queued
   * go first. Throws what `send` rejects with.
   */
  sendSync(data: Data, options?: SyncOptions): number {
    return this.sendBytes(data, options, false);
  }

  /**
   * Blocks this thread's event loop: {@link sendAll}, waiting up to `timeout` in all. Sends that
   * are queued go first. Throws what `sendAll` rejects with, with `bytesTransferred`.
   */
  sendAllSync(data: Data, options?: SyncOptions): void {
    this.sendBytes(data, options, true);
  }

  /**
   * Sends without waiting: the count of bytes taken, or `null` when the kernel takes none or other
   * sends are queued. Throws what {@link send} rejects with.
   */
  trySend(data: Data): number | null {
    const bytes = toBytes(data);
    this.checkReady();
    return this.sending().tryBytes(bytes);
  }

  /**
   * Receives 1 to `size` bytes as a fresh Buffer, or fills the front of `view` and resolves with
   * the count.
   *
   * @param size 1 to 2^31−1; default 65,536. Or a Uint8Array with at least one byte.
   * @param options `timeout` (ms; default the socket's `operationTimeout`) and `signal`. Neither
   * loses bytes: what comes later goes to the next receive.
   * @returns Waits for at least one byte. Concurrent receives are served in the order of the calls.
   *
   * Rejects with `SocketClosedError` (`ERR_SOCK_EOF` at the peer's orderly end, `ECONNRESET`,
   * `ERR_SOCK_CLOSED`), `TimeoutError`, `AbortError`, or `SocketError` (`ENOTCONN`,
   * `ERR_SOCK_BUFFER_DETACHED`).
   * @throws TypeError, RangeError when an argument is wrong.
   * @see recv(2)
   */
  recv(size?: number, options?: OperationOptions): Promise<Buffer>;
  recv(view: Uint8Array, options?: OperationOptions): Promise<number>;
  recv(what?: number | Uint8Array, options?: OperationOptions): Promise<Buffer | number> {
    const wanted = checkWanted(what);
    const limits = options === undefined ? this.limits : this.limitsOf(options, this.limits);
    const refusal = this.refusal(limits);
    if (refusal !== undefined) return refusal;
    const receiver = this.receiving();
    return typeof wanted === 'number'
      ? receiver.chunk(wanted, limits)
      : receiver.view(wanted, limits);
  }

  /**
   * Blocks this thread's event loop: {@link recv}, waiting up to `timeout`. Throws `ERR_SOCK_BUSY`
   * while a `recv` waits.
   */
  recvSync(size?: number, options?: SyncOptions): Buffer;
  recvSync(view: Uint8Array, options?: SyncOptions): number;
  recvSync(what?: number | Uint8Array, options?: SyncOptions): Buffer | number {
    const wanted = checkWanted(what);
    const patience = this.patienceOf(options);
    for (;;) {
      const got = this.tryReceive(wanted, 'recvSync');
      if (got !== null) return got;
      patience.wait(this.endpoint, PollIn, 'recv');
    }
  }

  /**
   * Receives without waiting: as {@link recv}, or `null` when nothing is there yet. Throws what
   * `recv` rejects with, and `ERR_SOCK_BUSY` while a `recv` waits.
   */
  tryRecv(size?: number): Buffer | null;
  tryRecv(view: Uint8Array): number | null;
  tryRecv(what?: number | Uint8Array): Buffer | number | null {
    return this.tryReceive(checkWanted(what), 'tryRecv');
  }

  /**
   * Receives exactly `size` bytes.
   *
   * @param size 1 to 2^31−1.
   * @param options As for {@link recv}; the timeout covers the whole. After a timeout or an abort
   * the bytes that had come are received again by the next receive.
   *
   * Rejects as {@link recv} does; at the end of the stream `partial` holds what had come.
   */
  recvAll(size: number, options?: OperationOptions): Promise<Buffer> {
    checkInteger('size', size, 1, receiveSizeMax);
    const limits = this.limitsOf(options, this.limits);
    const refusal = this.refusal(limits);
    if (refusal !== undefined) return refusal;
    return new Promise((resolve, reject) => {
      this.receiving().submit(new WholeOperation(resolve, reject, allocate(size)), limits);
    });
  }

  /**
   * Blocks this thread's event loop: {@link recvAll}, waiting up to `timeout` in all. Throws what
   * `recvAll` rejects with, and `ERR_SOCK_BUSY` while a `recv` waits.
   */
  recvAllSync(size: number, options?: SyncOptions): Buffer {
    checkInteger('size', size, 1, receiveSizeMax);
    const patience = this.patienceOf(options);
    const memory = allocate(size);
    const operation = new WholeOperation(unawaited, unawaited, memory);
    this.receiveBlocking(operation, patience, 'recvAllSync');
    return memory;
  }

  /**
   * Iterates over the stream until the peer's orderly end; `for await (const chunk of socket)` is
   * the same with the defaults. Leaving the loop does not close the socket, and loses no bytes.
   * Rejects as {@link recv} does, but for the end, which only ends the iteration: closing the
   * socket meanwhile rejects with `ERR_SOCK_CLOSED`. Every step may take the socket's
   * `operationTimeout`.
   *
   * @param options `size`, the most bytes of a chunk, and `reuse`, one memory for all of them.
   * @throws TypeError, RangeError when an option is wrong.
   * @example
   * ```ts
   * for await (const chunk of socket.chunks({ reuse: true })) hash.update(chunk);
   * ```
   */
  chunks(options?: ChunksOptions): AsyncIterableIterator<Buffer> {
    const checked = checkOptions<ChunksOptions>(options, ['size', 'reuse']);
    const size = checkInteger(
      'options.size',
      checked.size ?? receiveSizeDefault,
      1,
      receiveSizeMax,
    );
    const reuse = checkBoolean('options.reuse', checked.reuse ?? false);
    return new ChunkIterator(this, this.limits, reuse ? Buffer.alloc(size) : null, size);
  }

  /** {@link chunks} with the defaults. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Buffer> {
    return new ChunkIterator(this, this.limits, null, receiveSizeDefault);
  }

  /**
   * Ends one direction, or both. `'write'` waits for the sends queued before it; the peer then sees
   * the end of the stream. `'read'` only makes this side's receives end.
   *
   * @param how Default `'write'`.
   * @param options `timeout` (ms; default the socket's `operationTimeout`) and `signal`: for the
   * wait behind other sends. After either, the direction is still open.
   *
   * Rejects with `SocketError` (`ENOTCONN`), `TimeoutError`, `AbortError`, and with what the sends
   * ahead of it fail with.
   * @see shutdown(2)
   */
  shutdown(how: 'read' | 'write' | 'both' = 'write', options?: OperationOptions): Promise<void> {
    const direction = directions.indexOf(checkOneOf('how', how, directions));
    const limits = this.limitsOf(options, this.limits);
    return (
      this.refusal(limits) ??
      this.sending().shutdown(limits, how !== 'read', () => this.shutDown(direction))
    );
  }

  /**
   * Ends the conversation in order: sends what is queued, half-closes, reads off what the peer
   * still sends (a close with unread bytes would reset the connection), and closes.
   *
   * @param options `timeout` (ms, default the socket's `operationTimeout`) and `signal`. The socket
   * is closed in every case; a rejection says that the ending was not orderly.
   */
  end(options?: OperationOptions): Promise<void> {
    return this.endWithin(this.limitsOf(options, this.limits));
  }

  /** Pending operations keep the event loop alive; this is the default. */
  ref(): this {
    this.endpoint.keepLoop(true);
    return this;
  }

  /** Pending operations of this socket no longer keep the event loop alive. */
  unref(): this {
    this.endpoint.keepLoop(false);
    return this;
  }

  /** {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** As {@link end}, and done without a word when the socket is closed already. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.endpoint.closed) return;
    if (this.ready) await this.end();
    else this.close();
  }

  /** @internal Runs once when the socket is closed, by whomever. */
  whenClosed(listener: () => void): void {
    this.endpoint.whenClosed(listener);
  }

  /** @internal Takes back what {@link whenClosed} was given. */
  notWhenClosed(listener: () => void): void {
    this.endpoint.notWhenClosed(listener);
  }

  /**
   * Lends the receiving to who does it by other means, such as the `AsyncIO` of `@sock/poll`. Until
   * the loan ends, receives of this socket are refused with `ERR_SOCK_BUSY`.
   *
   * @throws `SocketError`: `ERR_SOCK_BUSY` while a receive waits, or when it is lent already;
   * `ENOTCONN`, `ERR_SOCK_CLOSED`.
   */
  lendReading(borrower: Borrower): ReadLoan {
    checkBorrower(borrower);
    this.checkReady();
    const receiver = this.receiving();
    receiver.checkIdle('a request of an AsyncIO');
    return new ReadLoan(this.endpoint, receiver, borrower);
  }

  /**
   * Lends the sending likewise; until the loan ends, sends and `shutdown()` are refused.
   *
   * @throws `SocketError`: `ERR_SOCK_BUSY` while a send waits, or when it is lent already;
   * `ENOTCONN`, `ERR_SOCK_CLOSED`.
   */
  lendWriting(borrower: Borrower): WriteLoan {
    checkBorrower(borrower);
    this.checkReady();
    const sender = this.sending();
    sender.checkLendable();
    return new WriteLoan(this.endpoint, sender, borrower);
  }

  /** @internal Throws what keeps the I/O from being taken over. */
  checkTakable(): void {
    this.checkReady();
    if (this.sender?.lent) throw lentError('a take-over');
    this.receiver?.checkIdle('a take-over');
  }

  /** @internal Hands the I/O over for good; see `DuplexSource`. */
  takeOver(chunkSize: number, onClosed: () => void): TakenStream {
    this.checkTakable();
    this.giveAway(onClosed);
    const source = {
      close: () => this.close(),
      shutDown: (direction: number) => this.shutDown(direction),
      canReset: this.canReset,
      rememberEnds: () => this.rememberEnds(),
    };
    return new TakenSocket(this.endpoint, this.receiving(), this.sending(), chunkSize, source);
  }

  /** @internal That of this stream, for {@link yieldTo}; throws what keeps it from that. */
  yieldable(): Endpoint {
    this.checkTakable();
    if (this.sender?.flushAll() === false) throw busyError('a take-over', 'a send');
    return this.endpoint;
  }

  /**
   * @internal Leaves the endpoint, without a receiver and a sender, to a layer in front of the
   * descriptor, such as TLS, for good. Closing this stream closes it for that layer too. What it
   * returns was received before.
   */
  yieldTo(layer: Layer): Uint8Array | null {
    const early = this.receiver?.takeBack() ?? null;
    this.giveAway(() => layer.onClosed());
    this.layer = layer;
    this.endpoint.receiver = null;
    this.endpoint.sender = null;
    this.receiver = null;
    this.sender = null;
    return early;
  }

  /** @internal Before the descriptor is closed. */
  protected closeLayer(): void {
    const { layer } = this;
    this.layer = null;
    layer?.onClosing();
  }

  private giveAway(onClosed: () => void): void {
    this.ready = false;
    this.isTaken = true;
    this.endpoint.whenClosed(onClosed);
  }

  /** @internal Ends a direction of the stream, 0 read, 1 write, 2 both: 0, or a negative errno. */
  protected shutDown(direction: number): number {
    return binding.shutdown(this.endpoint.slot, this.endpoint.generation, direction);
  }

  /** @internal */
  protected limitsOf(options: OperationOptions | undefined, defaults: Limits): Limits {
    return checkLimits(options, defaults);
  }

  /** @internal */
  protected patienceOf(options: SyncOptions | undefined, defaults: Limits = this.limits): Patience {
    const { timeout } = checkOptions<SyncOptions>(options, ['timeout']);
    return new Patience(timeout === undefined ? defaults.timeoutMs : checkTimeout(timeout));
  }

  /** @internal Why the stream cannot carry bytes. */
  protected unready(): SocketError {
    if (this.endpoint.closed) return closedError();
    if (this.isTaken) return this.layer?.takenError() ?? takenByAnother();
    return new SocketError('the socket is not connected', { code: 'ENOTCONN' });
  }

  /** @internal A rejection when the operation cannot even begin. */
  protected refusal({ signal }: Limits): Promise<never> | undefined {
    if (!this.ready) return Promise.reject(this.unready());
    if (signal?.aborted) return Promise.reject(new AbortError(signal));
    return undefined;
  }

  /** @internal */
  protected checkReady(): void {
    if (!this.ready) throw this.unready();
  }

  private async endWithin(limits: Limits): Promise<void> {
    if (this.isTaken) throw this.unready();
    const start = monotonicMs();
    const left = (): OperationOptions => ({
      signal: limits.signal,
      timeout: Math.max(0, limits.timeoutMs - (monotonicMs() - start)),
    });
    try {
      await this.shutdown('write', left());
      const discarded = Buffer.allocUnsafeSlow(receiveSizeDefault);
      for (;;) await this.recv(discarded, left());
    } catch (error) {
      if (!(error instanceof SocketClosedError && error.code === 'ERR_SOCK_EOF')) throw error;
    } finally {
      this.close();
    }
  }

  /** @internal */
  protected receiving(): Receiver {
    if (this.receiver === null) {
      this.receiver = new Receiver(this.endpoint);
      this.endpoint.receiver = this.receiver;
    }
    return this.receiver;
  }

  /** @internal */
  protected sending(): Sender {
    if (this.sender === null) {
      this.sender = new Sender(this.endpoint, this.queueMax, this.joinsSends);
      this.endpoint.sender = this.sender;
    }
    return this.sender;
  }

  /** @internal Takes a step of an iteration. */
  step(operation: StepOperation, limits: Limits): Promise<StepResult> {
    return this.refusal(limits) ?? this.receiving().step(operation, limits);
  }

  private tryReceive(wanted: number | Uint8Array, verb: string): Buffer | number | null {
    this.checkReady();
    const receiver = this.receiving();
    return typeof wanted === 'number'
      ? receiver.tryChunk(wanted, verb)
      : receiver.tryView(wanted, verb);
  }

  /** @internal Blocks until the operation, which nobody waits for, has enough. */
  protected receiveBlocking(operation: ReceiveOperation, patience: Patience, verb: string): void {
    this.checkReady();
    const receiver = this.receiving();
    try {
      while (!operation.enough) {
        const got = receiver.tryOnce(operation, verb);
        if (got === null) patience.wait(this.endpoint, PollIn, 'recv');
      }
    } catch (error) {
      const partial = operation.takeFilled();
      if (error instanceof SocketClosedError && error.code === 'ERR_SOCK_EOF') {
        throw endOfStreamError(partial);
      }
      if (error instanceof TimeoutError && partial !== undefined) receiver.putBack(partial);
      throw error;
    }
  }

  private sendBytes(data: Data, options: SyncOptions | undefined, all: boolean): number {
    const operation = sendOf(toBytes(data), all);
    return this.sendBlocking(operation, this.patienceOf(options));
  }

  /** @internal The count of bytes that the kernel took of an operation that nobody waits for. */
  protected sendBlocking(operation: SendOperation, patience: Patience): number {
    this.checkReady();
    const sender = this.sending();
    for (;;) {
      sender.drainThenTry(operation);
      const { sent, length, all } = operation;
      const isTaken = sent === length && sender.flushHeld() === 0;
      if (isTaken || (!all && sent > 0)) return sent;
      patience.wait(this.endpoint, PollOut, 'send', { bytesTransferred: sent });
    }
  }
}

/** For the forms that look at the operation themselves instead of waiting for its promise. */
export function unawaited(): void {}

function sendOf(bytes: Uint8Array, all: boolean): SendOperation {
  return new SendOperation(unawaited, unawaited, bytes, bytes.length, all);
}

/** Memory of its own: not a part of a pool that others see through `.buffer`. */
function allocate(size: number): Buffer {
  return Buffer.allocUnsafeSlow(size);
}

/** How many bytes to receive, or where to. */
export function checkWanted(what: unknown): number | Uint8Array {
  if (what === undefined) return receiveSizeDefault;
  if (typeof what === 'number') return checkInteger('size', what, 1, receiveSizeMax);
  if (!types.isUint8Array(what)) throw invalidType('size', 'a number or a Uint8Array', what);
  if (what.length === 0) throw invalidValue('view', 'must have room for at least one byte', what);
  return what;
}
