/** The verbs of a datagram socket for one datagram at a time, in their three tempos. */
import { types } from 'node:util';
import {
  AbortError,
  type Data,
  type OperationOptions,
  type SyncOptions,
  TimeoutError,
} from '@sock/core';
import {
  Countdown,
  checkArray,
  checkInteger,
  checkLimits,
  checkOptions,
  checkTimeout,
  Endpoint,
  Errno,
  type Family,
  invalidType,
  iterationEnd,
  type Limits,
  noLimits,
  PollIn,
  PollOut,
  StepIterator,
  toBytes,
} from '@sock/native';
import { checkAddress } from './addresses.js';
import type { ReceivedDatagram } from './datagrams.js';
import { closedError, detachedError, systemError } from './errors.js';
import { Names } from './names.js';
import { checkData, giveAwayMemory, type Outgoing, outgoing, type Target } from './outgoing.js';
import {
  DataOperation,
  MessageOperation,
  type ReceiveOperation,
  ScatterOperation,
  unawaited,
} from './receive-operations.js';
import { Receiver } from './receiver.js';
import { SendOperation } from './send-operations.js';
import { Sender } from './sender.js';
import { Traits } from './traits.js';

const sizeMax = 2 ** 24;
const partsMax = 1024;

export abstract class DatagramIO {
  /** @internal */
  protected readonly endpoint: Endpoint;
  /** @internal */
  protected readonly traits: Traits;
  /** @internal */
  protected readonly receiver: Receiver;
  /** @internal */
  protected readonly sender: Sender;
  /** @internal The limits of operations that are given none. */
  protected limits: Limits = noLimits;
  private readonly names: Names;

  /** @internal */
  protected constructor(
    slot: number,
    generation: number,
    family: Family,
    size: number | undefined,
    offload: boolean,
  ) {
    this.endpoint = new Endpoint(this, slot, generation);
    this.traits = new Traits(this.endpoint, family, size, offload);
    this.receiver = new Receiver(this.traits);
    this.sender = new Sender(this.traits);
    this.endpoint.receiver = this.receiver;
    this.endpoint.sender = this.sender;
    this.names = new Names(family);
  }

  /** Closes at once; what waits is rejected with `ERR_SOCK_CLOSED`. Again: does nothing. */
  abstract close(): void;

  /**
   * Sends one datagram to the peer of a connected socket.
   *
   * @param data Bytes, or a string sent as UTF-8; none at all is a datagram too. It must not be
   * changed before the promise settles. At most 65,507 bytes (IPv6: 65,527) or `maxSize`; a Unix
   * datagram may be as long as the buffers are.
   * @param options `timeout` (ms; default the socket's {@link setTimeout}) and `signal`.
   * @returns The count of its bytes: a datagram goes whole, or not at all. Waits while the kernel's
   * buffer is full. Concurrent sends leave in the order of the calls.
   *
   * Rejects with `DatagramError` (`EDESTADDRREQ` or `ENOTCONN` without a peer; `ECONNREFUSED`,
   * `EHOSTUNREACH`, … when an ICMP message has come about an earlier datagram, this one has not
   * gone then; `EMSGSIZE` above the path's MTU where that must not be passed, or the buffer;
   * `ERR_SOCK_QUEUE_FULL`, `ERR_SOCK_BUFFER_DETACHED`, `ERR_SOCK_CLOSED`), `TimeoutError`,
   * `AbortError`.
   * @throws TypeError; RangeError when the data is too long.
   * @see udp(7), send(2)
   */
  send(data: Data, options?: OperationOptions): Promise<number> {
    const bytes = checkData(data, this.traits);
    const limits = this.limitsOf(options);
    return this.refusal(limits) ?? this.sendOne(bytes, undefined, limits);
  }

  /**
   * Blocks this thread's event loop: {@link send}, waiting up to `timeout`. Sends that are queued
   * go first. Throws what `send` rejects with.
   */
  sendSync(data: Data, options?: SyncOptions): number {
    const bytes = checkData(data, this.traits);
    return this.sendOneSync(bytes, undefined, this.countdown(options));
  }

  /**
   * Sends without waiting: the count of bytes, or `null` when the kernel's buffer is full or other
   * sends are queued. Throws what {@link send} rejects with.
   */
  trySend(data: Data): number | null {
    const bytes = checkData(data, this.traits);
    return this.trySendOne(bytes, undefined);
  }

  /** {@link send}, resolving with nothing: a datagram is sent whole. */
  sendAll(data: Data, options?: OperationOptions): Promise<void> {
    return this.send(data, options).then(nothing);
  }

