import {
  binding,
  Control,
  Errno,
  type Family,
  families,
  PollIn,
  PollOut,
  SocketOption,
  type SocketType,
  types,
} from '@sock/native';
import { Acceptor } from './acceptor.js';
import { inOrder, tryEach } from './addresses.js';
import type { Patience } from './blocking.js';
import { Connector, startConnect } from './connector.js';
import { Endpoint } from './endpoint.js';
import { AbortError, busyError, closedError, SocketError, systemError } from './errors.js';
import { closeWhenForgotten, notForgotten } from './forgotten.js';
import { isIP } from './ip.js';
import { iterationEnd, StepIterator } from './iterators.js';
import { monotonicMs } from './monotonic.js';
import {
  create,
  detailsOf,
  Existing,
  existingOr,
  getOption,
  lastCallError,
  nameOf,
  type SocketName,
  type SocketOptions,
  setOption,
} from './native-socket.js';
import { type Limits, noLimits, type OperationOptions } from './operation.js';
import { resolveHost, resolveHostSync } from './resolve.js';
import { Setup } from './setup.js';
import type { SyncOptions } from './stream-socket.js';
import { checkAddress, checkInetTarget, literalTarget, type Target, unixTarget } from './target.js';
import { defaultTimeouts, setDefaultTimeouts, type Timeouts, withTimeouts } from './timeouts.js';
import { TunableSocket } from './tunable-socket.js';
import {
  checkBoolean,
  checkInteger,
  checkOneOf,
  checkOptions,
  checkPath,
  checkPort,
  invalidType,
  invalidValue,
} from './validate.js';

/** Linux's own limit (net.core.somaxconn) since 5.4; the kernel lowers it where it is smaller. */
export const backlogDefault = 4096;

type State = 'new' | 'connecting' | 'connected' | 'failed' | 'listening';

/** A listening socket, which yields connections when iterated over. */
export type ListeningSocket = Omit<Socket, typeof Symbol.asyncIterator> & AsyncIterable<Socket>;

/**
 * A TCP or Unix-domain socket: not connected yet, connecting, connected, or listening.
 *
 * Most are made by `connect()` and `listen()`; the class is for those who want each step. Its
 * descriptor is non-blocking and close-on-exec from birth, and closed once, by {@link close}, or
 * with a warning when the object was forgotten. While an operation waits the object stays alive,
 * and so does the event loop unless {@link unref} was called.
 *
 * A wrong argument throws a TypeError or RangeError that names it, at the call. On a closed socket
 * every operation throws, or rejects with, `SocketClosedError` (`ERR_SOCK_CLOSED`).
 */
export class Socket extends TunableSocket {
  /** Of its addresses: `'ipv4'`, `'ipv6'` or `'unix'`. */
  readonly family: Family;
  /** `'stream'`, or `'seqpacket'` for a Unix socket that was made so. */
  readonly type: SocketType;
  #state: State = 'new';
  #setup: Setup | null = null;
  #timeouts: Readonly<Timeouts> = defaultTimeouts();

