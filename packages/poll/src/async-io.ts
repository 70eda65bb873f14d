import {
  AbortError,
  type Data,
  type ListeningSocket,
  type Socket,
  type StreamSocket,
} from '@sock/core';
import * as native from '@sock/native';
import type { Accepting, AsyncBackend, Engine, Reading, Source } from './async-engine.js';
import { alreadyRegistered, asyncClosedError, cancelledError } from './async-errors.js';
import { Flow } from './async-flow.js';
import type { Line } from './async-line.js';
import { Lines } from './async-lines.js';
import { checkListener, checkStream } from './async-loans.js';
import { type AnyLine, Request, type RequestCallback } from './async-request.js';
import { closeRingWhenForgotten, ringNotForgotten } from './forgotten.js';
import { openEngine, ringIsAvailable } from './open-engine.js';

const { binding, checkBoolean, checkFunction, checkInteger, checkOneOf, checkOptions } = native;
const { checkSignal, defer, invalidValue, toBytes } = native;

/** What can be chosen when an AsyncIO is made. */
export interface AsyncIOOptions {
  /**
   * Requests that io_uring takes by one system call, 1 to 4096; the kernel rounds up to a power of
   * two. More of them are no error, but a system call more. Default 1024. Elsewhere it says
   * nothing.
   */
  entries?: number | undefined;
  /**
   * `'io_uring'`, `'kqueue'` or `'edge-triggered'`. The default is io_uring where kernel and
   * sandbox allow it, else what this platform has. What is not there throws `ERR_SOCK_UNSUPPORTED`.
   */
  backend?: AsyncBackend | undefined;
}

/** Limits of a receive, or of an iteration. */
export interface AsyncRecvOptions {
  /**
   * Asks for an end: it settles with what happened, bytes that came in the same moment included, or
   * with `AbortError`.
   */
  signal?: AbortSignal | undefined;
}

/** How something is sent. */
export interface AsyncSendOptions extends AsyncRecvOptions {
  /**
   * Sends from {@link AsyncIO.registerMemory} without a copy, where kernel and network can do that;
   * it is done when the memory may be written again. Default `false`.
   */
  zeroCopy?: boolean | undefined;
}

const entriesDefault = 1024;
const entriesMax = 4096;
const sizeDefault = 64 * 1024;
const sizeMax = 2 ** 31 - 1;
const registeredMax = 2 ** 30;
const backends: readonly AsyncBackend[] = ['io_uring', 'kqueue', 'edge-triggered'];

/**
 * Sends, receives and accepts that are submitted now and complete later, all that was submitted in
 * a turn of the event loop by one system call: io_uring, where kernel and sandbox allow it. Where
 * they do not, the same requests are carried out by readiness, with the same results;
 * {@link backendName} tells.
 *
 * - Every request calls back exactly once: done, failed, or cancelled; never before the call that
 *   submits it has returned. Callbacks run together, once per turn of the event loop.
 * - A transfer may be short, as with `send` and `recv` of a socket. What is sent was copied when
 *   the call returns.
 * - A socket stays its owner's. While requests wait, its own verbs for that direction are refused
 *   with `ERR_SOCK_BUSY`, and requests are while those wait. Closing the socket ends its requests
 *   with `ERR_SOCK_CLOSED`.
 * - Requests of one direction of a socket are carried out in the order of their submission, one
 *   after the other. The event loop is kept alive while they wait, unless the socket is `unref`ed.
 * - A stream that is no `Socket` of `@sock/core`, TLS say, is served through its own verbs.
 *
 * It belongs to the thread that made it. A wrong argument throws a TypeError or RangeError that
 * names it. What the socket itself would have failed with is the same error here; everything else
 * is an `AsyncIOError`.
 *
 * @example
 * ```ts
 * await using io = new AsyncIO();
 * for await (const chunk of io.receives(socket)) await io.send(socket, chunk);
 * ```
 * @see io_uring(7)
 */
