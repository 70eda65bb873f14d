/** The options of the kernel, and what it tells about a socket. */
import {
  binding,
  Control,
  checkBoolean,
  checkInteger,
  checkTimeout,
  type Endpoint,
  invalidType,
  invalidValue,
  noLimits,
  outOfRange,
  SocketOption,
  type SocketType,
} from '@sock/native';
import { AbortError, closedError, SocketError } from './errors.js';
import {
  checkKeepAlive,
  type KeepAlive,
  type KeepAliveOptions,
  kernelSeconds,
} from './keep-alive.js';
import { MeteredStream } from './metered-stream.js';
import {
  congestionOf,
  getOption,
  lastCallError,
  setCloseOnExec,
  setCongestion,
  setOption,
} from './native-socket.js';
import { Choices, Setup } from './setup.js';
import { type TcpInfo, tcpInfoOf } from './tcp-info.js';
import { defaultTimeouts, setDefaultTimeouts, type Timeouts, withTimeouts } from './timeouts.js';

const intMax = 2 ** 31 - 1;
/** TCP_CA_NAME_MAX of the kernel, less the final NUL. */
const congestionNameMax = 15;

/** Who is at the other end of a Unix socket. */
export interface PeerCredentials {
  /** The process id; 0 when it is not visible from this process's namespace. */
  readonly pid: number;
  /** Its effective user id. */
  readonly uid: number;
  /** Its effective group id. */
  readonly gid: number;
}

/**
 * What is set goes to the kernel at once, and a getter asks it for what it has made of that: it may
 * lower or raise a value. A listener hands its options on to the connections that it accepts from
 * then on. Every setter and getter throws `SocketClosedError` (`ERR_SOCK_CLOSED`) on a closed
 * socket, and `SocketError` with `syscall` where the kernel refuses: `ENOTSUP` for an option of TCP
 * on a Unix socket, `ENOPROTOOPT` where the system has no such option.
 */
export abstract class TunableSocket extends MeteredStream {
  /** `'stream'`, or `'seqpacket'` for a Unix socket that was made so. */
  abstract readonly type: SocketType;
  /** @internal */
  protected timeouts: Readonly<Timeouts>;
  private rare: Setup | null;

  /** @internal */
  protected constructor(slot: number, generation: number) {
    super(slot, generation);
    this.timeouts = defaultTimeouts();
    this.rare = null;
  }

  /** The limits that sockets of this thread are made with. */
  static getDefaultTimeouts(): Readonly<Timeouts> {
    return defaultTimeouts();
  }

  /** Changes them for sockets made on this thread from now on; those there are keep theirs. */
  static setDefaultTimeouts(timeouts: Partial<Timeouts>): void {
    setDefaultTimeouts(timeouts);
  }

  /** The limits of this socket, in milliseconds. Also on a closed socket. */
  getTimeouts(): Readonly<Timeouts> {
    return this.timeouts;
  }

  /**
   * Changes the given ones; operations that wait already keep theirs. Also on a closed socket.
   *
   * @param timeouts In milliseconds, each above 0 and at most 2^31−1, or `Infinity` for none.
   * @throws TypeError for an unknown name or a wrong type, RangeError for 0 or less.
   */
  setTimeouts(timeouts: Partial<Timeouts>): void {
    this.timeouts = withTimeouts(this.timeouts, timeouts);
    this.applyTimeouts();
  }

  /**
   * Limits every later operation of both directions that is not given a `timeout` of its own: the
   * `operationTimeout` of {@link setTimeouts}. Connecting has a limit of its own.
   *
   * @param timeout Milliseconds above 0, at most 2^31−1, with fractions; `Infinity`: no limit.
   * @throws TypeError; RangeError for 0 or less.
   */
  setTimeout(timeout: number): void {
    if (checkTimeout(timeout ?? null) === 0) throw outOfRange('timeout', '> 0, or Infinity', 0);
    this.setTimeouts({ operationTimeout: timeout });
  }

  /** The limit that {@link setTimeout} sets, in milliseconds; `Infinity` by default. */
  getTimeout(): number {
    return this.timeouts.operationTimeout;
  }

  /**
   * Lets the address be bound while connections of an earlier socket linger. Before `bind`;
   * `listen()` sets it.
   *
   * @throws TypeError unless it is a boolean.
   * @see socket(7), SO_REUSEADDR
   */
  setReuseAddr(on: boolean): void {
    this.set(SocketOption.ReuseAddr, checkBoolean('on', on) ? 1 : 0);
  }

  /** Whether SO_REUSEADDR is set. */
  getReuseAddr(): boolean {
    return this.get(SocketOption.ReuseAddr) !== 0;
  }