  /** Blocks this thread's event loop: {@link sendSync}, returning nothing. */
  sendAllSync(data: Data, options?: SyncOptions): void {
    this.sendSync(data, options);
  }

  /**
   * Sends one datagram to an address.
   *
   * @param data As for {@link send}.
   * @param host A literal address of the socket's family, which no resolver ever sees; or a name,
   * which is looked up in that family by the first send to it, and then kept for this socket's
   * life. For a Unix socket, a path or `@name`, and no port.
   * @param port 1 to 65,535.
   * @param options As for {@link send}; the timeout covers the lookup too.
   *
   * Rejects as {@link send} does, with `address` and `port`, or `path`; also `ResolveError`.
   * @example
   * ```ts
   * await socket.sendTo('hello', '192.0.2.1', 9);
   * ```
   * @see sendto(2)
   */
  sendTo(data: Data, host: string, port: number, options?: OperationOptions): Promise<number>;
  sendTo(data: Data, path: string, options?: OperationOptions): Promise<number>;
  sendTo(
    data: Data,
    host: string,
    port?: number | OperationOptions,
    options?: OperationOptions,
  ): Promise<number> {
    const bytes = checkData(data, this.traits);
    const isUnix = this.traits.family === 'unix';
    const limits = this.limitsOf(isUnix ? (port as OperationOptions) : options);
    const target = this.targetOf(host, isUnix ? 0 : port);
    const refusal = this.refusal(limits);
    if (refusal !== undefined) return refusal;
    if (target !== undefined) return this.sendOne(bytes, target, limits);
    return this.sendToName(bytes, host, port as number, limits);
  }

  /**
   * Blocks this thread's event loop: {@link sendTo}, waiting up to `timeout`. Throws what `sendTo`
   * rejects with.
   */
  sendToSync(data: Data, host: string, port: number, options?: SyncOptions): number;
  sendToSync(data: Data, path: string, options?: SyncOptions): number;
  sendToSync(data: Data, host: string, port?: number | SyncOptions, options?: SyncOptions): number {
    const bytes = checkData(data, this.traits);
    const isUnix = this.traits.family === 'unix';
    const countdown = this.countdown(isUnix ? (port as SyncOptions) : options);
    const found = this.targetOf(host, isUnix ? 0 : port);
    this.usable();
    const target = found ?? this.names.resolveSync(host, port as number, countdown.leftMs);
    return this.sendOneSync(bytes, target, countdown);
  }

  /**
   * {@link trySend}, to an address: a literal, a path, or a name that {@link sendTo} has looked up
   * before.
   */
  trySendTo(data: Data, host: string, port?: number): number | null {
    const bytes = checkData(data, this.traits);
    const target = this.targetOf(host, this.traits.family === 'unix' ? 0 : port);
    if (target === undefined) return this.trySendOne(bytes, this.literalTarget(host, port));
    return this.trySendOne(bytes, target);
  }

  /** {@link send} of one datagram whose bytes are in several places: at most 1,024. */
  sendv(parts: readonly Data[], options?: OperationOptions): Promise<number> {
    return this.send(joined(parts), options);
  }

  /** Blocks this thread's event loop: {@link sendv}, waiting up to `timeout`. */
  sendvSync(parts: readonly Data[], options?: SyncOptions): number {
    return this.sendSync(joined(parts), options);
  }

  /** {@link trySend} of one datagram whose bytes are in several places. */
  trySendv(parts: readonly Data[]): number | null {
    return this.trySend(joined(parts));
  }

  /** {@link sendv}, resolving with nothing. */
  sendvAll(parts: readonly Data[], options?: OperationOptions): Promise<void> {
    return this.sendAll(joined(parts), options);
  }

  /** Blocks this thread's event loop: {@link sendvSync}, returning nothing. */
  sendvAllSync(parts: readonly Data[], options?: SyncOptions): void {
    this.sendSync(joined(parts), options);
  }

  /**
   * Receives one datagram, which may be empty: its bytes as a fresh Buffer, or in the front of
   * `view`, whose count it resolves with.
   *
   * @param size The room for it, 1 to 2^24; default any datagram's (Unix: 262,144). Or a Uint8Array
   * with at least one byte.
   * @param options `timeout` (ms; default the socket's {@link setTimeout}) and `signal`. Neither
   * loses a datagram.
   * @returns Concurrent receives are served in the order of the calls. Who has sent it tells
   * {@link recvFrom}.
   *
   * Rejects with `DatagramError`: `EMSGSIZE` when the datagram was longer than the room, with the
   * front of it in `partial` (its rest is lost); `ECONNREFUSED` and the like when an ICMP message
   * has come about something that was sent; `ERR_SOCK_BUFFER_DETACHED`, `ERR_SOCK_CLOSED`. Also
   * `TimeoutError`, `AbortError`.
   * @throws TypeError, RangeError when an argument is wrong.
   * @see recv(2)
   */
  recv(size?: number, options?: OperationOptions): Promise<Buffer>;
  recv(view: Uint8Array, options?: OperationOptions): Promise<number>;
  recv(what?: number | Uint8Array, options?: OperationOptions): Promise<Buffer | number> {
    const wanted = this.checkWanted(what);
    const limits = this.limitsOf(options);
    return this.receive(limits, (resolve, reject) => receiveOf(wanted, resolve, reject));
  }