export class AsyncIO {
  /** What carries out the requests. */
  readonly backendName: AsyncBackend;
  readonly #engine: Engine;
  readonly #lines: Lines;
  readonly #requests = new Map<number, Request>();
  readonly #flows = new Set<{ stop(reason: Error): void }>();
  #settled: Request[] = [];
  #isScheduled = false;
  readonly #processSettled = (): void => {
    this.#isScheduled = false;
    this.#callBack(Number.POSITIVE_INFINITY);
  };
  readonly #onSettled = (request: Request): void => {
    this.#requests.delete(request.id);
    this.#settled.push(request);
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      queueMicrotask(this.#processSettled);
    }
    request.line.onSettled(request);
  };
  #lastId = 0;
  #memory: ArrayBuffer | null = null;
  #closed = false;
  #idle: native.Deferred<void> | null = null;

  /**
   * @throws TypeError or RangeError for a wrong option; `AsyncIOError` with `ERR_SOCK_UNSUPPORTED`
   * for a backend that is not here, `EMFILE`, `ENFILE`.
   */
  constructor(options?: AsyncIOOptions) {
    const { entries = entriesDefault, backend } = checkOptions<AsyncIOOptions>(options, [
      'entries',
      'backend',
    ]);
    checkInteger('options.entries', entries, 1, entriesMax);
    if (backend !== undefined) checkOneOf('options.backend', backend, backends);
    const { engine, ring } = openEngine(backend, entries);
    this.#engine = engine;
    this.#lines = new Lines(engine);
    this.backendName = engine.name;
    if (ring >= 0) closeRingWhenForgotten(this, ring);
  }

  /**
   * Whether io_uring can be had here: Linux 6.1 or later, and no sandbox or policy that forbids it
   * (`kernel.io_uring_disabled`, the seccomp profiles of container runtimes). It is asked for anew
   * each time.
   */
  static get isAvailable(): boolean {
    return ringIsAvailable();
  }

  /** Whether {@link close} was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Requests that have not come to their end, iterations that go on included. */
  get pending(): number {
    return this.#requests.size + this.#flows.size;
  }

  /**
   * Sends what the kernel takes.
   *
   * @param socket A connected stream.
   * @param data Bytes, or a string sent as UTF-8; copied when this returns, unless `zeroCopy`.
   * @param options `signal`, `zeroCopy`.
   * @returns The count of bytes taken, 0 only for empty data. A send that waits in the kernel takes
   * all of it as a rule.
   *
   * Rejects with what `send` of the socket would (`EPIPE`, `ECONNRESET`, `ENOTCONN`,
   * `ERR_SOCK_CLOSED`), with `AbortError`, and with `ERR_SOCK_BUSY` while a send of the socket's
   * own waits. `AsyncIOError`: `ERR_SOCK_CLOSED` when this is closed, `ECANCELED`.
   * @see io_uring_enter(2), IORING_OP_SEND, IORING_OP_SEND_ZC
   */
  send(socket: StreamSocket, data: Data, options?: AsyncSendOptions): Promise<number> {
    const stream = checkStream(socket);
    const bytes = toBytes(data);
    const { signal, zeroCopy } = this.#sendOptions(options, bytes);
    return this.#promise<number>(signal, (callback) => {
      return this.#add(this.#lines.writing(stream), bytes, zeroCopy, callback, false);
    });
  }

  /**
   * Receives 1 to `size` bytes.
   *
   * @param socket A connected stream.
   * @param size 1 to 2^31−1; default 65,536. io_uring brings 16 KiB at a time at most.
   * @param options `signal`.
   * @returns A fresh Buffer.
   *
   * Rejects with what `recv` of the socket would (`ERR_SOCK_EOF` at the peer's orderly end,
   * `ECONNRESET`, `ENOTCONN`, `ERR_SOCK_CLOSED`), with `AbortError`, and with `ERR_SOCK_BUSY` while
   * a receive of the socket's own, or an iteration, waits. `AsyncIOError`: `ERR_SOCK_CLOSED` when
   * this is closed, `ECANCELED`.
   * @see io_uring_enter(2), IORING_OP_RECV
   */
  recv(socket: StreamSocket, size = sizeDefault, options?: AsyncRecvOptions): Promise<Buffer> {
    const stream = checkStream(socket);
    checkInteger('size', size, 1, sizeMax);
    const signal = signalOf(options);
    return this.#promise<Buffer>(signal, (callback) => {
      return this.#add(this.#lines.reading(stream), size, false, callback, false);
    });
  }

  /**
   * {@link send} with a callback.
   *
   * @param callback Called once, in the asynchronous context of this call, with the error or the
   * count. What it throws becomes an uncaught exception, and disturbs no other request.
   * @param options `zeroCopy`.
   * @returns The id of the request, for {@link cancel}: 1 and counting.
   * @throws What keeps the request from being made, and it is not called back then: what
   * {@link send} rejects with at once.
   */
  submitSend(
    socket: StreamSocket,
    data: Data,
    callback: (error: Error | null, sent: number | null) => void,
    options?: Pick<AsyncSendOptions, 'zeroCopy'>,
  ): number {
    const stream = checkStream(socket);
    const bytes = toBytes(data);
    checkFunction('callback', callback);
    const checked = checkOptions<AsyncSendOptions>(options, ['zeroCopy']);
    const { zeroCopy } = this.#sendOptions(checked, bytes);
    return this.#add(this.#lines.writing(stream), bytes, zeroCopy, callback, true).id;
  }

  /**
   * {@link recv} with a callback.
   *
   * @param callback As for {@link submitSend}; with the error or the bytes.
   * @returns The id of the request, for {@link cancel}: 1 and counting.
   * @throws As {@link submitSend}.
   */
  submitRecv(
    socket: StreamSocket,
    size: number,
    callback: (error: Error | null, chunk: Buffer | null) => void,
  ): number {
    const stream = checkStream(socket);
    checkInteger('size', size, 1, sizeMax);
    checkFunction('callback', callback);
    return this.#add(this.#lines.reading(stream), size, false, callback, true).id;
  }

  /**
   * Iterates over the connections of a listener. Its request goes on (multishot), so that nobody
   * has to ask for the next one; up to 64 connections wait for the reader.
   *
   * Ends when the listener is closed. Leaving the loop closes nothing: connections that nobody took
   * go to the listener's next `accept`. Rejects as `accept` of the socket does, with `AbortError`,
   * and, when this is closed, with `AsyncIOError` (`ERR_SOCK_CLOSED`). Out of descriptors, it goes
   * on after a pause, with one process warning.
   *
   * @param listener A listening socket; its own accepts are refused meanwhile.
   * @param options `signal`.
   */
  accepts(
    listener: Socket | ListeningSocket,
    options?: AsyncRecvOptions,
  ): AsyncIterableIterator<Socket> {
    const socket = checkListener(listener);
    const isUnix = socket.family === 'unix';
    const line = this.#lines.accepting(socket);
    return this.#iterate<Socket, Accepting>(
      line,
      signalOf(options),
      (loan, sink) => this.#engine.accepts(loan, sink, isUnix),
      (loan, unread) => {
        if (socket.fd >= 0) loan.putBack(unread);
        else for (const connection of unread) connection.close();
      },
    );
  }

  /**
   * Iterates over what a stream receives, until the peer's orderly end. Its request goes on
   * (multishot), so that nobody has to ask for the next chunk, and no memory is taken while it
   * waits. Up to 256 KiB, or 64 chunks, wait for the reader; then the peer is held up.
   *
   * Leaving the loop loses no bytes: those that nobody read go to the socket's next receive.
   * Rejects as {@link recv} does, but for the end, which only ends the iteration.
   *
   * @param socket A connected stream; its own receives are refused meanwhile.
   * @param options `signal`.
   */
  receives(socket: StreamSocket, options?: AsyncRecvOptions): AsyncIterableIterator<Buffer> {
    const line = this.#lines.reading(checkStream(socket));
    return this.#iterate<Buffer, Reading>(
      line,
      signalOf(options),
      (loan, sink) => this.#engine.receives(loan, sink),
      (loan, unread) => {
        if (unread.length > 0) loan.putBack(Buffer.concat(unread));
      },
    );
  }

  /**
   * Asks for the end of a request. It is called back all the same: with what it has done, where
   * that came first, else with `AsyncIOError` (`ECANCELED`).
   *
   * @returns False when there is no such request, or it was over.
   */
  cancel(id: number): boolean {
    checkInteger('id', id, 0, Number.MAX_SAFE_INTEGER);
    const request = this.#requests.get(id);
    if (request === undefined) return false;
    request.stop(cancelledError());
    return true;
  }

  /**
   * Submits what waits, and calls back what has come to its end, now: for who keeps the event loop
   * from doing it. Promises settle too, those of sockets as well.
   *
   * @param max The most callbacks to run, 1 to 2^53−1; default all there are.
   * @returns How many ran.
   */
  processCompletions(max?: number): number {
    const most = max === undefined ? Number.POSITIVE_INFINITY : max;
    if (max !== undefined) checkInteger('max', max, 1, Number.MAX_SAFE_INTEGER);
    this.#engine.flush();
    binding.turn();
    return this.#callBack(most);
  }

  /**
   * Memory from which can be sent with `zeroCopy`: all of it, or any part.
   *
   * @param size Bytes, 1 to 2^30. The kernel pins them, and counts them to `RLIMIT_MEMLOCK` unless
   * the process has CAP_IPC_LOCK. Once.
   * @returns Zeroed. It stays valid when this is closed.
   * @throws `AsyncIOError`: `ENOMEM`; `ERR_SOCK_BUSY` the second time; `ERR_SOCK_CLOSED`.
   */
  registerMemory(size: number): Buffer {
    checkInteger('size', size, 1, registeredMax);
    if (this.#closed) throw asyncClosedError();
    if (this.#memory !== null) throw alreadyRegistered();
    this.#memory = this.#engine.register(size);
    return Buffer.from(this.#memory);
  }

  /**
   * Cancels what is pending and takes no more; returns at once. Requests are called back with
   * `ERR_SOCK_CLOSED`, or with what they have done; iterations reject. Descriptor and memory of the
   * ring go with the last of them. Sockets stay open. Again: does nothing.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // From behind, so that none is begun because the one ahead of it has ended.
    for (const request of [...this.#requests.values()].reverse()) request.stop(asyncClosedError());
    for (const flow of [...this.#flows]) flow.stop(asyncClosedError());
    ringNotForgotten(this);
    this.#engine.close();
  }

  /** {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** {@link close}, and waits until the last request has been called back. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    if (this.pending === 0 && this.#settled.length === 0) return;
    this.#idle ??= defer<void>();
    await this.#idle.promise;
  }

  #callBack(max: number): number {
    let count = 0;
    // Those that settle meanwhile have their turn too: a socket has a limit of its own.
    for (; count < max; count++) {
      const request = this.#settled.shift();
      if (request === undefined) break;
      request.callBack();
    }
    this.#noteIdle();
    return count;
  }

  #noteIdle(): void {
    if (this.#idle !== null && this.pending === 0 && this.#settled.length === 0) {
      this.#idle.resolve();
    }
  }

  #add(
    line: AnyLine,
    subject: Uint8Array | number,
    isRegistered: boolean,
    callback: RequestCallback,
    keepsContext: boolean,
  ): Request {
    if (this.#closed) throw asyncClosedError();
    const id = ++this.#lastId;
    const request = new Request(
      this.#onSettled,
      line,
      id,
      subject,
      isRegistered,
      callback,
      keepsContext,
    );
    this.#requests.set(id, request);
    try {
      line.add(request);
    } catch (error) {
      this.#requests.delete(id);
      throw error;
    }
    return request;
  }

  #promise<T>(
    signal: AbortSignal | undefined,
    add: (callback: RequestCallback) => Request,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (signal?.aborted) throw new AbortError(signal);
      let onAbort: (() => void) | undefined;
      const request = add((error: Error | null, value: T) => {
        if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
        if (error === null) resolve(value);
        else reject(error);
      });
      if (signal === undefined) return;
      onAbort = () => request.stop(new AbortError(signal));
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  #iterate<T, L extends { end(): void }>(
    line: Line<L>,
    signal: AbortSignal | undefined,
    makeSource: (loan: L, sink: Flow<T>) => Source,
    giveBack: (loan: L, unread: T[]) => void,
  ): AsyncIterableIterator<T> {
    let loan: L | undefined;
    const onAbort = (): void => {
      if (signal !== undefined) flow.stop(new AbortError(signal));
    };
    const flow: Flow<T> = new Flow<T>({
      open: () => {
        if (this.#closed) throw asyncClosedError();
        if (signal?.aborted) throw new AbortError(signal);
        loan = line.lend(flow);
        this.#flows.add(flow);
        signal?.addEventListener('abort', onAbort, { once: true });
        return makeSource(loan, flow);
      },
      close: (unread) => {
        signal?.removeEventListener('abort', onAbort);
        if (loan !== undefined) giveBack(loan, unread);
        this.#flows.delete(flow);
        line.takeBack();
        this.#noteIdle();
      },
    });
    return flow;
  }

  #sendOptions(options: AsyncSendOptions | undefined, bytes: Uint8Array) {
    if (options === undefined) return noSendOptions;
    const checked = checkOptions<AsyncSendOptions>(options, ['signal', 'zeroCopy']);
    const zeroCopy = checkBoolean('options.zeroCopy', checked.zeroCopy ?? false);
    if (zeroCopy && (this.#memory === null || bytes.buffer !== this.#memory)) {
      const expected = 'must lie in what registerMemory() has returned, for zeroCopy';
      throw invalidValue('data', expected, bytes);
    }
    return { signal: checkSignal(checked.signal, 'options.signal'), zeroCopy };
  }
}

const noSendOptions = { signal: undefined, zeroCopy: false } as const;

function signalOf(options: AsyncRecvOptions | undefined): AbortSignal | undefined {
  if (options === undefined) return undefined;
  const { signal } = checkOptions<AsyncRecvOptions>(options, ['signal']);
  return checkSignal(signal, 'options.signal');
}
