import type { OperationOptions, Pollable, PollWatcher, SyncOptions } from '@sock/core';
import {
  binding,
  Control,
  checkBoolean,
  checkInteger,
  checkOneOf,
  checkOptions,
  checkPath,
  checkPort,
  checkWatcher,
  closeWhenForgotten,
  datagramType,
  Errno,
  type Family,
  families,
  invalidType,
  invalidValue,
  notForgotten,
} from '@sock/native';
import { checkAddress } from './addresses.js';
import { describeBeforeClose, tellBound, tellClosed } from './diagnostics.js';
import { busyError, lastCallError, systemError } from './errors.js';
import { FailingSocket } from './failing-socket.js';
import type { Target } from './outgoing.js';

/** Options of a new datagram socket. */
export interface DatagramSocketOptions {
  /** Of the addresses it will have: `'ipv4'`, `'ipv6'` or `'unix'`. There is no default. */
  family: Family;
  /**
   * A guard: the most bytes of a datagram that is sent, 0 to 65,535; longer data is a RangeError.
   * 1,472, say, keeps datagrams within one Ethernet packet. Default: what the protocol allows.
   */
  maxSize?: number | undefined;
  /**
   * Whether the kernel may cut what `sendSegments` and `segmentSize` ask for, where it can. Default
   * `true`; the datagrams are the same.
   */
  offload?: boolean | undefined;
}

/** Names a socket that exists already, in place of the options that would make one. */
class Existing {
  constructor(
    readonly slot: number,
    readonly generation: number,
    readonly family: Family,
    readonly maxSize: number | undefined = undefined,
    readonly offload: boolean = true,
  ) {}
}

function create(options: unknown): Existing {
  if (options === undefined) throw invalidType('options', 'an object', options);
  const known = ['family', 'maxSize', 'offload'] as const;
  const checked = checkOptions<DatagramSocketOptions>(options, known);
  const family = checkOneOf('options.family', checked.family, families);
  const { maxSize, offload } = checked;
  if (maxSize !== undefined) checkInteger('options.maxSize', maxSize, 0, 65_535);
  const mayOffload = checkBoolean('options.offload', offload ?? true);
  const slot = binding.open(families.indexOf(family), datagramType);
  if (slot < 0) throw systemError(slot, { syscall: 'socket' });
  return new Existing(slot, generationTold(), family, maxSize, mayOffload);
}

/** Of the socket that the addon has made last. */
function generationTold(): number {
  return binding.control[Control.Extra] as number;
}

function existingOr(options: unknown): Existing {
  try {
    if (options instanceof Existing) return options;
  } catch {
    // A proxy that was revoked; create() finds the words for it.
  }
  return create(options);
}

/** Seen from outside, the constructor takes options only. */
function asOptions(existing: Existing): DatagramSocketOptions {
  return existing as unknown as DatagramSocketOptions;
}

interface Name {
  readonly host: string;
  readonly port: number;
}

/**
 * A socket for datagrams: UDP over IPv4 or IPv6, or Unix.
 *
 * - A datagram is sent whole or not at all, and received whole or, where there is no room for it,
 *   cut, which is told. An empty one is a datagram.
 * - Its descriptor is non-blocking and close-on-exec from birth, and closed once, by {@link close},
 *   or with a warning when the object was forgotten. While an operation waits the object stays
 *   alive, and so does the event loop unless {@link unref} was called.
 * - An error of a send or receive ends nothing: the next one has its own answer.
 *
 * A wrong argument throws a TypeError or RangeError that names it, at the call. On a closed socket
 * every operation throws, or rejects with, `DatagramError` (`ERR_SOCK_CLOSED`).
 *
 * @example
 * ```ts
 * const socket = new DatagramSocket({ family: 'ipv4' });
 * socket.bind('127.0.0.1', 0);
 * for await (const { data, address, port } of socket) await socket.sendTo(data, address, port);
 * ```
 * @see udp(7), unix(7)
 */
export class DatagramSocket extends FailingSocket implements Pollable {
  readonly family: Family;
  private detachesNonBlocking = true;
  /** As it was given to `bind`; undefined when it was not called. */
  private boundHost: string | null | undefined = undefined;

