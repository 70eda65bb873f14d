/**
 * A server: a listening socket, and a handler for every connection, each on its own.
 *
 * Theory of operation. One loop accepts, and stops doing so while as many connections are open as
 * may be; whoever comes then waits in the kernel's backlog. A connection counts from its accept
 * until its socket is closed, by the handler, by the server once the promise of the handler has
 * settled, or by anybody else. So the server has nothing to poll: it hears of each close.
 */

import { inspect } from 'node:util';
import {
  checkInteger,
  checkOptions,
  checkSignal,
  checkTimeout,
  invalidType,
  outOfRange,
} from '@sock/native';
import { tellPassedOver } from './diagnostics.js';
import { SocketClosedError, SocketError } from './errors.js';
import { type ListenOptions, listen, listenOptionKeys } from './listen.js';
import type { OperationOptions } from './operation.js';
import { withLimits } from './resolve.js';
import type { ListeningSocket, Socket } from './socket.js';

/** What a handler is told besides its socket. */
export interface Connection {
  /**
   * Aborted when the server drains or closes: the sign for a handler that waits for further
   * requests to wait no longer. The same signal for all connections of a server.
   */
  readonly signal: AbortSignal;
}

/**
 * Serves one connection. A handler that returns a promise has the socket until that settles; then
 * the server ends it in order. One that returns anything else has given the socket to somebody
 * else, who closes it.
 */
export type ConnectionHandler = (socket: Socket, connection: Connection) => unknown;

/** Where to listen, and the limits of the server. */
export interface ServeOptions extends ListenOptions {
  /**
   * The most connections at a time: an integer from 1 to 2^53−1, or `Infinity`, the default. The
   * next ones wait in the backlog of the listener, where nothing of theirs is lost.
   */
  maxConnections?: number | undefined;
  /**
   * Milliseconds that a peer may take to end its side once the handler is done, above 0; then the
   * socket is closed. Default 5,000; `Infinity`: no limit.
   */
  endTimeout?: number | undefined;
  /**
   * Hears of a handler that failed; `socket` is closed already. Without it, what comes of the
   * network (every `SocketError`) is passed over, and anything else is a process warning. What it
   * throws itself is a process warning too.
   */
  onError?: ((error: unknown, socket: Socket) => void) | undefined;
  /** Closes the server, with all of its connections. */
  signal?: AbortSignal | undefined;
}

interface Settings {
  readonly maxConnections: number;
  readonly endTimeoutMs: number;
  readonly onError: (error: unknown, socket: Socket) => void;
  readonly signal: AbortSignal | undefined;
}

const ownKeys = ['maxConnections', 'endTimeout', 'onError', 'signal'] as const;
const endTimeoutDefaultMs = 5_000;

/**
 * Listens, and runs the handler for every connection. A handler that fails takes nobody with it:
 * its own socket is closed, and the error reported.
 *
 * @param options Those of {@link listen}, with `maxConnections`, `endTimeout`, `onError`, `signal`.
 * @param handler Called once per connection, with the socket.
 * @returns The server, which is listening already.
 * @throws What {@link listen} throws; TypeError, RangeError when an argument is wrong.
 * @example
 * ```ts
 * await using server = serve({ port: 7000 }, async (socket) => {
 *   for await (const chunk of socket) await socket.sendAll(chunk);
 * });
 * ```
 */
export function serve(options: ServeOptions, handler: ConnectionHandler): Server {
  if (options === undefined) throw invalidType('options', 'an object', options);
  const checked = checkOptions<ServeOptions>(options, [...listenOptionKeys, ...ownKeys]);
  const settings = checkSettings(checked);
  if (typeof handler !== 'function') throw invalidType('handler', 'a function', handler);
  const entries = Object.entries(checked).filter(
    ([key]) => !(ownKeys as readonly string[]).includes(key),
  );
  const server = new Server(listen(Object.fromEntries(entries)), handler, settings);
  if (settings.signal?.aborted) server.close();
  return server;
}

function checkSettings(options: Partial<ServeOptions>): Settings {
  const { maxConnections = Number.POSITIVE_INFINITY, endTimeout = endTimeoutDefaultMs } = options;
  if (maxConnections !== Number.POSITIVE_INFINITY) {
    checkInteger('options.maxConnections', maxConnections, 1, Number.MAX_SAFE_INTEGER);
  }
  if (checkTimeout(endTimeout, 'options.endTimeout') === 0) {
    throw outOfRange('options.endTimeout', '> 0, or Infinity', endTimeout);
  }
  const { onError = reportFault } = options;
  if (typeof onError !== 'function') throw invalidType('options.onError', 'a function', onError);
  return {
    maxConnections,
    endTimeoutMs: endTimeout,
    onError,
    signal: checkSignal(options.signal),
  };
}

function warn(error: unknown): void {
  const detail = inspect(error);
  process.emitWarning('A connection handler failed', { code: 'SOCK_HANDLER_FAILED', detail });
}

/** A peer that breaks off is everyday's work; what else fails is a mistake in the handler. */
function reportFault(error: unknown): void {
  if (error instanceof SocketError) tellPassedOver(error);
  else warn(error);
}

/** A running server; made by {@link serve}. */
export class Server {
  readonly #listener: ListeningSocket;
  readonly #handler: ConnectionHandler;
  readonly #settings: Settings;
  readonly #open = new Set<Socket>();
  readonly #stopping = new AbortController();
  readonly #connection: Connection = { signal: this.#stopping.signal };
  /** Who waits for a connection to close: the accepting loop, and those who drain. */
  #whenLeft: (() => void)[] = [];
  readonly #finished: Promise<void>;

