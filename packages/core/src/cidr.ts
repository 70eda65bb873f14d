/** Whether an address lies in a network. */
import { invalidType, invalidValue, outOfRange } from '@sock/native';
import { type IpAddress, isMapped, parseIp } from './ip-address.js';

/** @internal A network, by its address as 4 or 16 bytes, of which the first bits count. */
export interface Network {
  readonly bytes: Uint8Array;
  readonly prefix: number;
}

function checkIp(value: unknown): IpAddress {
  if (typeof value !== 'string') throw invalidType('ip', 'a string', value);
  const ip = parseIp(value);
  if (ip === null) throw invalidValue('ip', 'must be an IP address without a zone', value);
  return ip;
}

/** @internal A network as text; errors name it as they are told. */
export function parseNetwork(value: unknown, name = 'cidr'): Network {
  if (typeof value !== 'string') throw invalidType(name, 'a string', value);
  const [, address = '', digits] = /^([^/]*)(?:\/(0|[1-9]\d{0,2}))?$/.exec(value) ?? [];
  const ip = parseIp(address);
  if (ip === null) throw invalidValue(name, 'must be an IP address, or one with /prefix', value);
  const bits = ip.bytes.length * 8;
  const prefix = digits === undefined ? bits : Number(digits);
  if (prefix > bits) throw outOfRange(name, `a prefix of at most ${bits} bits`, value);
  // Where the whole network is of mapped addresses, it is the IPv4 network that it stands for.
  const isIpv4 = ip.family === 'ipv6' && prefix >= 96 && isMapped(ip.bytes);
  return isIpv4 ? { bytes: ip.bytes.subarray(12), prefix: prefix - 96 } : { ...ip, prefix };
}

/** Whether the first `prefix` bits are the same; those behind count on neither side. */
function shareBits(one: Uint8Array, other: Uint8Array, prefix: number): boolean {
  const whole = prefix >> 3;
  for (let index = 0; index < whole; index++) if (one[index] !== other[index]) return false;
  const rest = prefix & 7;
  if (rest === 0) return true;
  const difference = (one[whole] as number) ^ (other[whole] as number);
  return difference >> (8 - rest) === 0;
}

/**
 * Whether an address lies in a network.
 *
 * IPv4-mapped addresses are the IPv4 addresses they stand for, on both sides, so that a rule for
 * `10.0.0.0/8` also holds for the `::ffff:10.1.2.3` that a dual-stack listener reports, and
 * `::ffff:10.0.0.0/104` is the same rule. They lie in IPv6 networks that hold them as well
 * (`::/0`); an address written as IPv4 lies in none of those.
 *
 * @param ip An IPv4 or IPv6 literal, without a zone.
 * @param cidr A network such as `192.0.2.0/24` or `2001:db8::/32`. Bits behind the prefix do not
 * count, so `192.0.2.5/24` is the same. Without a prefix it is that one address.
 * @returns `false`, too, when the two are of different families.
 * @throws TypeError (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) when one of them is not what
 * it should be, RangeError (`ERR_OUT_OF_RANGE`) when the prefix is longer than the address: a rule
 * that is malformed never just fails to match.
 * @example
 * ```ts
 * cidrMatch('192.0.2.77', '192.0.2.0/24'); // true
 * ```
 * @see RFC 4632, RFC 4291 section 2.5.5.2
 */
export function cidrMatch(ip: string, cidr: string): boolean {
  const { bytes, mappedIpv4 } = checkIp(ip);
  const network = parseNetwork(cidr);
  const isIpv4 = network.bytes.length === 4;
  const same = mappedIpv4 !== undefined && isIpv4 ? bytes.subarray(12) : bytes;
  return same.length === network.bytes.length && shareBits(same, network.bytes, network.prefix);
}
