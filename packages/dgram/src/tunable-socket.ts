/** The options of the kernel. */

import { DatagramError } from '@sock/core';
import {
  binding,
  checkBoolean,
  checkInteger,
  checkOneOf,
  checkTimeout,
  type Family,
  invalidType,
  invalidValue,
  noLimits,
  outOfRange,
  SocketOption,
} from '@sock/native';
import { BatchSocket } from './batch-socket.js';
import { lastCallError } from './errors.js';

const intMax = 2 ** 31 - 1;

/** What the kernel does where a datagram is larger than the path's packets. */
export type MtuDiscovery = 'dont' | 'want' | 'do' | 'probe' | 'interface' | 'omit';

/** In the order of the kernel's IP_PMTUDISC_…. */
const mtuDiscoveries = ['dont', 'want', 'do', 'probe', 'interface', 'omit'] as const;

export abstract class TunableSocket extends BatchSocket {
  /** Of its addresses: `'ipv4'`, `'ipv6'` or `'unix'`. */
  abstract readonly family: Family;

  /**
   * The most bytes that may wait behind the kernel: an integer from 0 to 2^53−1, default 16 MiB.
   */
  get sendQueueMax(): number {
    return this.traits.queueMax;
  }

  /** From the next send on. RangeError for any other number. */
  set sendQueueMax(bytes: number) {
    this.traits.queueMax = checkInteger('sendQueueMax', bytes, 0, Number.MAX_SAFE_INTEGER);
  }

  /** Bytes that wait in this process for the kernel to take them. */
  get sendQueueBytes(): number {
    return this.sender.queuedBytes;
  }

  /** The most bytes of a datagram that is sent: the protocol's, or `maxSize` of the constructor. */
  get maxSize(): number {
    return this.traits.sizeMax;
  }

  /**
   * Limits every later operation of both directions that is not given a `timeout` of its own.
   *
   * @param timeout Milliseconds above 0, at most 2^31−1, with fractions; `Infinity`: no limit,
   * which is the default.
   * @throws TypeError; RangeError for 0 or less.
   */
  setTimeout(timeout: number): void {
    const timeoutMs = checkTimeout(timeout ?? null);
    if (timeoutMs === 0) throw outOfRange('timeout', '> 0, or Infinity', 0);
    this.limits =
      timeoutMs === Number.POSITIVE_INFINITY ? noLimits : { signal: undefined, timeoutMs };
  }

  /** The limit that {@link setTimeout} sets, in milliseconds; `Infinity` by default. */
  getTimeout(): number {
    return this.limits.timeoutMs;
  }

  /**
   * Lets the address be bound while another socket has it, if that one allows it too: several
   * listeners of one multicast group. Before `bind`.
   *
   * @throws TypeError unless it is a boolean.
   * @see socket(7), SO_REUSEADDR
   */
  setReuseAddr(on: boolean): void {
    this.setFlag(SocketOption.ReuseAddr, on);
  }

  /** Whether SO_REUSEADDR is set. */
  getReuseAddr(): boolean {
    return this.get(SocketOption.ReuseAddr) !== 0;
  }

  /**
   * Lets several sockets share the port; the kernel spreads senders over them. Before `bind`.
   * Throws
   * `EOPNOTSUPP` for a Unix socket where the system says so.
   *
   * @throws TypeError unless it is a boolean.
   * @see socket(7), SO_REUSEPORT
   */
  setReusePort(on: boolean): void {
    this.setFlag(SocketOption.ReusePort, on);
  }

  /** Whether SO_REUSEPORT is set. */
  getReusePort(): boolean {
    return this.get(SocketOption.ReusePort) !== 0;
  }

  /**
   * Whether an IPv6 socket leaves IPv4 alone. Before `bind`. With `false`, the default of Linux,
   * IPv4 peers have addresses such as `::ffff:192.0.2.1`. Throws `ENOTSUP` on any other socket.
   *
   * @throws TypeError unless it is a boolean.
   * @see ipv6(7), IPV6_V6ONLY
   */
  setIpv6Only(on: boolean): void {
    this.byFamily(undefined, SocketOption.Ipv6Only);
    this.setFlag(SocketOption.Ipv6Only, on);
  }

  /** Whether IPV6_V6ONLY is set. Throws `ENOTSUP` unless it is an IPv6 socket. */
  getIpv6Only(): boolean {
    return this.get(this.byFamily(undefined, SocketOption.Ipv6Only)) !== 0;
  }

  /**
   * How many bytes the kernel may keep until they are received; datagrams that find it full are
   * dropped.
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
   * How many bytes the kernel may keep until they have left, or a Unix peer has received them.
   *
   * @param bytes As for {@link setRecvBufferSize}, with net.core.wmem_max.
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
   * Allows sending to broadcast addresses, which is `EACCES` otherwise. Throws `ENOTSUP` on IPv6,
   * which has none, and on a Unix socket.
   *
   * @throws TypeError unless it is a boolean.
   * @see socket(7), SO_BROADCAST
   */
  setBroadcast(on: boolean): void {
    this.setFlag(this.byFamily(SocketOption.Broadcast, undefined), on);
  }