  /**
   * @throws TypeError when an option is wrong; `SocketError` (`EMFILE`, `EAFNOSUPPORT`, …).
   * @see socket(2)
   */
  constructor(options: SocketOptions) {
    const existing = existingOr(options);
    super((owner) => new Endpoint(owner, existing.slot, existing.generation));
    this.family = existing.family;
    this.type = existing.type;
    closeWhenForgotten(this.endpoint);
    if (existing === options) this.#setState('connected');
    if (this.#timeouts.operationTimeout !== Number.POSITIVE_INFINITY) this.#applyTimeouts();
  }

  /**
   * Two connected Unix sockets.
   *
   * @param type `'stream'` (default) or `'seqpacket'`.
   * @throws `SocketError` (`EMFILE`, …).
   * @see socketpair(2)
   */
  static pair(type: SocketType = 'stream'): [Socket, Socket] {
    checkOneOf('type', type, types);
    const slot = binding.pair(types.indexOf(type));
    if (slot < 0) throw systemError(slot, { syscall: 'socketpair' });
    const { control } = binding;
    const second = control[Control.Extra2] as number;
    const generation = control[Control.Extra3] as number;
    return [
      connected(slot, control[Control.Extra] as number, 'unix', type),
      connected(second, generation, 'unix', type),
    ];
  }

  /** The limits that sockets of this thread are made with. */
  static getDefaultTimeouts(): Readonly<Timeouts> {
    return defaultTimeouts();
  }

  /** Changes them for sockets made on this thread from now on; those there are keep theirs. */
  static setDefaultTimeouts(timeouts: Partial<Timeouts>): void {
    setDefaultTimeouts(timeouts);
  }

  /** The limits of this socket. */
  getTimeouts(): Readonly<Timeouts> {
    return this.#timeouts;
  }

  /** Changes the given ones; operations that wait already keep theirs. RangeError for 0 or less. */
  setTimeouts(timeouts: Partial<Timeouts>): void {
    this.#timeouts = withTimeouts(this.#timeouts, timeouts);
    this.#applyTimeouts();
  }

  /** Whether the kernel has a peer for it; false once the connection is broken. */
  get isConnected(): boolean {
    const { slot, generation, closed } = this.endpoint;
    return !closed && this.#state === 'connected' && binding.isConnected(slot, generation) === 1;
  }

  /** Whether it has a local address: a port, a path or an abstract name. */
  get isBound(): boolean {
    return this.localAddress !== undefined;
  }

  /** Whether it listens, as the kernel has it. */
  get isListening(): boolean {
    return !this.endpoint.closed && getOption(this.endpoint, SocketOption.AcceptConn) === 1;
  }

  /** The address, path or `@name`; undefined while there is none. */
  get localAddress(): string | undefined {
    return this.#local?.host;
  }

  /** 1 to 65,535; undefined while there is none, and for a Unix socket. */
  get localPort(): number | undefined {
    return this.#local?.port || undefined;
  }

  /** The peer's address, also after it reset the connection; undefined when there was none. */
  get remoteAddress(): string | undefined {
    return this.#remote?.host;
  }

  /** The peer's port, for as long as {@link remoteAddress} tells; undefined for a Unix socket. */
  get remotePort(): number | undefined {
    return this.#remote?.port || undefined;
  }

  /**
   * Gives the socket its local address.
   *
   * @param host A literal of the socket's family, or `null` for every address of this host.
   * @param port 0 to 65,535; 0 lets the kernel choose.
   * @throws `SocketError` (`EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`, `EINVAL` when bound already);
   * TypeError for a name: look it up first.
   * @see bind(2)
   */
  bind(host: string | null, port: number): void {
    if (host !== null) checkAddress(host, this.family);
    checkPort(port);
    const { slot, generation } = this.#usable();
    if (this.family === 'unix') throw invalidValue('host', 'needs an inet socket', host);
    const family = families.indexOf(this.family);
    const result = binding.bind(slot, generation, host ?? '', port, family);
    if (result < 0) throw lastCallError(result, { address: host ?? undefined, port });
    this.#rare.bound = true;
  }

  /**
   * Gives a Unix socket its path, or its abstract name (`@name`). A socket file that nobody holds
   * any more is replaced; one that somebody does, and any other file, is `EADDRINUSE`.
   *
   * @param path At most 107 bytes.
   * @throws `UnixSocketError` (`EADDRINUSE`, `EACCES`, `ENOENT`, …); RangeError when it is too
   * long.
   * @see unix(7)
   */
  bindUnix(path: string): void {
    checkPath(path);
    const { slot, generation } = this.#usable();
    if (this.family !== 'unix') throw invalidValue('path', 'needs a Unix socket', path);
    const result = binding.bindUnix(slot, generation, path, types.indexOf(this.type));
    if (result < 0) throw lastCallError(result, { path });
    this.#rare.bound = true;
  }

  /**
   * Begins to listen. Needs a bound socket.
   *
   * @param options.backlog Connections that may wait to be accepted, 1 to 2^31−1; default 4096. The
   * kernel lowers it to its own limit.
   * @throws `SocketError` (`EDESTADDRREQ` when not bound, `EADDRINUSE`, `EINVAL`).
   * @see listen(2)
   */
  listen(options?: { backlog?: number | undefined }): void {
    const checked = checkOptions<{ backlog: number }>(options, ['backlog']);
    const backlog = checked.backlog ?? backlogDefault;
    checkInteger('options.backlog', backlog, 1, 2 ** 31 - 1);
    const { slot, generation } = this.#usable();
    const local = this.#local;
    if (local === undefined) {
      throw new SocketError('listen EDESTADDRREQ: the socket is not bound; call bind first', {
        code: 'EDESTADDRREQ',
        syscall: 'listen',
      });
    }
    const result = binding.listen(slot, generation, backlog);
    if (result < 0) throw lastCallError(result, detailsOf(local, this.family));
    this.#setState('listening');
  }

  /**
   * Waits for a connection.
   *
   * @param options `timeout` (ms; default the socket's `operationTimeout`) and `signal`.
   * @returns Concurrent accepts are served in the order of the calls. Out of descriptors, it goes
   * on waiting, with one process warning, and tries again every 100 ms.
   *
   * Rejects with `TimeoutError`, `AbortError`, `SocketClosedError` (`ERR_SOCK_CLOSED`),
   * `SocketError` (`EINVAL` when the socket does not listen).
   * @see accept(2)
   */
  accept(options?: OperationOptions): Promise<Socket> {
    return this.#accept(this.limitsOf(options, this.limits));
  }

  /** Blocks this thread's event loop: {@link accept}, waiting up to `timeout`. */
  acceptSync(options?: SyncOptions): Socket {
    const patience = this.patienceOf(options);
    for (;;) {
      const connection = this.#tryAccept('acceptSync');
      if (connection !== null) return connection;
      patience.wait(this.endpoint, PollIn, 'accept');
    }
  }

  /**
   * A connection, or `null` when none waits. Throws what {@link accept} rejects with, `EMFILE` too,
   * and `ERR_SOCK_BUSY` while an `accept` waits.
   */
  tryAccept(): Socket | null {
    return this.#tryAccept('tryAccept');
  }

  /**
   * Connects to a literal address, or to a name that is looked up first, whose addresses of this
   * socket's family are tried in order.
   *
   * @param options `timeout` (ms, name lookup included; default the socket's `connectTimeout`) and
   * `signal`. After a failure the socket is as new, and may connect again.
   *
   * Rejects with `SocketError` (`ECONNREFUSED`, `EHOSTUNREACH`, `ENETUNREACH`, the kernel's own
   * `ETIMEDOUT`, `EISCONN`, `EALREADY`, …) with `address` and `port`, `TimeoutError`, `AbortError`,
   * `ResolveError`.
   * @see connect(2)
   */
  connect(host: string, port: number, options?: OperationOptions): Promise<void> {
    checkInetTarget(host, port, this.family);
    const limits = this.limitsOf(options, this.#connectLimits);
    if (isIP(host) !== 0) return this.#connect({ address: host, port }, limits);
    return this.#connectByName(host, port, limits);
  }

  /** Blocks this thread's event loop: {@link connect}, waiting up to `timeout`. */
  connectSync(host: string, port: number, options?: SyncOptions): void {
    checkInetTarget(host, port, this.family);
    const patience = this.patienceOf(options, this.#connectLimits);
    if (isIP(host) !== 0) {
      this.#connectSync({ address: host, port }, patience);
      return;
    }
    const limitMs = Math.min(patience.leftMs, this.#timeouts.dnsTimeout);
    tryEach(resolveHostSync(host, this.#inetFamily, limitMs), (address) => {
      this.#connectSync({ address, port }, patience);
    });
  }

  /**
   * Connects without waiting: `true` once connected, `null` while it is under way. Then poll for
   * write readiness and call it again, without arguments. Literal addresses only. Throws what
   * {@link connect} rejects with.
   */
  tryConnect(host?: string, port?: number): true | null {
    const target = host === undefined ? undefined : literalTarget(host, port, this.family);
    const { slot, generation } = this.#usable();
    if (this.#rare.connector !== null) throw busyError('tryConnect', 'a connect');
    let result: number;
    if (target !== undefined) {
      this.#checkConnectable();
      this.#rare.target = target;
      result = startConnect(this.endpoint, target, false);
    } else {
      if (this.#state === 'connected') return true;
      if (this.#state !== 'connecting') throw invalidType('host', 'a string', host);
      result = binding.connectOutcome(slot, generation);
    }
    if (result === -Errno.EINPROGRESS) {
      this.#setState('connecting');
      return null;
    }
    this.#setState(result === 0 ? 'connected' : 'failed');
    if (result < 0) throw systemError(result, { syscall: 'connect', ...this.#rare.target });
    return true;
  }

  /**
   * Connects a Unix socket to a path or an abstract name (`@name`); as {@link connect}, and waits
   * while the listener's backlog is full. Rejects with `UnixSocketError` (`ENOENT`,
   * `ECONNREFUSED`, `EACCES`, …) with `path`.
   */
  connectUnix(path: string, options?: OperationOptions): Promise<void> {
    const target = unixTarget(path, this.family);
    return this.#connect(target, this.limitsOf(options, this.#connectLimits));
  }

  /** Blocks this thread's event loop: {@link connectUnix}, waiting up to `timeout`. */
  connectUnixSync(path: string, options?: SyncOptions): void {
    const target = unixTarget(path, this.family);
    this.#connectSync(target, this.patienceOf(options, this.#connectLimits));
  }

  /** Lets the address be bound while connections of an earlier socket linger. Before bind only. */
  setReuseAddr(on: boolean): void {
    this.#setOption(SocketOption.ReuseAddr, on);
  }

  /** Lets several listeners share the port; the kernel spreads connections. Before bind only. */
  setReusePort(on: boolean): void {
    this.#setOption(SocketOption.ReusePort, on);
  }

  /** Whether an IPv6 listener leaves IPv4 alone. Before bind only; throws `ENOPROTOOPT` on IPv4. */
  setIpv6Only(on: boolean): void {
    this.#setOption(SocketOption.Ipv6Only, on);
  }

  /**
   * On: a small send does not wait for earlier ones to be acknowledged. `ENOTSUP` on Unix sockets.
   */
  setNoDelay(on: boolean): void {
    this.#setOption(SocketOption.NoDelay, on);
  }

  /** Whether TCP_NODELAY is set. Throws `ENOTSUP` for a Unix socket. */
  getNoDelay(): boolean {
    return getOption(this.#usable(), SocketOption.NoDelay) !== 0;
  }

  /**
   * Closes the descriptor at once. What waits is rejected with `ERR_SOCK_CLOSED`; queued sends are
   * dropped (their errors tell how much had gone). Closing again does nothing. To say goodbye in
   * order, use {@link end}.
   */
  close(): void {
    if (this.endpoint.closed) return;
    this.ready = false;
    this.sender?.close();
    notForgotten(this.endpoint);
    this.endpoint.close();
    this.receiver?.close();
    this.#setup?.acceptor?.close();
    this.#setup?.connector?.close();
  }

  /** Connections for a listening socket, chunks for any other. */
  override [Symbol.asyncIterator](): AsyncIterableIterator<Buffer> {
    if (this.#state !== 'listening') return super[Symbol.asyncIterator]();
    this.#accepting().beginIteration();
    const connections = new StepIterator(() => this.#acceptStep());
    // One class for both roles: ListeningSocket is the type under which this is seen.
    return connections as unknown as AsyncIterableIterator<Buffer>;
  }

  get #rare(): Setup {
    this.#setup ??= new Setup();
    return this.#setup;
  }

  /** @internal */
  protected override get joinsSends(): boolean {
    return this.type === 'stream';
  }

  #setState(state: State): void {
    this.#state = state;
    this.ready = state === 'connected';
  }

  #applyTimeouts(): void {
    const { operationTimeout } = this.#timeouts;
    this.limits =
      operationTimeout === Number.POSITIVE_INFINITY
        ? noLimits
        : { signal: undefined, timeoutMs: operationTimeout };
  }

  get #connectLimits(): Limits {
    return { signal: undefined, timeoutMs: this.#timeouts.connectTimeout };
  }

  /** What keeps the socket from accepting. */
  #unlistening(): SocketError | undefined {
    if (this.endpoint.closed) return closedError();
    if (this.#state === 'listening') return undefined;
    return new SocketError('the socket does not listen', { code: 'EINVAL', syscall: 'accept' });
  }

  #accept(limits: Limits): Promise<Socket> {
    const error = this.#unlistening();
    if (error !== undefined) return Promise.reject(error);
    if (limits.signal?.aborted) return Promise.reject(new AbortError(limits.signal));
    return this.#accepting().accept(limits);
  }

  #acceptStep(): Promise<IteratorResult<Socket, undefined>> {
    if (this.endpoint.closed) return Promise.resolve(iterationEnd);
    return this.#accepting().step(this.limits);
  }

  #tryAccept(verb: string): Socket | null {
    const error = this.#unlistening();
    if (error !== undefined) throw error;
    const acceptor = this.#accepting();
    if (acceptor.waiting) throw busyError(verb, 'an accept');
    return acceptor.tryAccept();
  }

  #accepting(): Acceptor<Socket> {
    if (this.#rare.acceptor === null) {
      const { family, type } = this;
      const adopt = (slot: number, generation: number): Socket =>
        connected(slot, generation, family, type);
      this.#rare.acceptor = new Acceptor(this.endpoint, adopt);
      this.endpoint.acceptor = this.#rare.acceptor;
    }
    return this.#rare.acceptor;
  }

  #connect(target: Target, limits: Limits): Promise<void> {
    return this.#connecting(limits, () => this.#attempt(target, limits));
  }

  #connectByName(host: string, port: number, limits: Limits): Promise<void> {
    return this.#connecting(limits, async () => {
      const start = monotonicMs();
      const { signal, timeoutMs } = limits;
      const addresses = await this.#lookUp(host, limits);
      let attempts = 0;
      await inOrder(addresses, timeoutMs, monotonicMs() - start, (address, shareMs) => {
        const share = { signal, timeoutMs: shareMs };
        this.#usable(signal);
        if (attempts++ > 0) this.#renew();
        return this.#attempt({ address, port }, share);
      });
    });
  }

  /** Runs what connects; it is the only one to do so, and ends when the socket is closed. */
  async #connecting(limits: Limits, run: () => Promise<void>): Promise<void> {
    this.#usable(limits.signal);
    this.#checkConnectable();
    this.#setState('connecting');
    try {
      await run();
    } catch (error) {
      this.#setState('failed');
      throw this.endpoint.closed ? closedError() : error;
    }
    if (this.endpoint.closed) throw closedError();
    this.#setState('connected');
  }

