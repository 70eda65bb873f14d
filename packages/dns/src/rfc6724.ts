/**
 * Destination address selection, RFC 6724 section 6, for lists that getaddrinfo(3) has not sorted:
 * those of c-ares, and those of two lookups, one for each family.
 *
 * What cannot be known without a look into the system is passed over: deprecated and home addresses
 * (rules 3 and 4) and transitional transports (rule 7). So is the local policy in gai.conf(5).
 */
import { parseIp } from '@sock/core';

interface Policy {
  readonly prefix: Uint8Array;
  readonly bits: number;
  readonly precedence: number;
  readonly label: number;
}

const prefixes: readonly [prefix: string, bits: number, precedence: number, label: number][] = [
  ['::1', 128, 50, 0],
  ['::ffff:0:0', 96, 35, 4],
  ['2002::', 16, 30, 2],
  ['2001::', 32, 5, 5],
  ['fc00::', 7, 3, 13],
  ['::', 96, 1, 3],
  ['fec0::', 10, 1, 11],
  ['3ffe::', 16, 1, 12],
  ['::', 0, 40, 1],
];

/** Section 2.1, the longest prefix first. */
const policies: readonly Policy[] = prefixes
  .map(([text, bits, precedence, label]) => ({ prefix: bytesOf(text), bits, precedence, label }))
  .sort((a, b) => b.bits - a.bits);

const linkLocal = 0x2;
const siteLocal = 0x5;
const global = 0xe;
/** Of an IPv6 address only this much is the network's (section 2.2). */
const networkBits = 64;

/** 16 bytes; IPv4 as the IPv4-mapped address that stands for it. */
function bytesOf(address: string): Uint8Array {
  const [bare = ''] = address.split('%', 1);
  const parsed = parseIp(bare)?.bytes ?? new Uint8Array(16);
  if (parsed.length === 16) return parsed;
  return Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...parsed);
}

function commonBits(a: Uint8Array, b: Uint8Array): number {
  for (const [index, byte] of a.entries()) {
    const difference = byte ^ (b[index] as number);
    if (difference !== 0) return 8 * index + Math.clz32(difference) - 24;
  }
  return 8 * a.length;
}

function policyOf(bytes: Uint8Array): Policy {
  return policies.find(({ prefix, bits }) => commonBits(prefix, bytes) >= bits) as Policy;
}

/** Section 3.1 for IPv6, 3.2 for IPv4. */
function scopeOf(bytes: Uint8Array, isIpv4: boolean): number {
  const at = (index: number): number => bytes[index] as number;
  if (isIpv4) return at(12) === 127 || (at(12) === 169 && at(13) === 254) ? linkLocal : global;
  if (at(0) === 0xff) return at(1) & 0xf;
  const isLoopback = commonBits(bytes, bytesOf('::1')) === 128;
  if (isLoopback || (at(0) === 0xfe && (at(1) & 0xc0) === 0x80)) return linkLocal;
  return at(0) === 0xfe && (at(1) & 0xc0) === 0xc0 ? siteLocal : global;
}

/** Everything that the rules look at, the first one first: what is greater is better. */
function ranksOf(
  destination: string,
  source: string,
  roundTrip = Number.POSITIVE_INFINITY,
): readonly number[] {
  const bytes = bytesOf(destination);
  const isIpv4 = !destination.includes(':');
  const scope = scopeOf(bytes, isIpv4);
  const policy = policyOf(bytes);
  if (source === '') return [0, 0, 0, policy.precedence, -scope, -roundTrip, 0];
  const from = bytesOf(source);
  const matchesScope = scope === scopeOf(from, isIpv4);
  const matchesLabel = policy.label === policyOf(from).label;
  // Rule 9 is for equals of one family. With IPv4 it undoes the round robin of name servers, as
  // networks there say nothing about who is near.
  const shared = isIpv4 ? 0 : Math.min(commonBits(bytes, from), networkBits);
  const matches = [Number(matchesScope), Number(matchesLabel)];
  return [1, ...matches, policy.precedence, -scope, -roundTrip, shared];
}

/**
 * The addresses, best first, equals in the order given (rule 10). `sourceOf` says from which
 * address this machine would send to one, `''` when it cannot. What is known to have worked, and
 * how fast, counts between rules 8 and 9, as RFC 8305 section 4 has it.
 */
export function sortAddresses(
  addresses: readonly string[],
  sourceOf: (address: string) => string,
  roundTripOf: (address: string) => number | undefined = () => undefined,
): string[] {
  if (addresses.length < 2) return [...addresses];
  const ranked = addresses.map((address) => ({
    address,
    ranks: ranksOf(address, sourceOf(address), roundTripOf(address)),
  }));
  ranked.sort((a, b) => {
    const decisive = a.ranks.findIndex((rank, index) => rank !== b.ranks[index]);
    return decisive < 0 ? 0 : (b.ranks[decisive] as number) - (a.ranks[decisive] as number);
  });
  return ranked.map(({ address }) => address);
}