  /** Whether broadcasts may be sent. Throws `ENOTSUP` as above. */
  getBroadcast(): boolean {
    return this.get(this.byFamily(SocketOption.Broadcast, undefined)) !== 0;
  }

  /**
   * How many routers a datagram may pass: time to live, or hop limit. Those to groups have their
   * own ({@link setMulticastTtl}), and each datagram may bring one. Throws `ENOTSUP` for a Unix
   * socket.
   *
   * @param hops 1 to 255; the default is the system's, 64 as a rule.
   * @throws TypeError, RangeError.
   * @see ip(7), IP_TTL; ipv6(7), IPV6_UNICAST_HOPS
   */
  setTtl(hops: number): void {
    checkInteger('hops', hops, 1, 255);
    this.setBoth(SocketOption.Ttl, SocketOption.HopLimit, hops);
  }

  /** The hops in force. Throws `ENOTSUP` for a Unix socket. */
  getTtl(): number {
    return this.get(this.byFamily(SocketOption.Ttl, SocketOption.HopLimit));
  }

  /**
   * The byte of DSCP and ECN of every datagram that does not bring its own: type of service, or
   * traffic class. Throws `ENOTSUP` for a Unix socket.
   *
   * @param tos 0 to 255: DSCP × 4 + ECN.
   * @throws TypeError, RangeError; `DatagramError` (`EPERM` for some that only root may use).
   * @see ip(7), IP_TOS; ipv6(7), IPV6_TCLASS; RFC 2474, RFC 3168
   */
  setTos(tos: number): void {
    checkInteger('tos', tos, 0, 255);
    this.setBoth(SocketOption.Tos, SocketOption.TrafficClass, tos);
  }

  /** The byte in force. Throws `ENOTSUP` for a Unix socket. */
  getTos(): number {
    return this.get(this.byFamily(SocketOption.Tos, SocketOption.TrafficClass));
  }

  /**
   * What becomes of datagrams that are larger than the path's packets. Throws `ENOTSUP` for a Unix
   * socket.
   *
   * @param how `'do'`: never fragment, and refuse what is too long (`EMSGSIZE`); `'probe'`: the
   * same without the refusal, for who finds the MTU out; `'want'`: fragment what is too long, learn
   * the MTU otherwise; `'dont'`: always fragment; `'interface'`, `'omit'`: go by the interface's
   * MTU, and believe no ICMP message; `'omit'` fragments.
   * @throws TypeError.
   * @see ip(7), IP_MTU_DISCOVER; RFC 8899
   */
  setMtuDiscovery(how: MtuDiscovery): void {
    const value = mtuDiscoveries.indexOf(checkOneOf('how', how, mtuDiscoveries));
    this.setBoth(SocketOption.MtuDiscovery, SocketOption.MtuDiscovery6, value);
  }

  /** What is in force. Throws `ENOTSUP` for a Unix socket. */
  getMtuDiscovery(): MtuDiscovery {
    const value = this.get(this.byFamily(SocketOption.MtuDiscovery, SocketOption.MtuDiscovery6));
    return mtuDiscoveries[value] as MtuDiscovery;
  }

  /**
   * The MTU of the path to the peer of a connected socket, as far as the kernel knows it: bytes of
   * a packet, its headers (28 of IPv4, 48 of IPv6) included. Throws `ENOTCONN` without a peer,
   * `ENOTSUP` for a Unix socket.
   *
   * @see ip(7), IP_MTU
   */
  getPathMtu(): number {
    return this.get(this.byFamily(SocketOption.Mtu, SocketOption.Mtu6));
  }

  /**
   * On: received datagrams tell where they were sent to and by which interface they came; answers
   * leave from that address then. Throws `ENOTSUP` for a Unix socket.
   *
   * @throws TypeError unless it is a boolean.
   * @see ip(7), IP_PKTINFO; ipv6(7), IPV6_RECVPKTINFO
   */
  setRecvPacketInfo(on: boolean): void {
    this.watch(SocketOption.PacketInfo, SocketOption.PacketInfo6, on);
  }

  /**
   * On: received datagrams tell their byte of DSCP and ECN. Throws `ENOTSUP` for a Unix socket.
   *
   * @throws TypeError unless it is a boolean.
   * @see ip(7), IP_RECVTOS; ipv6(7), IPV6_RECVTCLASS
   */
  setRecvTos(on: boolean): void {
    this.watch(SocketOption.ReceiveTos, SocketOption.ReceiveTrafficClass, on);
  }

  /**
   * On: received datagrams tell their time to live, or hop limit. Throws `ENOTSUP` for a Unix
   * socket.
   *
   * @throws TypeError unless it is a boolean.
   * @see ip(7), IP_RECVTTL; ipv6(7), IPV6_RECVHOPLIMIT
   */
  setRecvTtl(on: boolean): void {
    this.watch(SocketOption.ReceiveTtl, SocketOption.ReceiveHopLimit, on);
  }

