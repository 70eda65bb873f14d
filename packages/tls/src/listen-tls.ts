/**
 * A listener whose connections are ready to be spoken over.
 *
 * Theory of operation. Connections are accepted while handshakes may begin, and each makes its own,
 * beside all others: whoever is slow, or says nothing, holds up nobody, and is dropped when its
 * time is over. What is done waits here until it is taken. Both together are limited; whoever comes
 * beyond that waits in the kernel's backlog.
 */
import {
  AbortError,
  type ListeningSocket,
  type ListenOptions,
  listen,
  type OperationOptions,
  type Socket,
  SocketClosedError,
  withLimits,
} from '@sock/core';
import {
  checkInteger,
  checkLimits,
  checkTimeout,
  type Guard,
  invalidType,
  iterationEnd,
  type Limits,
  noLimits,
  outOfRange,
  StepIterator,
} from '@sock/native';
import { checkContext, type TlsContext } from './context.js';
import { TlsSocket } from './tls-socket.js';

/** Where to listen, with what, and how long a client may take. */
export interface ListenTlsOptions extends ListenOptions {
  /** One for servers. What is changed there counts for connections that begin afterwards. */
  context: TlsContext;
  /** Milliseconds that a handshake may take, above 0. Default 30,000; `Infinity`: no limit. */
  handshakeTimeout?: number | undefined;
  /**
   * How many connections may be at their handshakes, or done and not taken, an integer from 1 to
   * 2^53−1. Default 1,024. The next ones wait in the kernel's backlog.
   */
  maxHandshakes?: number | undefined;
  /**
   * Hears of a handshake that has failed; the socket is closed already. What it throws is thrown
   * where nobody waits.
   */
  onError?: ((error: unknown, socket: Socket) => void) | undefined;
}

const handshakeTimeoutDefaultMs = 30_000;
const handshakesMaxDefault = 1_024;
/** Each begins a handshake, for which everybody else has to wait. */
const acceptsPerTurn = 2;

/**
 * Listens as `listen` of `@sock/core` does, with the same options, at once.
 *
 * @param options Those of `listen`, with `context`, `handshakeTimeout`, `maxHandshakes`, `onError`.
 * @throws What `listen` throws; TypeError, RangeError when an option is wrong.
 * @example
 * ```ts
 * const context = TlsContext.server({ cert: 'server.pem', key: 'server.key' });
 * for await (const socket of listenTls({ port: 8443, context })) serve(socket);
 * ```
 */
export function listenTls(options: ListenTlsOptions): TlsListener {
  if (options === undefined) throw invalidType('options', 'an object', options);
  const { context, handshakeTimeout, maxHandshakes, onError, ...rest } = options;
  checkContext('options.context', context, true);
  const timeoutMs = handshakeTimeout ?? handshakeTimeoutDefaultMs;
  if (checkTimeout(timeoutMs, 'options.handshakeTimeout') === 0) {
    throw outOfRange('options.handshakeTimeout', '> 0, or Infinity', handshakeTimeout);
  }
  const most = maxHandshakes ?? handshakesMaxDefault;
  checkInteger('options.maxHandshakes', most, 1, Number.MAX_SAFE_INTEGER);
  if (onError !== undefined && typeof onError !== 'function') {
    throw invalidType('options.onError', 'a function', onError);
  }
  const limits = { signal: undefined, timeoutMs };
  return new TlsListener(listen(rest), { context, limits, handshakesMax: most, onError });
}

interface Settings {
  readonly context: TlsContext;
  readonly limits: Limits;
  readonly handshakesMax: number;
  readonly onError: ((error: unknown, socket: Socket) => void) | undefined;
}

interface Waiting {
  take(socket: TlsSocket): void;
  fail(error: unknown): void;
}

/**
 * What {@link listenTls} makes: yields connections whose handshake is done.
 *
 * Nothing is accepted before somebody asks. From then on handshakes are made whether somebody waits
 * or not, and the event loop is kept alive until {@link TlsListener.close}, unless
 * `listener.unref()` was called.
 */
export class TlsListener implements AsyncIterable<TlsSocket> {
  /** The socket below, for its address and options. */
  readonly listener: ListeningSocket;
  private readonly settings: Settings;
  private readonly shaking = new Set<Socket>();
  private readonly done: TlsSocket[] = [];
  private readonly waiting: Waiting[] = [];
  /** @internal As {@link guardedBy} has it. */
  guard: Guard | null = null;
  /** Lets the socket below go on; null until somebody has asked. */
  private goOn: (() => void) | null = null;
  /** Nothing is accepted before the next one asks. */
  private isStopped = true;
  /** Nothing is accepted before {@link noteRoom}. */
  private isFull = false;
  private isClosed = false;

  /** @internal */
  constructor(listener: ListeningSocket, settings: Settings) {
    this.listener = listener;
    this.settings = settings;
    listener.whenClosed(() => {
      this.isClosed = true;
      this.fail(closedListener());
    });
  }

  /** As `localAddress` of the socket below; undefined once closed. */
  get localAddress(): string | undefined {
    return this.isClosed ? undefined : this.listener.localAddress;
  }