  /**
   * Lets several listeners share the port; the kernel spreads connections. Before `bind`. Throws
   * `ENOTSUP` for a Unix socket.
   *
   * @throws TypeError unless it is a boolean.
   * @see socket(7), SO_REUSEPORT
   */
  setReusePort(on: boolean): void {
    this.set(SocketOption.ReusePort, checkBoolean('on', on) ? 1 : 0);
  }

  /** Whether SO_REUSEPORT is set. */
  getReusePort(): boolean {
    return this.get(SocketOption.ReusePort) !== 0;
  }

  /**
   * Whether an IPv6 listener leaves IPv4 alone. Before `bind`. Throws `ENOPROTOOPT` on IPv4 and
   * `ENOTSUP` on a Unix socket.
   *
   * @throws TypeError unless it is a boolean.
   * @see ipv6(7), IPV6_V6ONLY
   */
  setIpv6Only(on: boolean): void {
    this.set(SocketOption.Ipv6Only, checkBoolean('on', on) ? 1 : 0);
  }

  /** Whether IPV6_V6ONLY is set. Throws `ENOTSUP` on IPv4 and on a Unix socket. */
  getIpv6Only(): boolean {
    return this.get(SocketOption.Ipv6Only) !== 0;
  }

  /**
   * On: messages come with the credentials of their sender, in {@link recvMsg}; off, the default:
   * without. A listener hands it on. Set it before the peer sends: the kernel notes the sender of
   * what is sent from then on, and names nobody (pid 0) for what was on its way.
   *
   * @throws TypeError unless it is a boolean; `SocketError` (`ENOTSUP` unless it is a Unix socket,
   * `ENOPROTOOPT` where the system has nothing like it).
   * @see unix(7), SO_PASSCRED
   */
  setPassCredentials(on: boolean): void {
    this.checkUnix();
    this.set(SocketOption.PassCredentials, checkBoolean('on', on) ? 1 : 0);
  }

  /** Whether messages come with credentials. Throws `ENOTSUP` unless it is a Unix socket. */
  getPassCredentials(): boolean {
    this.checkUnix();
    return this.get(SocketOption.PassCredentials) !== 0;
  }

  /**
   * On: a small send does not wait for earlier ones to be acknowledged. What `connect()` and
   * `listen()` make has it on. Throws `ENOTSUP` for a Unix socket.
   *
   * @throws TypeError unless it is a boolean.
   * @see tcp(7), TCP_NODELAY
   */
  setNoDelay(on: boolean): void {
    this.set(SocketOption.NoDelay, checkBoolean('on', on) ? 1 : 0);
  }

  /** Whether TCP_NODELAY is set. Throws `ENOTSUP` for a Unix socket. */
  getNoDelay(): boolean {
    return this.get(SocketOption.NoDelay) !== 0;
  }

  /**
   * Lets the kernel ask a peer that has been silent for a while whether it is still there. One that
   * never answers ends the connection with `ETIMEDOUT`.
   *
   * @param options `false` turns it off. What is left out stays as it is; a new socket has the
   * values of the system (two hours, 75 s and 9 probes, unless they were changed).
   * @throws TypeError; RangeError for a value outside of its range. Times are rounded up to whole
   * seconds, which is all that the kernel counts. Throws `ENOTSUP` for a Unix socket, except for
   * `false`: it has none to turn off.
   * @example
   * ```ts
   * socket.setKeepAlive({ idle: 30_000, interval: 5_000, count: 3 });
   * ```
   * @see tcp(7), TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT; RFC 9293, section 3.8.4
   */
  setKeepAlive(options: KeepAliveOptions | false): void {
    const keepAlive = checkKeepAlive(options);
    if (keepAlive !== false) {
      const { idle, interval, count } = keepAlive;
      if (idle !== undefined) this.set(SocketOption.KeepIdle, kernelSeconds(idle));
      if (interval !== undefined) this.set(SocketOption.KeepInterval, kernelSeconds(interval));
      if (count !== undefined) this.set(SocketOption.KeepCount, count);
      // A Unix socket takes the switch without having anything behind it.
      this.get(SocketOption.KeepIdle);
    }
    this.set(SocketOption.KeepAlive, keepAlive === false ? 0 : 1);
  }

  /** The values in force, times in milliseconds; `false` while it is off. `ENOTSUP` as above. */
  getKeepAlive(): KeepAlive | false {
    const idle = this.get(SocketOption.KeepIdle) * 1000;
    if (this.get(SocketOption.KeepAlive) === 0) return false;
    const interval = this.get(SocketOption.KeepInterval) * 1000;
    return { idle, interval, count: this.get(SocketOption.KeepCount) };
  }

  /**
   * How many bytes the kernel may keep for this socket until they are received. Set before
   * connecting or listening, it also bounds the window that the peer is offered, and turns off the
   * kernel's own tuning of it.
   *
   * @param bytes 1 to 2^31−1. The kernel lowers it to net.core.rmem_max, and doubles it for its own
   * overhead: {@link getRecvBufferSize} tells what came of it.
   * @throws TypeError, RangeError.
   * @see socket(7), SO_RCVBUF
   */
  setRecvBufferSize(bytes: number): void {
    this.set(SocketOption.RecvBuffer, checkInteger('bytes', bytes, 1, intMax));
  }