  /**
   * On: received datagrams tell when the kernel had them.
   *
   * @throws TypeError unless it is a boolean.
   * @see socket(7), SO_TIMESTAMPNS
   */
  setRecvTimestamp(on: boolean): void {
    this.setFlag(SocketOption.Timestamps, on);
    this.traits.watchControl();
  }

  /**
   * On: received datagrams tell how many have found the socket's buffer full, once any has.
   *
   * @throws TypeError unless it is a boolean.
   * @see socket(7), SO_RXQ_OVFL
   */
  setRecvDropCount(on: boolean): void {
    this.setFlag(SocketOption.DropCount, on);
    this.traits.watchControl();
  }

  /**
   * Lets the kernel join datagrams that came one behind the other from one sender (UDP_GRO): many
   * then cost little more than one. Receives give them one by one as ever. For receives of many:
   * `new DatagramBatch({ size: 65_535 })`.
   *
   * @returns Whether the kernel can; where it cannot, nothing changes but the price.
   * @throws TypeError unless it is a boolean; `ENOTSUP` for a Unix socket.
   * @see udp(7), UDP_GRO
   */
  setRecvOffload(on: boolean): boolean {
    const { slot, generation } = this.usable();
    this.byFamily(SocketOption.ReceiveOffload, SocketOption.ReceiveOffload);
    const value = checkBoolean('on', on) ? 1 : 0;
    const result = binding.setOption(slot, generation, SocketOption.ReceiveOffload, value);
    // A socket that was asked once may still hold what was joined.
    if (result === 0 && on) {
      this.traits.joins = true;
      this.traits.watchControl();
    }
    return result === 0;
  }

  /**
   * Keeps the socket to one network device: nothing comes or goes by another.
   *
   * @param device Its name; `null` for any.
   * @throws TypeError when it is no name; `DatagramError` (`ENODEV`; `EPERM` without the privilege,
   * where the system wants one; `ENOTSUP` for a Unix socket).
   * @see socket(7), SO_BINDTODEVICE
   */
  bindToDevice(device: string | null): void {
    if (device !== null && typeof device !== 'string') {
      throw invalidType('device', 'a string or null', device);
    }
    if (device !== null && !/^[^\0/\s]{1,15}$/.test(device)) {
      throw invalidValue('device', 'must be the name of a network device', device);
    }
    this.byFamily(0, 0);
    const { slot, generation } = this.usable();
    const result = binding.bindToDevice(slot, generation, device ?? '');
    if (result < 0) throw lastCallError(result);
  }

  /** The device that it is kept to, or `null`. */
  get boundDevice(): string | null {
    const { slot, generation } = this.usable();
    const name = binding.boundDevice(slot, generation);
    if (typeof name === 'number') throw lastCallError(name);
    return name === '' ? null : name;
  }

  /**
   * Whether the descriptor is closed when a program is started, at once. On by default.
   *
   * @throws TypeError unless it is a boolean.
   * @see fcntl(2), FD_CLOEXEC
   */
  setCloseOnExec(on: boolean): void {
    const { slot, generation } = this.usable();
    const result = binding.setCloseOnExec(slot, generation, checkBoolean('on', on));
    if (result < 0) throw lastCallError(result);
  }

  /** Whether the descriptor is closed when a program is started. */
  getCloseOnExec(): boolean {
    const { slot, generation } = this.usable();
    const result = binding.closeOnExec(slot, generation);
    if (result < 0) throw lastCallError(result);
    return result === 1;
  }

  /** @internal The option for this family. */
  protected byFamily(ipv4: number | undefined, ipv6: number | undefined): number {
    this.usable();
    const { family } = this.traits;
    const option = family === 'ipv4' ? ipv4 : ipv6;
    if (family !== 'unix' && option !== undefined) return option;
    throw new DatagramError(`a socket of family ${family} has no such option`, {
      code: 'ENOTSUP',
    });
  }

  /**
   * @internal Sets what IPv4 and IPv6 have each in their way. An IPv6 socket may carry IPv4 too,
   * for which it has the other option as well.
   */
  protected setBoth(ipv4: number, ipv6: number, value: number): void {
    const option = this.byFamily(ipv4, ipv6);
    this.set(option, value);
    if (option === ipv4) return;
    const { slot, generation } = this.endpoint;
    // Where it cannot carry IPv4 the option does no harm, or is refused.
    binding.setOption(slot, generation, ipv4, value);
  }

  /** @internal */
  protected set(option: number, value: number): void {
    const { slot, generation } = this.usable();
    const result = binding.setOption(slot, generation, option, value);
    if (result < 0) throw lastCallError(result);
  }

  /** @internal */
  protected setFlag(option: number, on: unknown): void {
    this.set(option, checkBoolean('on', on) ? 1 : 0);
  }

  /** @internal */
  protected get(option: number): number {
    const { slot, generation } = this.usable();
    const value = binding.getOption(slot, generation, option);
    if (value < 0) throw lastCallError(value);
    return value;
  }

  private watch(ipv4: number, ipv6: number, on: boolean): void {
    this.setBoth(ipv4, ipv6, checkBoolean('on', on) ? 1 : 0);
    this.traits.watchControl();
  }
}