  /**
   * @throws TypeError, RangeError when an option is wrong; `DatagramError` (`EMFILE`,
   * `EAFNOSUPPORT`, …).
   * @see socket(2)
   */
  constructor(options: DatagramSocketOptions) {
    const { slot, generation, family, maxSize, offload } = existingOr(options);
    super(slot, generation, family, maxSize, offload);
    this.family = family;
    closeWhenForgotten(this.endpoint);
  }

  /**
   * Two connected Unix sockets.
   *
   * @throws `DatagramError` (`EMFILE`, …).
   * @see socketpair(2)
   */
  static pair(): [DatagramSocket, DatagramSocket] {
    const slot = binding.pair(datagramType);
    if (slot < 0) throw systemError(slot, { syscall: 'socketpair' });
    const { control } = binding;
    const [generation, second, generationOfSecond] = [
      Control.Extra,
      Control.Extra2,
      Control.Extra3,
    ].map((word) => control[word] as number) as [number, number, number];
    return [
      new DatagramSocket(asOptions(new Existing(slot, generation, 'unix'))),
      new DatagramSocket(asOptions(new Existing(second, generationOfSecond, 'unix'))),
    ];
  }

  /**
   * Takes a descriptor over that another owner has given away: {@link detach} in a worker or a
   * parent process, systemd. Its family is read from it. From now on it is this object's to close,
   * close-on-exec, and non-blocking.
   *
   * @param fd An integer from 0 to 2^31−1, with no other owner.
   * @throws TypeError, RangeError. `DatagramError`, and the descriptor stays its owner's: `EBADF`,
   * `ENOTSOCK`, `EPROTOTYPE` when it carries a stream, `EAFNOSUPPORT` for other families,
   * `ERR_SOCK_BUSY` when a socket of this thread has it.
   * @see getsockname(2), socket(7)
   */
  static fromFd(fd: number): DatagramSocket {
    checkInteger('fd', fd, 0, 2 ** 31 - 1);
    const slot = binding.fromFd(fd, true);
    if (slot === -Errno.EEXIST) throw busyError(`taking over ${fd}`, 'another socket that has it');
    if (slot < 0) throw lastCallError(slot);
    const family = families[binding.control[Control.Extra2] as number] as Family;
    const socket = new DatagramSocket(asOptions(new Existing(slot, generationTold(), family)));
    // Its last owner may have asked for anything.
    socket.traits.watchControl();
    return socket;
  }

  /** The descriptor, for looking at; −1 once closed. It stays this object's to close. */
  get fd(): number {
    const { slot, generation, closed } = this.endpoint;
    return closed ? -1 : binding.fd(slot, generation);
  }

  /** Whether it has a peer. */
  get isConnected(): boolean {
    const { slot, generation, closed } = this.endpoint;
    return !closed && binding.isConnected(slot, generation) === 1;
  }

  /** Whether it has a local address: a port, a path or an abstract name. */
  get isBound(): boolean {
    return this.localAddress !== undefined;
  }

  /** The address, path or `@name`; undefined while there is none. */
  get localAddress(): string | undefined {
    return this.nameOf(false)?.host;
  }

  /** 1 to 65,535; undefined while there is none, and for a Unix socket. */
  get localPort(): number | undefined {
    return this.nameOf(false)?.port || undefined;
  }

  /** The peer's address, path or `@name`; undefined without a peer, or when it has no name. */
  get remoteAddress(): string | undefined {
    return this.nameOf(true)?.host;
  }

  /** The peer's port; undefined without a peer, and for a Unix socket. */
  get remotePort(): number | undefined {
    return this.nameOf(true)?.port || undefined;
  }

  /** Bytes received, also once it is closed. */
  get bytesRead(): number {
    return this.endpoint.traffic.bytesRead;
  }

  /** Bytes that the kernel took, also once it is closed. */
  get bytesWritten(): number {
    return this.endpoint.traffic.bytesWritten;
  }