  /** Bytes that the kernel may keep, its overhead included: twice what was asked for, as a rule. */
  getRecvBufferSize(): number {
    return this.get(SocketOption.RecvBuffer);
  }

  /**
   * How many bytes the kernel may keep for this socket until the peer has acknowledged them.
   *
   * @param bytes 1 to 2^31−1. The kernel lowers it to net.core.wmem_max, and doubles it for its own
   * overhead: {@link getSendBufferSize} tells what came of it.
   * @throws TypeError, RangeError.
   * @see socket(7), SO_SNDBUF
   */
  setSendBufferSize(bytes: number): void {
    this.set(SocketOption.SendBuffer, checkInteger('bytes', bytes, 1, intMax));
  }

  /** Bytes that the kernel may keep, its overhead included: twice what was asked for, as a rule. */
  getSendBufferSize(): number {
    return this.get(SocketOption.SendBuffer);
  }

  /**
   * Which algorithm paces the sending.
   *
   * @param name 1 to 15 characters: `'cubic'`, `'bbr'`, whatever the system has
   * (net.ipv4.tcp_available_congestion_control). Throws `ENOENT` for one that it has not, `EPERM`
   * for one that only root may choose, `ENOTSUP` for a Unix socket.
   * @throws TypeError when it is no such string.
   * @see tcp(7), TCP_CONGESTION
   */
  setCongestion(name: string): void {
    if (typeof name !== 'string') throw invalidType('name', 'a string', name);
    if (!/^[\x21-\x7e]{1,15}$/.test(name)) {
      throw invalidValue('name', `must have 1 to ${congestionNameMax} characters of ASCII`, name);
    }
    setCongestion(this.usable(), name);
    this.noted().congestion = name;
  }

  /** The algorithm in force. Throws `ENOTSUP` for a Unix socket. */
  getCongestion(): string {
    return congestionOf(this.usable());
  }

  /**
   * Lets a listener take data that comes with the first packet of a connection, which saves a round
   * trip. Before or after `listen`. It has an effect only where the system allows it:
   * net.ipv4.tcp_fastopen with bit 2 set (the default is 1, clients only).
   *
   * A first packet may be delivered twice: only for requests that do no harm when repeated.
   *
   * @param queueLength How many such connections may be unfinished at a time, 0 to 2^31−1; the
   * kernel lowers it to net.core.somaxconn. 0 or `false` turns it off. For the client's side see
   * the `fastOpen` of {@link connect}.
   * @throws TypeError, RangeError. Throws `EINVAL` on a connection, `ENOTSUP` on a Unix socket.
   * @see tcp(7), TCP_FASTOPEN; RFC 7413
   */
  setFastOpen(queueLength: number | false): void {
    const length = queueLength === false ? 0 : checkInteger('queueLength', queueLength, 0, intMax);
    this.set(SocketOption.FastOpen, length);
  }

  /** How many unfinished connections a listener takes with data; 0: off. */
  getFastOpen(): number {
    return this.get(SocketOption.FastOpen);
  }

  /**
   * How long what was sent may remain without an acknowledgement. Then the connection ends with
   * `ETIMEDOUT`. With keep-alive on, it also bounds how long the probes may go unanswered.
   *
   * @param timeout Milliseconds above 0, at most 2^31−1, rounded up to whole ones; `Infinity`
   * (the default) leaves it to the system, which gives up after some 15 minutes.
   * @throws TypeError; RangeError for 0 or less. Throws `ENOTSUP` for a Unix socket.
   * @see tcp(7), TCP_USER_TIMEOUT; RFC 5482
   */
  setUserTimeout(timeout: number): void {
    const timeoutMs = checkTimeout(timeout ?? null);
    if (timeoutMs === 0) throw outOfRange('timeout', '> 0, or Infinity', timeout);
    const isLimited = timeoutMs !== Number.POSITIVE_INFINITY;
    this.set(SocketOption.UserTimeout, isLimited ? Math.ceil(timeoutMs) : 0);
  }

  /** The limit in milliseconds; `Infinity` while it is left to the system. */
  getUserTimeout(): number {
    return this.get(SocketOption.UserTimeout) || Number.POSITIVE_INFINITY;
  }

  /**
   * Whether the descriptor is closed when a program is started, at once. On by default. Turned off,
   * *every* process that this one starts from then on has it too, whoever starts it.
   *
   * @throws TypeError unless it is a boolean.
   * @see fcntl(2), FD_CLOEXEC
   */
  setCloseOnExec(on: boolean): void {
    setCloseOnExec(this.usable(), checkBoolean('on', on));
    this.noted().closeOnExec = on;
  }