  /** @internal */
  constructor(listener: ListeningSocket, handler: ConnectionHandler, settings: Settings) {
    this.#listener = listener;
    this.#handler = handler;
    this.#settings = settings;
    settings.signal?.addEventListener('abort', this.#onAbort);
    this.#finished = this.#run();
    // Whoever does not ask how it ended need not handle it.
    this.#finished.catch(() => {});
  }

  /** The address, path or `@name` that it listens at; undefined once it accepts no more. */
  get localAddress(): string | undefined {
    return this.#listener.localAddress;
  }

  /** The port that it listens at; undefined for a Unix socket, and once it accepts no more. */
  get localPort(): number | undefined {
    return this.#listener.localPort;
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#open.size;
  }

  /**
   * Settles when the server accepts no more and the last connection is closed. Rejects with the
   * error of a listener that failed; running out of descriptors is no such failure.
   */
  get finished(): Promise<void> {
    return this.#finished;
  }

  /**
   * Stops in order: takes those connections that already wait in the backlog (as far as
   * `maxConnections` allows), closes the listener, aborts the handlers' `signal`, and waits until
   * the last connection is closed.
   *
   * @param options `timeout` (ms; default none) and `signal`. After either, what is left is closed.
   * @returns How many connections had to be cut off: 0 as a rule. Calling it again waits as well.
   */
  async drain(options?: OperationOptions): Promise<number> {
    const { timeout, signal } = checkOptions<OperationOptions>(options, ['timeout', 'signal']);
    const limits = { timeoutMs: checkTimeout(timeout), signal: checkSignal(signal) };
    this.#takeWaiting();
    this.#stop();
    try {
      limits.signal?.throwIfAborted();
      if (this.#open.size > 0)
        await withLimits<void>(limits, 'drain', (done) => this.#onceEmpty(done));
      return 0;
    } catch {
      const cut = this.#open.size;
      this.close();
      return cut;
    }
  }

  /** Stops at once: closes the listener and every connection. Again: does nothing. */
  close(): void {
    this.#stop();
    for (const socket of [...this.#open]) socket.close();
  }

  /** The listening server keeps the event loop alive; this is the default. */
  ref(): this {
    this.#listener.ref();
    return this;
  }

  /** The listening server no longer keeps the event loop alive; its connections still do. */
  unref(): this {
    this.#listener.unref();
    return this;
  }

  /** {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** {@link drain} without a limit, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  readonly #onAbort = (): void => this.close();

  async #run(): Promise<void> {
    try {
      await this.#acceptAll();
    } finally {
      this.#stop();
      if (this.#open.size > 0) await new Promise<void>((resolve) => this.#onceEmpty(resolve));
      this.#settings.signal?.removeEventListener('abort', this.#onAbort);
    }
  }

  async #acceptAll(): Promise<void> {
    // An iteration takes several connections in a turn, which a limit must not be passed by.
    if (this.#settings.maxConnections === Number.POSITIVE_INFINITY) {
      for await (const socket of this.#listener) this.#take(socket);
      return;
    }
    try {
      for (;;) {
        while (this.#isFull) await new Promise<void>((resolve) => this.#whenLeft.push(resolve));
        const socket = await this.#listener.accept();
        this.#take(socket);
      }
    } catch (error) {
      if (!(error instanceof SocketClosedError)) throw error;
    }
  }

  get #isFull(): boolean {
    return this.#open.size >= this.#settings.maxConnections;
  }

  /** Hands the connection to the handler; never throws. */
  #take(socket: Socket): void {
    this.#open.add(socket);
    socket.whenClosed(() => this.#left(socket));
    try {
      const result = this.#handler(socket, this.#connection);
      if (isThenable(result)) {
        result.then(
          () => this.#end(socket),
          (error: unknown) => this.#fail(socket, error),
        );
      }
    } catch (error) {
      this.#fail(socket, error);
    }
  }

  /** The handler is done: the last bytes are to reach the peer. */
  #end(socket: Socket): void {
    // Who took the connection over, as toDuplex does, ends it too.
    if (socket.isTaken || !this.#open.has(socket)) return;
    socket.end({ timeout: this.#settings.endTimeoutMs }).catch(reportFault);
  }

  #fail(socket: Socket, error: unknown): void {
    socket.close();
    try {
      this.#settings.onError(error, socket);
    } catch (fault) {
      warn(fault);
    }
  }

  #left(socket: Socket): void {
    this.#open.delete(socket);
    if (this.#whenLeft.length === 0) return;
    for (const resume of this.#whenLeft.splice(0)) resume();
  }

  /** Those who connected before the end are served; closing the listener would reset them. */
  #takeWaiting(): void {
    if (this.#stopping.signal.aborted) return;
    try {
      while (!this.#isFull) {
        const socket = this.#listener.acceptWaiting();
        if (socket === null) return;
        this.#take(socket);
      }
    } catch (error) {
      reportFault(error);
    }
  }

  #stop(): void {
    if (this.#stopping.signal.aborted) return;
    this.#listener.close();
    for (const resume of this.#whenLeft.splice(0)) resume();
    this.#stopping.abort();
  }

  /** Runs `done` once no connection is left. Returns what gives up on that. */
  #onceEmpty(done: () => void): () => void {
    let given = false;
    const look = (): void => {
      if (given) return;
      if (this.#open.size === 0) done();
      else this.#whenLeft.push(look);
    };
    look();
    return () => {
      given = true;
    };
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
