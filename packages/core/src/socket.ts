import {
  type Borrower,
  binding,
  Control,
  checkInteger,
  checkOneOf,
  checkOptions,
  checkPath,
  checkPort,
  checkWatcher,
  closeWhenForgotten,
  type Ends,
  type Family,
  families,
  type Guard,
  invalidValue,
  iterationEnd,
  type Limits,
  notForgotten,
  PollIn,
  SocketOption,
  type SocketType,
  StepIterator,
  types,
} from '@sock/native';
import { type AcceptStep, StepAccept, type Taker } from './accept-operations.js';
import { Acceptor } from './acceptor.js';
import { ConnectingSocket } from './connecting-socket.js';
import { endsBeforeClose, tellAccepted, tellClosed, timeIfObserved } from './diagnostics.js';
import {
  AbortError,
  busyError,
  closedError,
  lentError,
  SocketError,
  systemError,
} from './errors.js';
import { AcceptLoan, checkBorrower } from './loans.js';
import {
  detailsOf,
  Existing,
  existingOr,
  getOption,
  lastCallError,
  nameOf,
  type SocketName,
  type SocketOptions,
  takeOver,
} from './native-socket.js';
import type { OperationOptions } from './operation.js';
import type { Pollable, PollWatcher } from './pollable.js';
import type { SyncOptions } from './stream-socket.js';
import { checkAddress } from './target.js';

/** Linux's own limit (net.core.somaxconn) since 5.4; the kernel lowers it where it is smaller. */
export const backlogDefault = 4096;

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
export class Socket extends ConnectingSocket implements Pollable {
  readonly family: Family;
  readonly type: SocketType;

  /**
   * @throws TypeError when an option is wrong; `SocketError` (`EMFILE`, `EAFNOSUPPORT`, …).
   * @see socket(2)
   */
  constructor(options: SocketOptions) {
    const existing = existingOr(options);
    super(existing.slot, existing.generation);
    this.family = existing.family;
    this.type = existing.type;
    closeWhenForgotten(this.endpoint);
    if (existing === options) {
      this.setState(existing.role);
      // Another descriptor in its place would not be the one that was handed over.
      if (existing.role !== 'connected') this.setup.bound = true;
    }
    if (this.timeouts.operationTimeout !== Number.POSITIVE_INFINITY) this.applyTimeouts();
  }