  /**
   * Gives the socket its local address.
   *
   * @param host A literal of the socket's family, or `null` for every address of this host.
   * @param port 0 to 65,535; 0 lets the kernel choose.
   * @throws `DatagramError` (`EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`, `EINVAL` when bound already);
   * TypeError for a name: look it up first.
   * @see bind(2)
   */
  bind(host: string | null, port: number): void {
    if (this.family === 'unix') throw invalidValue('host', 'needs an inet socket', host);
    if (host !== null) checkAddress(host, this.family, 'host');
    checkPort(port);
    this.usable();
    this.bindNow(host, port);
    this.boundHost = host;
    tellBound(this);
  }

  /**
   * Gives a Unix socket its path, or its abstract name (`@name`); without either, the kernel finds
   * an abstract name that nobody has. A socket file that nobody holds any more is replaced; one
   * that somebody does, and any other file, is `EADDRINUSE`. {@link close} removes the file.
   *
   * @param path At most 107 bytes.
   * @throws `DatagramError` (`EADDRINUSE`, `EACCES`, `ENOENT`, …); RangeError when it is too long;
   * TypeError for another family.
   * @see unix(7), "Autobind feature"
   */
  bindUnix(path?: string): void {
    if (path !== undefined) checkPath(path);
    const { slot, generation } = this.usable();
    if (this.family !== 'unix') throw invalidValue('path', 'needs a Unix socket', path);
    const result = binding.bindUnix(slot, generation, path ?? '', datagramType);
    if (result < 0) throw lastCallError(result, { path });
    tellBound(this);
  }

  /**
   * Gives the socket a peer: `send` goes there, nobody else is heard, and ICMP errors come back.
   * Again: another peer. Nothing is sent, so it is over at once, but for the name lookup.
   *
   * @param host A literal of the socket's family, or a name, which is looked up in that family
   * once.
   * @param port 1 to 65,535.
   * @param options `timeout` (ms; default the socket's {@link setTimeout}) and `signal`.
   *
   * Rejects with `DatagramError` (`ENETUNREACH`, `EINVAL`, `ERR_SOCK_CLOSED`), `ResolveError`,
   * `TimeoutError`, `AbortError`.
   * @see connect(2)
   */
  connect(host: string, port: number, options?: OperationOptions): Promise<void> {
    const limits = this.limitsOf(options);
    const found = this.targetOf(this.checkInet(host), checkInteger('port', port, 1, 65_535));
    const refusal = this.refusal(limits);
    if (refusal !== undefined) return refusal;
    const target = found === undefined ? this.resolve(host, port, limits) : Promise.resolve(found);
    return target.then((to) => this.connectNow(to));
  }

  /** Blocks this thread's event loop while the name is looked up: {@link connect}. */
  connectSync(host: string, port: number, options?: SyncOptions): void {
    const countdown = this.countdown(options);
    const found = this.targetOf(this.checkInet(host), checkInteger('port', port, 1, 65_535));
    this.usable();
    this.connectNow(found ?? this.resolveSync(host, port, countdown.leftMs));
  }

  /** {@link connect} to a literal address, at once. */
  tryConnect(host: string, port: number): true {
    checkInteger('port', port, 1, 65_535);
    this.connectNow(this.literalTarget(this.checkInet(host), port));
    return true;
  }

  /**
   * Gives a Unix socket a peer, by its path or `@name`: {@link connect}.
   *
   * Rejects with `DatagramError` (`ENOENT`, `ECONNREFUSED` when nobody has the path, `EACCES`,
   * `EPROTOTYPE` when it is a stream's).
   * @see unix(7)
   */
  connectUnix(path: string): Promise<void> {
    this.checkUnix(path);
    return new Promise((resolve) => resolve(this.connectUnixSync(path)));
  }

  /** The same; it never waits. */
  connectUnixSync(path: string): void {
    this.checkUnix(path);
    const { slot, generation } = this.usable();
    const result = binding.connectUnix(slot, generation, path, false);
    if (result < 0) throw systemError(result, { syscall: 'connect', path });
  }