  /** Whether the descriptor is closed when a program is started. */
  getCloseOnExec(): boolean {
    const { slot, generation } = this.usable();
    const result = binding.closeOnExec(slot, generation);
    if (result < 0) throw lastCallError(result, {});
    return result === 1;
  }

  /**
   * Whether calls of whoever has the descriptor after {@link Socket.detach} return instead of
   * waiting. On by default. Here it is only noted: as long as the socket is this object's it never
   * blocks, and the tempo of a call is chosen by its name.
   *
   * @throws TypeError unless it is a boolean.
   * @see fcntl(2), O_NONBLOCK
   */
  setNonBlocking(on: boolean): void {
    this.usable();
    this.noted().nonBlocking = checkBoolean('on', on);
  }

  /** What {@link setNonBlocking} has noted. */
  getNonBlocking(): boolean {
    this.usable();
    return this.rare?.choices?.nonBlocking ?? true;
  }

  /**
   * What the kernel knows of this connection: round-trip times, losses, rates. Of a listener too.
   *
   * @returns A new object at each call. Throws `ENOTSUP` for a Unix socket.
   * @example
   * ```ts
   * const { rtt, totalRetransmits } = socket.tcpInfo();
   * ```
   * @see tcp(7), TCP_INFO
   */
  tcpInfo(): TcpInfo {
    return tcpInfoOf(this.usable());
  }

  /** Bytes received from the kernel, also once it is closed. */
  get bytesRead(): number {
    return this.endpoint.traffic.bytesRead;
  }

  /** Bytes that the kernel took, also once it is closed; those that are queued do not count. */
  get bytesWritten(): number {
    return this.endpoint.traffic.bytesWritten;
  }

  /**
   * Who is at the other end of a Unix socket: the process that connected, or for the side that
   * connected, the one that listened; later changes of its ids do not show. Undefined while there
   * is no connection, and for TCP.
   *
   * @see unix(7), SO_PEERCRED
   */
  get peerCredentials(): PeerCredentials | undefined {
    const { slot, generation, closed } = this.endpoint;
    if (closed || !(this.ready || this.isTaken)) return undefined;
    if (binding.peerCredentials(slot, generation) < 0) return undefined;
    const { control } = binding;
    const [pid, uid, gid] = [Control.Extra, Control.Extra2, Control.Extra3].map(
      // Ids have 32 bits without a sign.
      (word) => (control[word] as number) >>> 0,
    ) as [number, number, number];
    return { pid, uid, gid };
  }

  /** @internal What most sockets never need. */
  protected get setup(): Setup {
    this.rare ??= new Setup();
    return this.rare;
  }

  /** @internal The same, if it was ever needed. */
  protected get setupIfAny(): Setup | null {
    return this.rare;
  }

  /** @internal */
  protected usable(signal?: AbortSignal): Endpoint {
    if (this.endpoint.closed) throw closedError();
    if (signal?.aborted) throw new AbortError(signal);
    return this.endpoint;
  }

  /** @internal Whether the first send is to be the connect (TCP_FASTOPEN_CONNECT). */
  protected fastOpenOnConnect(on: boolean): void {
    if (on || this.rare?.choices?.options.has(SocketOption.FastOpenConnect)) {
      this.set(SocketOption.FastOpenConnect, on ? 1 : 0);
    }
  }

  /** @internal Sets up a socket that takes the place of the one that all of it was chosen for. */
  protected choose(endpoint: Endpoint): void {
    const choices = this.rare?.choices;
    if (choices === undefined || choices === null) return;
    const { options, congestion, closeOnExec } = choices;
    for (const [option, value] of options) setOption(endpoint, option, value);
    if (congestion !== null) setCongestion(endpoint, congestion);
    if (!closeOnExec) setCloseOnExec(endpoint, false);
  }

  /** Kernels differ in whether they refuse SO_PASSCRED where it means nothing. */
  private checkUnix(): void {
    if (this.usable() && this.family === 'unix') return;
    throw new SocketError('only Unix sockets carry credentials', { code: 'ENOTSUP' });
  }

  private set(option: number, value: number): void {
    setOption(this.usable(), option, value);
    // A connection will never be replaced.
    if (!this.ready && !this.isTaken) this.noted().options.set(option, value);
  }

  private get(option: number): number {
    return getOption(this.usable(), option);
  }

  private noted(): Choices {
    this.setup.choices ??= new Choices();
    return this.setup.choices;
  }

  /** @internal */
  protected applyTimeouts(): void {
    const { operationTimeout } = this.timeouts;
    this.limits =
      operationTimeout === Number.POSITIVE_INFINITY
        ? noLimits
        : { signal: undefined, timeoutMs: operationTimeout };
  }
}
