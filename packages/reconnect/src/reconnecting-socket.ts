import { AsyncResource } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { isIP } from 'node:net';
import { types } from 'node:util';
import type { ChunksOptions, Data, OperationOptions, StreamSocket, SyncOptions } from '@sock/core';
import {
  checkBoolean,
  checkFunction,
  checkHost,
  checkInteger,
  checkOptions,
  checkPort,
  toBytes,
} from '@sock/native';
import { connectByCore } from './attempt.js';
import { ChunkIterator } from './chunk-iterator.js';
import type { Connection, Fate } from './connection.js';
import type { ReconnectStateEvent } from './diagnostics.js';
import type { HealthCheck } from './health.js';
import { endedHere, Link, refusalOf } from './link.js';
import { Outbox, type SendVerb } from './outbox.js';
import { checkReconnectOptions, type ReconnectOptions } from './reconnect-options.js';
import { checkPolicy, type ReconnectPolicy } from './reconnect-policy.js';
import type { ReconnectState } from './reconnect-state.js';
import { Alarm, checkLimits, type Limits, Waiters } from './waiters.js';

/** The message of the event `lost`: a connection is over that nobody ended on this side. */
export interface LostEvent extends Fate {
  /** What ended it. */
  readonly error: Error;
  /** How long it was there, in milliseconds. */
  readonly duration: number;
}

/** The events of a {@link ReconnectingSocket}, and what their listeners are given. */
export interface ReconnectEvents {
  /** Every change of state. */
  state: [event: ReconnectStateEvent];
  /** There is a connection; nothing was received from it yet. */
  connected: [socket: StreamSocket];
  /** The connection was lost. */
  lost: [event: LostEvent];
}

const noLimits: Limits = { signal: undefined, timeoutMs: Number.POSITIVE_INFINITY };

/**
 * A connection that comes back.
 *
 * It connects, notices when the connection is lost, also when the peer has vanished without a word,
 * and connects again: after delays that grow, behind a circuit breaker, and one after another where
 * many lost the same host. Sends and receives go through it to the connection that there is.
 *
 * Two connections are two streams: what one has begun, the other does not continue. Bytes that the
 * kernel took are never sent again, so some may be lost with a connection. What must not be, needs
 * an acknowledgement of the application's own; the guide has a pattern.
 *
 * @example
 * ```ts
 * const link = new ReconnectingSocket('logs.example', 6514, { delivery: 'buffer' });
 * link.on('lost', ({ error }) => logger.warn(error.message));
 * await link.connect();
 * await link.sendAll('a line\n');
 * ```
 */
export class ReconnectingSocket extends EventEmitter<ReconnectEvents> {
  /** The host that it connects to. */
  readonly host: string;
  /** Its port. */
  readonly port: number;
  readonly #link: Link;
  /** With `delivery: 'buffer'`: where sends wait. */
  readonly #outbox: Outbox | null;
  readonly #waiters: Waiters<Connection>;