  /**
   * Takes the peer away; what {@link bind} gave stays. Without a peer it does nothing.
   *
   * @throws `DatagramError` (`ERR_SOCK_CLOSED`; `EADDRINUSE` when the kernel had chosen the port,
   * and somebody else was given it in this moment).
   * @see connect(2), AF_UNSPEC
   */
  disconnect(): void {
    const { slot, generation } = this.usable();
    const { localPort, boundHost } = this;
    const result = binding.disconnect(slot, generation);
    if (result < 0) throw lastCallError(result);
    // Linux takes a port back that it had chosen itself (net/ipv4/udp.c, __udp_disconnect).
    const isLost = boundHost !== undefined && localPort !== undefined && !this.isBound;
    if (isLost) this.bindNow(boundHost, localPort);
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

  /**
   * Closes the descriptor at once. What waits is rejected with `ERR_SOCK_CLOSED`; queued sends are
   * dropped. Closing again does nothing.
   */
  close(): void {
    if (this.endpoint.closed) return;
    const closing = describeBeforeClose(this);
    notForgotten(this.endpoint);
    this.sender.close();
    this.endpoint.close();
    this.rejectAll();
    if (closing !== null) tellClosed(closing);
  }

  /** {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Gives the descriptor away, for a worker ({@link fromFd}) or a child process (`stdio`). This
   * object is closed then; what waits for datagrams is rejected with `ERR_SOCK_CLOSED`. A socket
   * file of its own stays where it is.
   *
   * @returns The descriptor, which is the caller's to close.
   * @throws `DatagramError`: `ERR_SOCK_CLOSED`; `ERR_SOCK_BUSY`, and nothing has changed, while
   * sends are queued, or datagrams have been received that nobody has taken.
   */
  detach(): number {
    this.usable();
    if (this.sender.head !== null) throw busyError('detach', 'a send');
    if (this.receiver.hasUnread) throw busyError('detach', 'what was received');
    const closing = describeBeforeClose(this);
    const fd = this.endpoint.detach(this.detachesNonBlocking);
    if (fd < 0) throw lastCallError(fd);
    notForgotten(this.endpoint);
    this.rejectAll();
    if (closing !== null) tellClosed(closing);
    return fd;
  }

  /**
   * Whether calls of whoever has the descriptor after {@link detach} return instead of waiting. On
   * by default. Here it is only noted.
   *
   * @throws TypeError unless it is a boolean.
   * @see fcntl(2), O_NONBLOCK
   */
  setNonBlocking(on: boolean): void {
    this.usable();
    this.detachesNonBlocking = checkBoolean('on', on);
  }

  /** What {@link setNonBlocking} has noted. */
  getNonBlocking(): boolean {
    this.usable();
    return this.detachesNonBlocking;
  }

  /** For polls: true when a receive would bring what the kernel has no more. */
  pendingRead(): boolean {
    return this.receiver.hasUnread;
  }

  /**
   * For polls: the watcher hears before the descriptor closes, and when {@link pendingRead} becomes
   * true.
   *
   * @throws `DatagramError` (`ERR_SOCK_CLOSED`).
   */
  joinPoll(watcher: PollWatcher): () => void {
    checkWatcher(watcher);
    return this.usable().watch(watcher);
  }

  private checkInet(host: string): string {
    if (this.family === 'unix') throw invalidValue('host', 'needs an inet socket', host);
    return host;
  }

  private checkUnix(path: string): void {
    checkPath(path);
    if (this.family !== 'unix') throw invalidValue('path', 'needs a Unix socket', path);
  }

  private bindNow(host: string | null, port: number): void {
    const { slot, generation } = this.endpoint;
    const family = families.indexOf(this.family);
    const result = binding.bind(slot, generation, host ?? '', port, family);
    if (result < 0) throw lastCallError(result, { address: host ?? undefined, port });
  }

  private connectNow({ address, port }: Target): void {
    const { slot, generation } = this.usable();
    const result = binding.connect(slot, generation, address, port, false);
    if (result < 0) throw systemError(result, { syscall: 'connect', address, port });
  }

  /** Undefined while there is none: an inet socket without a port has only the wildcard address. */
  private nameOf(peer: boolean): Name | undefined {
    const { slot, generation, closed } = this.endpoint;
    if (closed) return undefined;
    const host = binding.address(slot, generation, peer);
    if (typeof host === 'number' || host === '') return undefined;
    const port = binding.control[Control.Extra] as number;
    return this.family !== 'unix' && port === 0 ? undefined : { host, port };
  }
}
