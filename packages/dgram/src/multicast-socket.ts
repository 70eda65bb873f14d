/** Groups: joining them, and sending to them. */

import { DatagramError } from '@sock/core';
import {
  binding,
  checkBoolean,
  checkInteger,
  families,
  invalidType,
  invalidValue,
  SocketOption,
} from '@sock/native';
import { checkAddress } from './addresses.js';
import { lastCallError } from './errors.js';
import { TunableSocket } from './tunable-socket.js';

const indexMax = 2 ** 31 - 1;

/** A network interface: its name, or its number of if_nametoindex(3). */
export type Interface = string | number;

/** The number of an interface; 0 when the system is to choose. */
function indexOf(value: unknown): number {
  if (value === undefined) return 0;
  if (typeof value === 'number') return checkInteger('iface', value, 0, indexMax);
  if (typeof value !== 'string') throw invalidType('iface', 'a string or a number', value);
  if (value === '' || value.includes('\0')) {
    throw invalidValue('iface', 'must be the name of a network interface', value);
  }
  const index = binding.interfaceIndex(value);
  if (index > 0) return index;
  throw new DatagramError(`there is no network interface ${value}`, { code: 'ENODEV' });
}

function isGroup(address: string): boolean {
  const first = Number.parseInt(address, address.includes(':') ? 16 : 10);
  return address.includes(':') ? first >> 8 === 0xff : first >= 224 && first < 240;
}

export abstract class MulticastSocket extends TunableSocket {
  /**
   * Receives what is sent to a group, whoever sends it. The socket is to be bound to its port.
   *
   * @param group A multicast address of the socket's family.
   * @param iface The interface, by name or number; undefined or 0: the one that the route to the
   * group leads to. The same group may be joined on several.
   * @throws TypeError, RangeError; `DatagramError` (`ENODEV` when there is no such interface, or no
   * route; `EADDRINUSE` when it has joined already; `ENOBUFS` beyond
   * net.ipv4.igmp_max_memberships; `ENOTSUP` for a Unix socket).
   * @example
   * ```ts
   * socket.bind(null, 5353);
   * socket.joinMulticast('224.0.0.251', 'eth0');
   * ```
   * @see RFC 3678, section 5.1
   */
  joinMulticast(group: string, iface?: Interface): void {
    this.changeMembership(group, undefined, iface, true);
  }

  /**
   * The opposite of {@link joinMulticast}, with the same arguments. Throws `EADDRNOTAVAIL` when it
   * had not joined.
   */
  leaveMulticast(group: string, iface?: Interface): void {
    this.changeMembership(group, undefined, iface, false);
  }

  /**
   * Receives what one source sends to a group; several sources may be joined, one by one.
   *
   * @param group As for {@link joinMulticast}.
   * @param source A literal address of the socket's family.
   * @param iface As for {@link joinMulticast}.
   * @throws As {@link joinMulticast}; `EINVAL` when it has joined the group for everybody.
   * @see RFC 4607
   */
  joinSourceMulticast(group: string, source: string, iface?: Interface): void {
    this.changeMembership(group, source, iface, true);
  }

  /**
   * The opposite of {@link joinSourceMulticast}, with the same arguments. Throws `EADDRNOTAVAIL`
   * when it had not joined.
   */
  leaveSourceMulticast(group: string, source: string, iface?: Interface): void {
    this.changeMembership(group, source, iface, false);
  }

  /**
   * By which interface datagrams to groups leave, unless each says its own.
   *
   * @param iface Its name or number; 0: by the route.
   * @throws TypeError, RangeError; `DatagramError` (`ENODEV`, `ENOTSUP` for a Unix socket).
   * @see ip(7), IP_MULTICAST_IF; ipv6(7), IPV6_MULTICAST_IF
   */
  setMulticastInterface(iface: Interface): void {
    const index = indexOf(iface ?? null);
    this.byFamily(0, 0);
    const { slot, generation } = this.usable();
    const family = families.indexOf(this.family);
    const result = binding.setMulticastInterface(slot, generation, family, index);
    if (result < 0) throw lastCallError(result);
  }

  /**
   * How many routers datagrams to groups may pass.
   *
   * @param hops 0 to 255: 0 keeps them on this host, 1, the default, on its networks.
   * @throws TypeError, RangeError; `DatagramError` (`ENOTSUP` for a Unix socket).
   * @see ip(7), IP_MULTICAST_TTL; ipv6(7), IPV6_MULTICAST_HOPS
   */
  setMulticastTtl(hops: number): void {
    checkInteger('hops', hops, 0, 255);
    this.set(this.byFamily(SocketOption.MulticastTtl, SocketOption.MulticastHops), hops);
  }

  /** The hops in force. Throws `ENOTSUP` for a Unix socket. */
  getMulticastTtl(): number {
    return this.get(this.byFamily(SocketOption.MulticastTtl, SocketOption.MulticastHops));
  }

  /**
   * Whether sockets of this host, this one included, receive what this one sends to groups that
   * they have joined. On by default. Throws `ENOTSUP` for a Unix socket.
   *
   * @throws TypeError unless it is a boolean.
   * @see ip(7), IP_MULTICAST_LOOP; ipv6(7), IPV6_MULTICAST_LOOP
   */
  setMulticastLoopback(on: boolean): void {
    const { MulticastLoopback, MulticastLoopback6 } = SocketOption;
    this.setFlag(this.byFamily(MulticastLoopback, MulticastLoopback6), on);
  }

  /** Whether it is on. Throws `ENOTSUP` for a Unix socket. */
  getMulticastLoopback(): boolean {
    const { MulticastLoopback, MulticastLoopback6 } = SocketOption;
    return this.get(this.byFamily(MulticastLoopback, MulticastLoopback6)) !== 0;
  }

  /**
   * Whether a socket that is bound to every address receives what is sent to groups that any socket
   * of this host has joined: on by default on Linux. Off: its own groups only.
   *
   * @throws TypeError unless it is a boolean; `DatagramError` (`ENOTSUP` for a Unix socket).
   * @see ip(7), IP_MULTICAST_ALL
   */
  setMulticastAll(on: boolean): void {
    checkBoolean('on', on);
    this.setFlag(this.byFamily(SocketOption.MulticastAll, SocketOption.MulticastAll6), on);
  }

  /** Whether it is on. Throws `ENOTSUP` for a Unix socket. */
  getMulticastAll(): boolean {
    return this.get(this.byFamily(SocketOption.MulticastAll, SocketOption.MulticastAll6)) !== 0;
  }

  private changeMembership(group: unknown, source: unknown, iface: unknown, joins: boolean): void {
    this.byFamily(0, 0);
    const address = checkAddress(group, this.family, 'group');
    if (!isGroup(address)) throw invalidValue('group', 'must be a multicast address', group);
    const from = source === undefined ? '' : checkAddress(source, this.family, 'source');
    const index = indexOf(iface);
    const { slot, generation } = this.usable();
    const result = binding.changeMembership(slot, generation, address, from, index, joins);
    if (result < 0) throw lastCallError(result, { address });
  }
}