  /**
   * Does not connect yet: see {@link connect}.
   *
   * @param host A name or a literal address, for the connect function. 1 to 255 characters.
   * @param port 1 to 65,535.
   * @param policy When and how it comes back; what is not given is as in
   * `ReconnectPolicy.defaults`.
   * @param options A connect function, a listener, and what is handed in for tests.
   * @throws TypeError, RangeError when an argument is wrong; with `byHand`, `ReconnectError`
   * (`EMFILE`, `ENFILE`).
   */
  constructor(host: string, port: number, policy?: ReconnectPolicy, options?: ReconnectOptions) {
    super();
    this.host = checkHost(host);
    this.port = checkPort(port, 1);
    const { onStateChange, ...given } = checkReconnectOptions(options, host, port);
    const checked = checkPolicy(policy, given.clock, given.random);
    const onChange = AsyncResource.bind(onStateChange ?? (() => {}), 'SOCK_RECONNECT');
    const { clock, isByHand } = given;
    const settings = {
      ...{ ...checked, ...given, host, port },
      breaker: given.breaker ?? checked.breaker,
      connect: given.connect ?? connectByCore,
      isStepped: isByHand && given.connect === undefined && isIP(host) !== 0,
    };
    this.#waiters = new Waiters(clock);
    this.#link = new Link(settings, {
      onConnection: (connection) => this.#onConnection(connection),
      onStateChange: (event) => onChange(event.from, event.to, event),
      onState: (event) => this.emit('state', event),
      onConnected: (socket) => this.emit('connected', socket),
      onOpen: (connection) => this.#outbox?.open(connection),
      onLost: ({ ending, fate, sinceMs }, error, nowMs) => {
        const duration = nowMs - sinceMs;
        this.emit('lost', { ...fate, error: ending ?? error, duration });
      },
    });
    this.#outbox =
      checked.delivery === 'buffer' ? new Outbox(checked.bufferBytesMax, clock, this.#link) : null;
  }

  /** Where it stands. */
  get state(): ReconnectState {
    return this.#link.machine.state;
  }

  /** Whether there is a connection: {@link state} is `'connected'`. */
  get isConnected(): boolean {
    return this.state === 'connected';
  }

  /**
   * The connection that there is; null when there is none. It stays this object's to close, and is
   * another one after each comeback.
   */
  get socket(): StreamSocket | null {
    return this.isConnected ? (this.#link.connection?.socket ?? null) : null;
  }

  /** Attempts since the last success or {@link reset}; the one under way is one of them. */
  get attempts(): number {
    return this.#link.machine.attempts;
  }

  /** Failures in a row, lost connections included. */
  get failures(): number {
    return this.#link.machine.failures;
  }

  /** What failed last; null after a success, {@link reset} or {@link disconnect}. */
  get lastError(): Error | null {
    return this.#link.machine.error;
  }

  /** Bytes of sends that wait for a connection, or for the kernel to take them. */
  get bufferedBytes(): number {
    if (this.#outbox !== null) return this.#outbox.bytes;
    return this.#link.connection?.socket.sendQueueBytes ?? 0;
  }

  /**
   * Begins to connect, if it is disconnected; otherwise only waits with it.
   *
   * @param options `timeout` and `signal` end the wait, not what goes on: {@link disconnect} does.
   * @returns Resolves when there is a connection. Need not be awaited: a rejection that nobody
   * looks at is no error.
   *
   * Rejects with `ReconnectError` (`ERR_SOCK_RECONNECT_EXHAUSTED`) when it gives up,
   * `SocketClosedError` (`ERR_SOCK_CLOSED`) after {@link disconnect} or {@link close},
   * `TimeoutError`, `AbortError`.
   */
  connect(options?: OperationOptions): Promise<void> {
    const connected = this.#connect(checkLimits(options));
    // Unawaited, it tells nobody anything that the events do not.
    connected.catch(() => {});
    return connected;
  }

  /**
   * Ends the connection, or the attempts at one, at once; it can {@link connect} again. What waits
   * is rejected with `ERR_SOCK_CLOSED`. Failures are forgotten here, but not by the breaker, which
   * speaks of the host.
   */
  disconnect(): void {
    this.#link.enter(() => this.#link.machine.disconnect());
  }

  /**
   * As if nothing had ever failed: no attempts, no failures, the breaker closed. If it waits for
   * its delay or the circuit, it tries at once.
   */
  reset(): void {
    if (!this.#link.closed) this.#link.enter(() => this.#link.machine.reset());
  }

  /** {@link disconnect} for good; later calls find it closed. Again: does nothing. */
  close(): void {
    this.#link.close();
  }

  /** {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Replaces the check that is made every `healthCheckInterval`.
   *
   * @param check Says whether the connection is well, by itself or by a promise, within
   * `healthCheckTimeout`. `null`: the default, which looks whether the peer has hung up and reads
   * nothing.
   */
  setHealthCheck(check: HealthCheck | null): void {
    if (check !== null) checkFunction('check', check);
    this.#link.healthCheck = check;
  }

  /**
   * While it connects or waits to, the event loop is kept alive; this is the default. A connection
   * that there is keeps it alive as other sockets do: while an operation waits.
   */
  ref(): this {
    this.#link.keepLoop(true);
    return this;
  }

  /** It no longer keeps the event loop alive while it connects or waits to. */
  unref(): this {
    this.#link.keepLoop(false);
    return this;
  }

  /**
   * With `byHand`, a descriptor that is readable whenever {@link process} has something to do, and
   * while there is something to receive. It stays the same until {@link close}, which closes it:
   * take it out of your poll before. −1 once closed, and where the event loop drives.
   */
  get pollFd(): number {
    return this.#link.pollFd;
  }

  /**
   * With `byHand`: finishes an attempt that has an outcome, notices a connection that has ended,
   * and does what {@link tick} does. It never waits; without anything to do, it does nothing.
   *
   * To a literal address, by the default connect function, none of it needs the event loop, which a
   * worker may block in `waitSync()`. Names and other functions bring their promises along.
   */
  process(): void {
    if (!this.#link.closed) this.#link.process();
  }

  /** With `byHand`: does what time alone makes due: delays, deadlines, checks. */
  tick(): void {
    if (!this.#link.closed) this.#link.tick();
  }

  /** Milliseconds until {@link tick} has something to do: 0 for now, `Infinity` for never. */
  nextTimeoutMs(): number {
    return this.#link.leftMs;
  }

  /**
   * Sends what the kernel takes, as `Socket.send` does.
   *
   * @param data Bytes, or a string sent as UTF-8. Must not be changed before the promise settles.
   * @param options `timeout` and `signal`, for all of the wait.
   *
   * Without a connection: with `delivery: 'fail'` it rejects with `ReconnectError` (`ENOTCONN`);
   * with `'buffer'` it waits for the next one, behind those that wait already, unless it is
   * disconnected.
   *
   * When the connection is lost meanwhile: a send of which the kernel has taken nothing yet waits
   * for the next connection with `'buffer'`, and is sent there whole. Any other rejects with what
   * the connection was lost by (`SocketClosedError` as a rule); `bytesTransferred` are those that
   * the kernel took, `bytesAcknowledged` those of them that reached the peer's kernel, where that
   * can be known. None of them is sent again.
   *
   * Rejects besides as `Socket.send` does; `ERR_SOCK_QUEUE_FULL` also when more than `bufferMax`
   * bytes would wait.
   */
  send(data: Data, options?: OperationOptions): Promise<number> {
    if (this.#outbox !== null) return this.#post('send', data, options) as Promise<number>;
    const { connection } = this.#link;
    if (connection === null) return this.#refuse(data);
    return connection.socket.send(data, options).then(undefined, connection.onFailure);
  }

  /** Sends all of it: {@link send}, resolved once the kernel has taken every byte. */
  sendAll(data: Data, options?: OperationOptions): Promise<void> {
    if (this.#outbox !== null) return this.#post('sendAll', data, options) as Promise<void>;
    const { connection } = this.#link;
    if (connection === null) return this.#refuse(data);
    return connection.socket.sendAll(data, options).then(undefined, connection.onFailure);
  }

  /**
   * Blocks this thread's event loop: {@link send}, waiting up to `timeout`. Without a connection it
   * throws `ENOTCONN`, whatever the delivery: blocked, it would not come back.
   */
  sendSync(data: Data, options?: SyncOptions): number {
    return this.#withSocket((socket) => socket.sendSync(data, options));
  }

  /** Blocks this thread's event loop: {@link sendAll}, as {@link sendSync} does. */
  sendAllSync(data: Data, options?: SyncOptions): void {
    this.#withSocket((socket) => socket.sendAllSync(data, options));
  }

  /**
   * How many bytes were taken without waiting, or `null` when none could be. Without a connection
   * it throws `ENOTCONN`, or with `delivery: 'buffer'` returns `null`.
   */
  trySend(data: Data): number | null {
    toBytes(data);
    const { connection, comesBack } = this.#link;
    if (this.#outbox !== null && comesBack) {
      if (connection === null || !this.#outbox.isEmpty) return null;
    }
    return this.#withSocket((socket) => socket.trySend(data));
  }

  /**
   * Receives as `Socket.recv` does, from the connection that there is.
   *
   * Without one: with `delivery: 'fail'` it rejects with `ReconnectError` (`ENOTCONN`); with
   * `'buffer'` it waits for the next, unless it is disconnected. When the connection is lost
   * meanwhile it rejects with what it was lost by (`ERR_SOCK_EOF` at the peer's orderly end): what
   * comes next is another stream.
   */
  recv(size?: number, options?: OperationOptions): Promise<Buffer>;
  recv(view: Uint8Array, options?: OperationOptions): Promise<number>;
  recv(what?: number | Uint8Array, options?: OperationOptions): Promise<Buffer | number> {
    const { connection } = this.#link;
    if (connection === null) {
      if (!types.isUint8Array(what)) checkSize(what ?? 1);
      return this.#later(options, (rest) => this.recv(what as number, rest));
    }
    // One signature for the overloads, which give what they are given on.
    const receive = connection.socket.recv as (
      what: number | Uint8Array | undefined,
      options: OperationOptions | undefined,
    ) => Promise<Buffer | number>;
    return receive.call(connection.socket, what, options).then(undefined, connection.onFailure);
  }

  /** Receives exactly `size` bytes of one connection: {@link recv}, as `Socket.recvAll` does. */
  recvAll(size: number, options?: OperationOptions): Promise<Buffer> {
    const { connection } = this.#link;
    if (connection === null) {
      checkSize(size);
      return this.#later(options, (rest) => this.recvAll(size, rest));
    }
    return connection.socket.recvAll(size, options).then(undefined, connection.onFailure);
  }

  /** Blocks this thread's event loop: {@link recv}. Without a connection it throws `ENOTCONN`. */
  recvSync(size?: number, options?: SyncOptions): Buffer;
  recvSync(view: Uint8Array, options?: SyncOptions): number;
  recvSync(what?: number | Uint8Array, options?: SyncOptions): Buffer | number {
    return this.#withSocket((socket) => socket.recvSync(what as number, options));
  }

  /**
   * Blocks this thread's event loop: {@link recvAll}. Without a connection it throws `ENOTCONN`.
   */
  recvAllSync(size: number, options?: SyncOptions): Buffer {
    return this.#withSocket((socket) => socket.recvAllSync(size, options));
  }

  /** What is there already, or `null`. Without a connection it throws `ENOTCONN`. */
  tryRecv(size?: number): Buffer | null;
  tryRecv(view: Uint8Array): number | null;
  tryRecv(what?: number | Uint8Array): Buffer | number | null {
    return this.#withSocket((socket) => socket.tryRecv(what as number));
  }

  /**
   * Iterates over what comes, connection after connection, until {@link disconnect} or
   * {@link close}. A chunk never has bytes of two connections; the listeners of `lost` have run
   * after the last chunk of one was handed out, and those of `connected` before the first of the
   * next. Leaving the loop closes nothing.
   *
   * @param options As for `Socket.chunks`: `size`, the most bytes of a chunk, and `reuse`.
   *
   * Rejects with `ReconnectError` when it gives up (`ERR_SOCK_RECONNECT_EXHAUSTED`), or when nobody
   * has called {@link connect} (`ENOTCONN`).
   */
  chunks(options?: ChunksOptions): AsyncIterableIterator<Buffer> {
    const { size, reuse } = checkOptions<ChunksOptions>(options, ['size', 'reuse']);
    if (size !== undefined) checkSize(size, 'options.size');
    if (reuse !== undefined) checkBoolean('options.reuse', reuse);
    return this.#iterate(options);
  }

  /** {@link chunks} with the defaults. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Buffer> {
    return this.#iterate(undefined);
  }

  /**
   * Ends in order: waits until what is buffered has been sent, with the next connection if need be,
   * then ends the connection as `Socket.end` does, and closes.
   *
   * @param options `timeout` and `signal`, for all of it. It is closed in every case.
   */
  async end(options?: OperationOptions): Promise<void> {
    const link = this.#link;
    const limits = checkLimits(options);
    if (link.closed) throw refusalOf(link);
    const alarm = new Alarm(link.clock, limits, 'the end', () => {});
    try {
      if (link.comesBack) await this.#outbox?.drained(limits);
      await link.release()?.end(alarm.rest);
    } finally {
      alarm.disarm();
      this.close();
    }
  }

  /** As {@link end}; once closed, it does nothing. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#link.closed) await this.end();
  }

  async #connect(limits: Limits): Promise<void> {
    const link = this.#link;
    if (link.closed) throw refusalOf(link);
    if (link.connection !== null) return;
    const connected = this.#waiters.wait(limits, 'the connect');
    if (!limits.signal?.aborted) link.enter(() => link.machine.connect());
    await connected;
  }

  #onConnection(connection: Connection | null): void {
    if (connection !== null) {
      this.#waiters.resolve(connection);
      return;
    }
    this.#outbox?.shut();
    if (this.#link.comesBack) return;
    const { machine, closed } = this.#link;
    const error = machine.error ?? endedHere(closed);
    this.#outbox?.refuseAll(error);
    this.#waiters.reject(error);
  }

  #iterate(options: ChunksOptions | undefined): ChunkIterator {
    const link = this.#link;
    const source = {
      get connection() {
        return link.connection;
      },
      nextConnection: () => this.#nextConnection(),
    };
    return new ChunkIterator(source, options);
  }

  async #nextConnection(): Promise<Connection | null> {
    const { connection, closed, comesBack, machine, hasBegun } = this.#link;
    if (connection !== null) return connection;
    if (!comesBack) {
      if (closed || (machine.error === null && hasBegun)) return null;
      throw refusalOf(this.#link);
    }
    try {
      return await this.#waiters.wait(noLimits, 'the iteration');
    } catch (error) {
      if (this.#link.machine.error === null) return null;
      throw error;
    }
  }

  #post(
    verb: SendVerb,
    data: Data,
    options: OperationOptions | undefined,
  ): Promise<number | undefined> {
    const bytes = toBytes(data);
    const limits = options === undefined ? noLimits : checkLimits(options);
    if (this.#outbox === null || !this.#link.comesBack) return Promise.reject(this.#refusal());
    return this.#outbox.submit(verb, bytes, limits);
  }

  #refuse(data: Data): Promise<never> {
    toBytes(data);
    return Promise.reject(this.#refusal());
  }

  #refusal(): Error {
    return refusalOf(this.#link);
  }

  /** What needs a connection, when there is one, with what is left of its limits. */
  #later<T>(
    options: OperationOptions | undefined,
    run: (rest: OperationOptions | undefined) => Promise<T>,
  ): Promise<T> {
    const limits = checkLimits(options);
    if (this.#outbox === null || !this.#link.comesBack) return Promise.reject(this.#refusal());
    const startMs = this.#link.clock.now();
    return this.#waiters.wait(limits, 'the receive').then(() => {
      if (options === undefined) return run(undefined);
      const spentMs = this.#link.clock.now() - startMs;
      const timeout =
        options.timeout === undefined ? undefined : Math.max(0, limits.timeoutMs - spentMs);
      return run({ signal: limits.signal, timeout });
    });
  }

  /** For what cannot wait for a connection. */
  #withSocket<T>(run: (socket: StreamSocket) => T): T {
    const { connection } = this.#link;
    if (connection === null) throw this.#refusal();
    try {
      return run(connection.socket);
    } catch (error) {
      connection.noticeFailure(error);
      throw connection.explain(error);
    }
  }
}

function checkSize(value: unknown, name = 'size'): void {
  checkInteger(name, value, 1, 2 ** 31 - 1);
}