  /** As `localPort` of the socket below; undefined once closed. */
  get localPort(): number | undefined {
    return this.isClosed ? undefined : this.listener.localPort;
  }

  /**
   * The next connection whose handshake is done; those that came first need not be first.
   *
   * @param options `timeout` (ms, default none) and `signal`; neither loses a connection.
   *
   * Rejects with `SocketClosedError` (`ERR_SOCK_CLOSED`), `TimeoutError`, `AbortError`.
   */
  accept(options?: OperationOptions): Promise<TlsSocket> {
    const limits = checkLimits(options, noLimits);
    if (this.isClosed) return Promise.reject(closedListener());
    if (limits.signal?.aborted) return Promise.reject(new AbortError(limits.signal));
    const next = this.takeDone();
    if (next !== null) return Promise.resolve(next);
    return withLimits<TlsSocket>(limits, 'accept', (take, fail) => {
      const waiting = { take, fail };
      this.wait(waiting);
      return () => {
        const index = this.waiting.indexOf(waiting);
        if (index >= 0) this.waiting.splice(index, 1);
      };
    });
  }

  /**
   * @internal For pools: from now on who may not come in is reset before it has a handshake, or a
   * socket. Handshakes do not wait for who asks, so the guard stays, whoever does.
   */
  guardedBy(guard: Guard): this {
    if (guard !== this.guard) {
      this.guard = guard;
      if (!this.isStopped) this.goOn?.();
    }
    return this;
  }

  /** Yields connections until the listener is closed; leaving the loop does not close it. */
  [Symbol.asyncIterator](): AsyncIterableIterator<TlsSocket> {
    return new StepIterator<TlsSocket>(() => this.nextStep());
  }

  /**
   * Closes the listener, and connections that nobody has taken; those that were taken go on. Who
   * waits is rejected with `ERR_SOCK_CLOSED`, an iteration ends. Again: does nothing.
   */
  close(): void {
    if (this.isClosed) return;
    this.listener.close();
    for (const socket of [...this.shaking]) socket.close();
    for (const socket of this.done.splice(0)) socket.close();
  }

  /** @internal For the listener below: connections that may begin their handshakes in this turn. */
  get room(): number {
    const left = this.settings.handshakesMax - this.shaking.size - this.done.length;
    return Math.max(0, Math.min(left, acceptsPerTurn));
  }

  /** @internal For the listener below. */
  take(socket: Socket): void {
    this.shake(socket);
    this.isFull = this.room === 0;
  }

  /** @internal For the listener below. */
  fail(error: unknown): void {
    this.isStopped = true;
    for (const waiting of this.waiting.splice(0)) waiting.fail(error);
  }

  /** {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  private nextStep(): Promise<IteratorResult<TlsSocket, undefined>> {
    if (this.isClosed) return Promise.resolve(iterationEnd);
    const next = this.takeDone();
    if (next !== null) return Promise.resolve({ value: next, done: false });
    return new Promise((resolve, reject) => {
      this.wait({
        take: (value) => resolve({ value, done: false }),
        fail: (error) => (this.isClosed ? resolve(iterationEnd) : reject(error)),
      });
    });
  }

  private wait(waiting: Waiting): void {
    this.waiting.push(waiting);
    this.run();
  }

  private takeDone(): TlsSocket | null {
    const next = this.done.shift() ?? null;
    if (next !== null) this.noteRoom();
    return next;
  }

  /** From now on, until the listener is closed, whoever asks. */
  private run(): void {
    if (!this.isStopped) return;
    this.isStopped = false;
    if (this.goOn === null) this.goOn = this.listener.acceptInto(this);
    else this.goOn();
  }

  private noteRoom(): void {
    if (!this.isFull || this.room === 0) return;
    this.isFull = false;
    if (!this.isStopped) this.goOn?.();
  }

  /** Without promises: what nobody waits for needs none. */
  private shake(socket: Socket): void {
    const { context, limits } = this.settings;
    this.shaking.add(socket);
    try {
      const made = TlsSocket.enable(socket, context);
      made.shakeHands(
        limits,
        () => this.deliver(made),
        (error) => void this.drop(socket, error),
      );
    } catch (error) {
      void this.drop(socket, error);
    }
  }

  /** Later: the socket may be closing just now. What `onError` throws, nobody waits for. */
  private async drop(socket: Socket, error: unknown): Promise<void> {
    await undefined;
    socket.close();
    this.leave(socket);
    if (!this.isClosed) this.settings.onError?.(error, socket);
  }

  private leave(socket: Socket): void {
    this.shaking.delete(socket);
    this.noteRoom();
  }

  private deliver(socket: TlsSocket): void {
    const waiting = this.waiting.shift();
    if (waiting !== undefined) waiting.take(socket);
    else if (this.isClosed) socket.close();
    else this.done.push(socket);
    this.leave(socket.socket);
  }
}

function closedListener(): SocketClosedError {
  return new SocketClosedError('the listener is closed', { code: 'ERR_SOCK_CLOSED' });
}