  /**
   * Blocks this thread's event loop: {@link recv}, waiting up to `timeout`. Throws `ERR_SOCK_BUSY`
   * while a `recv` waits.
   */
  recvSync(size?: number, options?: SyncOptions): Buffer;
  recvSync(view: Uint8Array, options?: SyncOptions): number;
  recvSync(what?: number | Uint8Array, options?: SyncOptions): Buffer | number {
    const operation = receiveOf(this.checkWanted(what), unawaited, unawaited);
    return this.receiveSync(operation, options, 'recvSync');
  }

  /**
   * Receives without waiting: as {@link recv}, or `null` when there is no datagram (an empty one is
   * an empty Buffer, or 0). Throws what `recv` rejects with, and `ERR_SOCK_BUSY` while a `recv`
   * waits.
   */
  tryRecv(size?: number): Buffer | null;
  tryRecv(view: Uint8Array): number | null;
  tryRecv(what?: number | Uint8Array): Buffer | number | null {
    return this.tryReceive(receiveOf(this.checkWanted(what), unawaited, unawaited), 'tryRecv');
  }

  /**
   * Receives one datagram with its sender.
   *
   * @param size The room for it, 0 to 2^24; default any datagram's (Unix: 262,144). What is longer
   * is cut, and has `truncated` set.
   * @param options As for {@link recv}.
   *
   * Rejects as {@link recv} does, but not with `EMSGSIZE`.
   * @example
   * ```ts
   * const { data, address, port } = await socket.recvFrom();
   * ```
   * @see recvfrom(2)
   */
  recvFrom(size?: number, options?: OperationOptions): Promise<ReceivedDatagram> {
    const room = this.checkRoom(size);
    const limits = this.limitsOf(options);
    return this.receive(limits, (resolve, reject) => new MessageOperation(resolve, reject, room));
  }

  /** Blocks this thread's event loop: {@link recvFrom}, waiting up to `timeout`. */
  recvFromSync(size?: number, options?: SyncOptions): ReceivedDatagram {
    const operation = new MessageOperation(unawaited, unawaited, this.checkRoom(size));
    return this.receiveSync(operation, options, 'recvFromSync');
  }

  /** {@link recvFrom} without waiting, or `null` when there is no datagram. */
  tryRecvFrom(size?: number): ReceivedDatagram | null {
    const operation = new MessageOperation(unawaited, unawaited, this.checkRoom(size));
    return this.tryReceive(operation, 'tryRecvFrom');
  }

  /**
   * Receives one datagram of exactly `size` bytes. Rejects as {@link recv} does: with `EMSGSIZE`
   * for a datagram of another length, whose bytes are in `partial`.
   */
  recvAll(size: number, options?: OperationOptions): Promise<Buffer> {
    checkInteger('size', size, 0, sizeMax);
    const limits = this.limitsOf(options);
    return this.receive(
      limits,
      (resolve, reject) => new DataOperation(resolve, reject, size, true),
    );
  }

  /** Blocks this thread's event loop: {@link recvAll}, waiting up to `timeout`. */
  recvAllSync(size: number, options?: SyncOptions): Buffer {
    checkInteger('size', size, 0, sizeMax);
    const operation = new DataOperation(unawaited, unawaited, size, true);
    return this.receiveSync(operation, options, 'recvAllSync');
  }

  /**
   * {@link recv} of one datagram into several places, filled in order: 1 to 1,024 views.
   *
   * @returns The count of bytes.
   * @see recvmsg(2)
   */
  recvv(views: readonly Uint8Array[], options?: OperationOptions): Promise<number> {
    const checked = checkViews(views);
    const limits = this.limitsOf(options);
    return this.receive(
      limits,
      (resolve, reject) => new ScatterOperation(resolve, reject, checked, false),
    );
  }

  /** Blocks this thread's event loop: {@link recvv}, waiting up to `timeout`. */
  recvvSync(views: readonly Uint8Array[], options?: SyncOptions): number {
    const operation = new ScatterOperation(unawaited, unawaited, checkViews(views), false);
    return this.receiveSync(operation, options, 'recvvSync');
  }