  /**
   * Takes a descriptor over that another owner has given away: {@link detach} in a worker or a
   * parent process, systemd, inetd. Family, type, addresses and whether it is connected or listens
   * are read from it. From now on it is this object's to close, close-on-exec, and non-blocking,
   * which duplicates of it in other processes are then, too.
   *
   * @param fd An integer from 0 to 2^31−1. It must have no other owner: of a `net.Socket` or a
   * `FileHandle`, give a duplicate.
   * @throws TypeError, RangeError. `SocketError`, and the descriptor stays its owner's: `EBADF`
   * when it is not open, `ENOTSOCK`, `EPROTOTYPE` for datagrams, `EAFNOSUPPORT` for other families,
   * `ERR_SOCK_BUSY` when a Socket of this thread has it.
   * @example
   * ```ts
   * const listener = Socket.fromFd(3); // the first that systemd hands over
   * ```
   * @see getsockname(2), socket(7)
   */
  static fromFd(fd: number): Socket {
    // Seen from outside, the constructor takes options only.
    return new Socket(takeOver(fd) as unknown as SocketOptions);
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

  /** Whether the kernel has a peer for it; false once the connection is broken. */
  get isConnected(): boolean {
    const { slot, generation, closed } = this.endpoint;
    return !closed && this.state === 'connected' && binding.isConnected(slot, generation) === 1;
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
    return this.localName?.host;
  }

  /** 1 to 65,535; undefined while there is none, and for a Unix socket. */
  get localPort(): number | undefined {
    return this.localName?.port || undefined;
  }

  /** The peer's address, also after it reset the connection; undefined when there was none. */
  get remoteAddress(): string | undefined {
    return this.remoteName?.host;
  }

  /** The peer's port, for as long as {@link remoteAddress} tells; undefined for a Unix socket. */
  get remotePort(): number | undefined {
    return this.remoteName?.port || undefined;
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
    const { slot, generation } = this.usable();
    if (this.family === 'unix') throw invalidValue('host', 'needs an inet socket', host);
    const family = families.indexOf(this.family);
    const result = binding.bind(slot, generation, host ?? '', port, family);
    if (result < 0) throw lastCallError(result, { address: host ?? undefined, port });
    this.setup.bound = true;
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
    const { slot, generation } = this.usable();
    if (this.family !== 'unix') throw invalidValue('path', 'needs a Unix socket', path);
    const result = binding.bindUnix(slot, generation, path, types.indexOf(this.type));
    if (result < 0) throw lastCallError(result, { path });
    this.setup.bound = true;
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
    const { slot, generation } = this.usable();
    const local = this.localName;
    if (local === undefined) {
      throw new SocketError('listen EDESTADDRREQ: the socket is not bound; call bind first', {
        code: 'EDESTADDRREQ',
        syscall: 'listen',
      });
    }
    const result = binding.listen(slot, generation, backlog);
    if (result < 0) throw lastCallError(result, detailsOf(local, this.family));
    this.setState('listening');
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
    return this.acceptWithin(this.limitsOf(options, this.limits), null);
  }

  /** Blocks this thread's event loop: {@link accept}, waiting up to `timeout`. */
  acceptSync(options?: SyncOptions): Socket {
    return this.acceptPatiently(options, null);
  }

  /**
   * A connection, or `null` when none waits. Throws what {@link accept} rejects with, `EMFILE` too,
   * and `ERR_SOCK_BUSY` while an `accept` waits.
   */
  tryAccept(): Socket | null {
    return this.acceptOne('tryAccept', null);
  }

  /**
   * @internal The verbs of accepting, for somebody who decides who may come in. Who may not is
   * reset before there is a socket of it, and nobody is told but the guard.
   */
  guardedBy(guard: Guard): Pick<Socket, 'accept' | 'acceptSync' | 'tryAccept'> {
    return {
      accept: (options) => this.acceptWithin(this.limitsOf(options, this.limits), guard),
      acceptSync: (options) => this.acceptPatiently(options, guard),
      tryAccept: () => this.acceptOne('tryAccept', guard),
    };
  }

  /** @internal As {@link tryAccept}, also while an `accept` waits: for a server that stops. */
  acceptWaiting(): Socket | null {
    return this.accepting().tryAccept(null);
  }

  /**
   * Closes the descriptor at once. What waits is rejected with `ERR_SOCK_CLOSED`; queued sends are
   * dropped (their errors tell how much had gone). Closing again does nothing. To say goodbye in
   * order, use {@link end}.
   */
  close(): void {
    if (this.endpoint.closed) return;
    const closing = this.endsIfConnected();
    this.closeLayer();
    this.ready = false;
    this.sender?.close();
    notForgotten(this.endpoint);
    this.endpoint.close();
    this.rejectAll();
    if (closing !== null) this.tellClosed(closing, false);
  }

  /**
   * Gives the descriptor away, for a worker ({@link fromFd}), a child process (`stdio`) or another
   * library. What is corked or queued is sent first. The socket is closed then, but the connection
   * is not; what waits is rejected with `ERR_SOCK_CLOSED`. It is close-on-exec unless
   * {@link setCloseOnExec} said otherwise, and non-blocking unless {@link setNonBlocking} did. A
   * socket file of its own stays where it is.
   *
   * @returns The descriptor, which is the caller's to close.
   * @throws `SocketClosedError` (`ERR_SOCK_CLOSED`). `SocketError` (`ERR_SOCK_BUSY`), and nothing
   * has changed, where bytes would be lost: sends that the kernel does not take yet, bytes received
   * and put back (after a `recvAll` that was cut short), connections accepted and not taken; and
   * after `toDuplex`.
   * @example
   * ```ts
   * const fd = socket.detach();
   * worker.postMessage(fd); // there: Socket.fromFd(fd)
   * ```
   */
  detach(): number {
    this.usable();
    if (this.isTaken) throw this.unready();
    const { sender, receiver, setupIfAny: setup } = this;
    if (sender?.lent) throw lentError('detach');
    if (sender?.flushAll() === false) throw busyError('detach', 'a send');
    if (receiver?.holdsBytes) throw busyError('detach', 'what was received');
    if (setup?.acceptor?.holdsConnections) throw busyError('detach', 'a connection');
    const closing = this.endsIfConnected();
    const fd = this.endpoint.detach(this.getNonBlocking());
    if (fd < 0) throw lastCallError(fd, {});
    this.ready = false;
    notForgotten(this.endpoint);
    this.rejectAll();
    if (closing !== null) this.tellClosed(closing, true);
    return fd;
  }

  /**
   * True when a receive, or an accept, would bring something that is here already, though the
   * kernel has nothing more: what a reader gave up on, or a connection that was accepted ahead.
   */
  pendingRead(): boolean {
    return this.endpoint.hasUnread;
  }

  /**
   * For polls: the watcher hears before the descriptor closes, and when {@link pendingRead} becomes
   * true. Until the returned function is called, the addon watches the socket only while an
   * operation waits.
   *
   * @throws `SocketClosedError` (`ERR_SOCK_CLOSED`).
   */
  joinPoll(watcher: PollWatcher): () => void {
    checkWatcher(watcher);
    return this.usable().watch(watcher);
  }

  /** Connections for a listening socket, chunks for any other. */
  override [Symbol.asyncIterator](): AsyncIterableIterator<Buffer> {
    if (this.state !== 'listening') return super[Symbol.asyncIterator]();
    this.accepting().beginIteration();
    const usual = new StepAccept<Socket>();
    const connections = new StepIterator(() => {
      // Who asks for a step before the last one came gets an operation of its own.
      return this.acceptStep(usual.idle ? usual : new StepAccept());
    });
    // One class for both roles: ListeningSocket is the type under which this is seen.
    return connections as unknown as AsyncIterableIterator<Buffer>;
  }

  /**
   * @internal For a listener above this one: hands over what comes while the taker has room. What
   * it returns is to be called when there is room again, or another guard, and to go on after a
   * failure. Throws what keeps it from accepting.
   */
  acceptInto(taker: Taker<Socket>): () => void {
    const error = this.unlistening();
    if (error !== undefined) throw error;
    return this.accepting().feed(taker);
  }

  /**
   * Lends the accepting to who does it by other means, such as the `AsyncIO` of `@sock/poll`. Until
   * the loan ends, accepts of this socket are refused with `ERR_SOCK_BUSY`.
   *
   * @throws `SocketError`: `ERR_SOCK_BUSY` while an accept waits, or when it is lent already;
   * `EINVAL` when the socket does not listen, `ERR_SOCK_CLOSED`.
   */
  lendAccepting(borrower: Borrower): AcceptLoan<Socket> {
    checkBorrower(borrower);
    const error = this.unlistening();
    if (error !== undefined) throw error;
    const acceptor = this.accepting();
    if (acceptor.lent) throw lentError('another request');
    if (acceptor.waiting) throw busyError('a request of an AsyncIO', 'an accept');
    return new AcceptLoan(this.endpoint, acceptor, borrower);
  }

  private endsIfConnected(): Ends | null {
    return this.state === 'connected' ? endsBeforeClose(this.endpoint, this.family) : null;
  }

  private tellClosed(ends: Ends, detached: boolean): void {
    const errno = this.sender?.failure || this.receiver?.failure || 0;
    const { remoteAddress: address, remotePort: port } = ends;
    const target = this.family === 'unix' ? { path: address } : { address, port };
    const error = errno === 0 ? undefined : systemError(errno, target);
    tellClosed(ends, this.endpoint.sinceMs, this.endpoint.traffic, error, detached);
  }

  /** Who waits for something that will not come any more. */
  private rejectAll(): void {
    this.receiver?.close();
    this.rejectThrottled();
    this.setupIfAny?.acceptor?.close();
    this.setupIfAny?.connector?.close();
  }

  /** @internal */
  protected override rememberEnds(): void {
    this.endsIfConnected();
  }

  /** @internal */
  protected override get joinsSends(): boolean {
    return this.type === 'stream';
  }

  /** @internal */
  protected override get canReset(): boolean {
    return this.family !== 'unix';
  }

  /** What keeps the socket from accepting. */
  private unlistening(): SocketError | undefined {
    if (this.endpoint.closed) return closedError();
    if (this.state === 'listening') return undefined;
    return new SocketError('the socket does not listen', { code: 'EINVAL', syscall: 'accept' });
  }

  private acceptWithin(limits: Limits, guard: Guard | null): Promise<Socket> {
    const error = this.unlistening();
    if (error !== undefined) return Promise.reject(error);
    if (limits.signal?.aborted) return Promise.reject(new AbortError(limits.signal));
    return this.accepting().accept(limits, guard);
  }

  private acceptStep(operation: StepAccept<Socket>): Promise<AcceptStep<Socket>> {
    if (this.endpoint.closed) return Promise.resolve(iterationEnd);
    return this.accepting().step(operation, this.limits);
  }

  private acceptPatiently(options: SyncOptions | undefined, guard: Guard | null): Socket {
    const patience = this.patienceOf(options);
    for (;;) {
      const connection = this.acceptOne('acceptSync', guard);
      if (connection !== null) return connection;
      patience.wait(this.endpoint, PollIn, 'accept');
    }
  }

  private acceptOne(verb: string, guard: Guard | null): Socket | null {
    const error = this.unlistening();
    if (error !== undefined) throw error;
    const acceptor = this.accepting();
    if (acceptor.waiting) throw busyError(verb, 'an accept');
    return acceptor.tryAccept(guard);
  }

  private accepting(): Acceptor<Socket> {
    if (this.setup.acceptor === null) {
      const { family, type } = this;
      const adopt = (slot: number, generation: number): Socket => {
        const socket = connected(slot, generation, family, type);
        socket.endpoint.sinceMs = timeIfObserved();
        tellAccepted(socket.endpoint, family);
        return socket;
      };
      this.setup.acceptor = new Acceptor(this.endpoint, adopt);
      this.endpoint.acceptor = this.setup.acceptor;
    }
    return this.setup.acceptor;
  }

  private get localName(): SocketName | undefined {
    return nameOf(this.endpoint, this.family, false);
  }

  private get remoteName(): SocketName | undefined {
    return this.state === 'connected' ? nameOf(this.endpoint, this.family, true) : undefined;
  }
}

/** The socket that the addon has made and connected. */
function connected(slot: number, generation: number, family: Family, type: SocketType): Socket {
  // Seen from outside, the constructor takes options only.
  return new Socket(new Existing(slot, generation, family, type) as unknown as SocketOptions);
}
