/** Addresses as keys: all of one network have the same. */
import { type IpAddress, parseIp } from '@sock/core';
import { invalidType, invalidValue } from '@sock/native';

/** The first bits of an address, as text of as many characters as the address has bytes. */
export function networkKey(bytes: Uint8Array, prefix: number): string {
  const masked = Buffer.from(bytes);
  const whole = prefix >> 3;
  if (whole < masked.length) {
    masked[whole] = (masked[whole] as number) & (0xff00 >> (prefix & 7));
    masked.fill(0, whole + 1);
  }
  return masked.toString('latin1');
}

/** A literal address; a zone, which says only where on this host it counts, is left aside. */
export function checkIp(name: string, value: unknown): IpAddress {
  if (typeof value !== 'string') throw invalidType(name, 'a string', value);
  const zone = value.indexOf('%');
  const ip = parseIp(zone < 0 ? value : value.slice(0, zone));
  if (ip === null) throw invalidValue(name, 'must be an IP address', value);
  return ip;
}

/** The bytes by which it is counted: of the IPv4 address, where it stands for one. */
export function countedBytes({ bytes, mappedIpv4 }: IpAddress): Uint8Array {
  return mappedIpv4 === undefined ? bytes : bytes.subarray(12);
}

/** The address that a peer has, without its zone; undefined for a peer on a Unix socket. */
export function ipOf(remoteAddress: string | undefined): string | undefined {
  if (remoteAddress === undefined) return undefined;
  const zone = remoteAddress.indexOf('%');
  const ip = zone < 0 ? remoteAddress : remoteAddress.slice(0, zone);
  return parseIp(ip) === null ? undefined : ip;
}
