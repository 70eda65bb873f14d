/** Addresses as keys: all of one network have the same. */
import { type IpAddress, isMapped, parseIp } from '@sock/core';
import { invalidType, invalidValue } from '@sock/native';

/** The first bits of an address, as text of as many characters as the address has bytes. */
export function networkKey(bytes: Uint8Array, prefix: number): string {
  let key = '';
  for (let at = 0; at < bytes.length; at++) {
    const bits = Math.min(8, Math.max(0, prefix - 8 * at));
    key += String.fromCharCode((bytes[at] as number) & (0xff00 >> bits));
  }
  return key;
}

/** A literal address; a zone, which says only where on this host it counts, is left aside. */
export function checkIp(name: string, value: unknown): IpAddress {
  if (typeof value !== 'string') throw invalidType(name, 'a string', value);
  const zone = value.indexOf('%');
  const ip = parseIp(zone < 0 ? value : value.slice(0, zone));
  if (ip === null) throw invalidValue(name, 'must be an IP address', value);
  return ip;
}

/** As much of an address as limits go by. */
export type PeerAddress = Pick<IpAddress, 'bytes' | 'family' | 'mappedIpv4'>;

/** The bytes by which it is counted: of the IPv4 address, where it stands for one. */
export function countedBytes({ bytes, mappedIpv4 }: PeerAddress): Uint8Array {
  return mappedIpv4 === undefined ? bytes : bytes.subarray(12);
}

/** The address that those bytes are, as the addon shows them; undefined where there are none. */
export function peerAddress(bytes: Uint8Array): PeerAddress | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes.length === 4) return { bytes, family: 'ipv4', mappedIpv4: undefined };
  const mappedIpv4 = isMapped(bytes) ? bytes.subarray(12).join('.') : undefined;
  return { bytes, family: 'ipv6', mappedIpv4 };
}

/** The address that a peer has, without its zone; undefined for a peer on a Unix socket. */
export function ipOf(remoteAddress: string | undefined): IpAddress | undefined {
  if (remoteAddress === undefined) return undefined;
  const zone = remoteAddress.indexOf('%');
  return parseIp(zone < 0 ? remoteAddress : remoteAddress.slice(0, zone)) ?? undefined;
}