  /** {@link recvv} without waiting, or `null` when there is no datagram. */
  tryRecvv(views: readonly Uint8Array[]): number | null {
    const operation = new ScatterOperation(unawaited, unawaited, checkViews(views), false);
    return this.tryReceive(operation, 'tryRecvv');
  }

  /** {@link recvv} of one datagram that just fills the views; as {@link recvAll}. */
  recvvAll(views: readonly Uint8Array[], options?: OperationOptions): Promise<void> {
    const checked = checkViews(views);
    const limits = this.limitsOf(options);
    return this.receive(
      limits,
      (resolve: (count: number) => void, reject) =>
        new ScatterOperation(resolve, reject, checked, true),
    ).then(nothing);
  }

  /** Blocks this thread's event loop: {@link recvvAll}, waiting up to `timeout`. */
  recvvAllSync(views: readonly Uint8Array[], options?: SyncOptions): void {
    const operation = new ScatterOperation(unawaited, unawaited, checkViews(views), true);
    this.receiveSync(operation, options, 'recvvAllSync');
  }

  /**
   * Datagrams, one after the other, as {@link recvFrom} gives them; for many at a time see
   * `recvBatch`. Leaving the loop closes nothing and loses nothing. Closing the socket meanwhile
   * rejects with `ERR_SOCK_CLOSED`; on a socket that is closed already it ends.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<ReceivedDatagram> {
    return new StepIterator<ReceivedDatagram>(async () => {
      if (this.endpoint.closed) return iterationEnd;
      return { value: await this.recvFrom(), done: false };
    });
  }

  /** @internal */
  protected limitsOf(options: OperationOptions | undefined): Limits {
    return checkLimits(options, this.limits);
  }

  /** @internal */
  protected countdown(options: SyncOptions | undefined): Countdown {
    const { timeout } = checkOptions<SyncOptions>(options, ['timeout']);
    return new Countdown(timeout === undefined ? this.limits.timeoutMs : checkTimeout(timeout));
  }

  /** @internal */
  protected usable(): Endpoint {
    if (this.endpoint.closed) throw closedError();
    return this.endpoint;
  }

  /** @internal A rejection when the operation cannot even begin. */
  protected refusal({ signal }: Limits): Promise<never> | undefined {
    if (this.endpoint.closed) return Promise.reject(closedError());
    if (signal?.aborted) return Promise.reject(new AbortError(signal));
    return undefined;
  }

  /** @internal Resolves with how many entries have gone. */
  protected submit(out: Outgoing, limits: Limits): Promise<number> {
    return new Promise((resolve, reject) => {
      const { memory, entries, count } = out;
      const operation = new SendOperation(resolve, reject, memory, entries, count);
      if (!this.sender.submit(operation, limits)) giveAwayMemory();
    });
  }

  /** @internal How many entries have gone. */
  protected submitSync(out: Outgoing, countdown: Countdown): number {
    this.usable();
    const { memory, entries, count } = out;
    const operation = new SendOperation(unawaited, unawaited, memory, entries, count);
    operation.hold();
    while (!this.sender.drainThenTry(operation)) {
      try {
        this.block(countdown, PollOut, 'send');
      } catch (error) {
        if (operation.sent > 0) break;
        throw error;
      }
    }
    return operation.sent;
  }

  /** @internal How many entries have gone, or null when none could. */
  protected trySubmit(out: Outgoing): number | null {
    this.usable();
    const { memory, entries, count } = out;
    const operation = new SendOperation(unawaited, unawaited, memory, entries, count);
    return this.sender.tryOnce(operation) ? operation.sent : null;
  }

  /** @internal */
  protected receive<T>(
    limits: Limits,
    make: (resolve: (value: T) => void, reject: (error: unknown) => void) => ReceiveOperation<T>,
  ): Promise<T> {
    return (
      this.refusal(limits) ??
      new Promise((resolve, reject) => {
        this.receiver.submit(make(resolve, reject) as ReceiveOperation, limits);
      })
    );
  }

  /** @internal */
  protected tryReceive<T>(operation: ReceiveOperation<T>, verb: string): T | null {
    this.usable();
    return this.receiver.tryOnce(operation as ReceiveOperation, verb) ? operation.result : null;
  }

  /** @internal */
  protected receiveSync<T>(
    operation: ReceiveOperation<T>,
    options: SyncOptions | undefined,
    verb: string,
  ): T {
    const countdown = this.countdown(options);
    this.usable();
    while (!this.receiver.tryOnce(operation as ReceiveOperation, verb)) {
      this.block(countdown, PollIn, 'recv');
    }
    return operation.result;
  }