  async #attempt(target: Target, limits: Limits): Promise<void> {
    const connector = new Connector(this.endpoint, target);
    this.#rare.connector = connector;
    this.endpoint.connector = connector;
    try {
      await connector.run(limits);
    } finally {
      this.#rare.connector = null;
      this.endpoint.connector = null;
    }
  }

  async #lookUp(host: string, { signal, timeoutMs }: Limits): Promise<string[]> {
    const closing = new AbortController();
    const either =
      signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]);
    this.#rare.connector = { close: () => closing.abort() };
    try {
      return await resolveHost(host, this.#inetFamily, {
        signal: either,
        timeoutMs: Math.min(timeoutMs, this.#timeouts.dnsTimeout),
      });
    } finally {
      this.#rare.connector = null;
    }
  }

  #connectSync(target: Target, patience: Patience): void {
    this.#usable();
    this.#checkConnectable();
    this.#setState('failed');
    let result = startConnect(this.endpoint, target, false);
    while (result !== 0) {
      if (result === -Errno.EINPROGRESS) {
        patience.wait(this.endpoint, PollOut, 'connect', target);
        result = binding.connectOutcome(this.endpoint.slot, this.endpoint.generation);
      } else if (result === -Errno.EAGAIN && 'path' in target) {
        patience.pause(10, 'connect', target);
        result = startConnect(this.endpoint, target, false);
      } else {
        throw systemError(result, { syscall: 'connect', ...target });
      }
    }
    this.#setState('connected');
  }

  #checkConnectable(): void {
    if (this.#state === 'connecting') {
      throw new SocketError('a connect is under way', { code: 'EALREADY', syscall: 'connect' });
    }
    if (this.#state === 'connected' || this.#state === 'listening') {
      throw new SocketError('the socket is in use', { code: 'EISCONN', syscall: 'connect' });
    }
    if (this.#state === 'failed') this.#renew();
  }

  /** As new after a failure. A fresh socket is, everywhere; a bound one must keep its place. */
  #renew(): void {
    if (this.#rare.bound) {
      // Where this is refused, the next attempt says why.
      binding.disconnect(this.endpoint.slot, this.endpoint.generation);
      return;
    }
    const old = this.endpoint;
    const fresh = create({ family: this.family, type: this.type });
    const { slot, generation } = fresh;
    this.endpoint = old.successor(slot, generation);
    old.close();
    notForgotten(old);
    closeWhenForgotten(this.endpoint);
    for (const [option, value] of this.#rare.options ?? []) setOption(this.endpoint, option, value);
  }

  #usable(signal?: AbortSignal): Endpoint {
    if (this.endpoint.closed) throw closedError();
    if (signal?.aborted) throw new AbortError(signal);
    return this.endpoint;
  }

  get #inetFamily(): 'ipv4' | 'ipv6' {
    return this.family === 'ipv6' ? 'ipv6' : 'ipv4';
  }

  get #local(): SocketName | undefined {
    return nameOf(this.endpoint, this.family, false);
  }

  get #remote(): SocketName | undefined {
    return this.#state === 'connected' ? nameOf(this.endpoint, this.family, true) : undefined;
  }

  #setOption(option: number, on: boolean): void {
    const value = checkBoolean('on', on) ? 1 : 0;
    setOption(this.#usable(), option, value);
    this.#rare.options ??= new Map();
    this.#rare.options.set(option, value);
  }
}

/** The socket that the addon has made and connected. */
function connected(slot: number, generation: number, family: Family, type: SocketType): Socket {
  // Seen from outside, the constructor takes options only.
  return new Socket(new Existing(slot, generation, family, type) as unknown as SocketOptions);
}