  /** @internal Where a literal, a path, or a name looked up before leads; undefined for others. */
  protected targetOf(host: unknown, port: unknown): Target | undefined {
    if (this.traits.family !== 'unix') return this.names.find(host, port);
    return { address: checkAddress(host, 'unix', 'path'), port: 0 };
  }

  /** @internal */
  protected literalTarget(host: unknown, port: unknown): Target {
    return { address: checkAddress(host, this.traits.family, 'host'), port: port as number };
  }

  /** @internal */
  protected resolve(host: string, port: number, limits: Limits): Promise<Target> {
    return this.names.resolve(host, port, limits);
  }

  /** @internal */
  protected resolveSync(host: string, port: number, timeoutMs: number): Target {
    return this.names.resolveSync(host, port, timeoutMs);
  }

  /** @internal Blocks until one of the poll(2) events holds; throws when the time is over. */
  protected block(countdown: Countdown, events: number, verb: string): void {
    const ready = countdown.waitFor(this.endpoint, events);
    if (ready === -Errno.EBADF) throw closedError();
    if (ready < 0) throw systemError(ready, { syscall: 'poll' });
    if (ready === 0) throw new TimeoutError(verb, countdown.timeoutMs);
  }

  /** @internal */
  protected checkRoom(size: number | undefined): number {
    return size === undefined ? this.traits.room : checkInteger('size', size, 0, sizeMax);
  }

  private checkWanted(what: unknown): number | Uint8Array {
    if (what === undefined) return this.traits.room;
    if (typeof what === 'number') return checkInteger('size', what, 1, sizeMax);
    if (!types.isUint8Array(what)) throw invalidType('size', 'a number or a Uint8Array', what);
    checkViews([what]);
    return what;
  }

  /** @internal How many bytes. With a segment size, in segments. */
  protected async sendOne(
    bytes: Uint8Array,
    target: Target | undefined,
    limits: Limits,
    segment = 0,
  ): Promise<number> {
    const { length } = bytes;
    await this.submit(outgoing(bytes, target, this.traits, segment), limits);
    return length;
  }

  private sendOneSync(bytes: Uint8Array, target: Target | undefined, countdown: Countdown): number {
    const { length } = bytes;
    this.submitSync(outgoing(bytes, target, this.traits), countdown);
    return length;
  }

  private trySendOne(bytes: Uint8Array, target: Target | undefined): number | null {
    const { length } = bytes;
    return this.trySubmit(outgoing(bytes, target, this.traits)) === null ? null : length;
  }

  /** @internal Looks the name up, and sends; how many bytes. With a segment size, in segments. */
  protected async sendToName(
    bytes: Uint8Array,
    host: string,
    port: number,
    limits: Limits,
    segment = 0,
  ): Promise<number> {
    const { length } = bytes;
    const countdown = new Countdown(limits.timeoutMs);
    const target = await this.resolve(host, port, limits);
    const rest = { signal: limits.signal, timeoutMs: countdown.leftMs };
    const refusal = this.refusal(rest);
    if (refusal !== undefined) return refusal;
    if (bytes.length < length) throw detachedError();
    return this.sendOne(bytes, target, rest, segment);
  }
}

export function nothing(): void {}

function receiveOf(
  wanted: number | Uint8Array,
  resolve: (value: never) => void,
  reject: (error: unknown) => void,
): ReceiveOperation<Buffer | number> {
  const settle = resolve as (value: Buffer | number) => void;
  return typeof wanted === 'number'
    ? new DataOperation(settle, reject, wanted, false)
    : (new ScatterOperation(settle, reject, [wanted], false) as ReceiveOperation<Buffer | number>);
}

function checkViews(value: unknown): readonly Uint8Array[] {
  const views = checkArray('views', value, 'an array of Uint8Array');
  checkInteger('views.length', views.length, 1, partsMax);
  for (const [index, view] of views.entries()) {
    if (!types.isUint8Array(view)) throw invalidType(`views[${index}]`, 'a Uint8Array', view);
    if (view.length === 0) {
      throw invalidType(`views[${index}]`, 'a Uint8Array with at least one byte', view);
    }
  }
  return views as Uint8Array[];
}

/** The bytes of one datagram behind one another: shorter than what several places would cost. */
function joined(parts: unknown): Buffer {
  const checked = checkArray('parts', parts, 'an array of strings and Uint8Arrays');
  checkInteger('parts.length', checked.length, 1, partsMax);
  return Buffer.concat(checked.map((part, index) => toBytes(part, `parts[${index}]`)));
}
