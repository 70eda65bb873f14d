/**
 * What may be looked up. One validator for all forms, since what one lets through and another does
 * not is how names get past a check.
 */
import { domainToASCII } from 'node:url';
import { parseIp } from '@sock/core';
import { binding, invalidType, invalidValue } from '@sock/native';

export type Family = 'ipv4' | 'ipv6';

export interface LiteralHost {
  readonly kind: 'literal';
  /** Canonical, with its zone if it has one. */
  readonly address: string;
  readonly family: Family;
}

export interface NamedHost {
  readonly kind: 'name';
  /** In ASCII and lower case; with its final dot, which keeps search domains away. */
  readonly name: string;
  /** What lookups for it are known by: made once, since hashing a new string costs as much. */
  readonly keys: Readonly<Record<Family | 'any', string>>;
}

export type Host = LiteralHost | NamedHost;

/** RFC 1035, section 2.3.4: 255 octets on the wire are 253 characters and a dot. */
const nameLengthMax = 253;
/** Letters, digits, hyphens inside; and underscores, as in `_dmarc` and many a host. */
const label = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;
/** `127.1`, `0x7f.1`, `2130706433`: getaddrinfo would read them as IPv4 addresses. */
const endsInNumber = /(^|\.)(\d+|0x[0-9a-f]*)$/;

function parseLiteral(text: string): LiteralHost | null {
  const family = binding.addressFamily(text);
  if (family === 0) return null;
  const [address = text, zone] = text.split('%', 2);
  const canonical = parseIp(address)?.address ?? address;
  return {
    kind: 'literal',
    address: zone === undefined ? canonical : `${canonical}%${zone}`,
    family: family === 4 ? 'ipv4' : 'ipv6',
  };
}

/** The name in ASCII, or why it is none. */
function toAscii(text: string): { name: string } | { reason: string } {
  if (/^\p{ASCII}*$/u.test(text)) return { name: text.toLowerCase() };
  const name = domainToASCII(text);
  if (name === '') return { reason: 'must be a valid international domain name' };
  // Full-width digits and the like: nobody who writes an address writes it so.
  if (binding.addressFamily(name) !== 0) return { reason: 'must not be an address in disguise' };
  return { name };
}

/** What is wrong with a name in ASCII and lower case, or undefined. */
function flawOf(name: string): string | undefined {
  const bare = name.endsWith('.') ? name.slice(0, -1) : name;
  if (bare === '' || bare.length > nameLengthMax) {
    return `must have 1 to ${nameLengthMax} characters`;
  }
  if (!bare.split('.').every((part) => label.test(part))) {
    return 'must consist of labels of 1 to 63 letters, digits, underscores and inner hyphens';
  }
  if (endsInNumber.test(bare)) return 'must not be a shortened or non-decimal IPv4 address';
  return undefined;
}

/** Hosts that were taken apart before: the same few are asked for again and again. */
const known = new Map<string, Host>();
const knownMax = 1_000;

/** Takes a host apart; null is everywhere's name elsewhere, so it is not one here. */
export function parseHost(value: unknown): Host | { reason: string } {
  if (typeof value !== 'string') return { reason: 'must be a string' };
  const before = known.get(value);
  if (before !== undefined) return before;
  const host = parse(value);
  if ('reason' in host) return host;
  if (known.size === knownMax) known.clear();
  known.set(value, host);
  return host;
}

function parse(text: string): Host | { reason: string } {
  const literal = text.includes('\0') ? null : parseLiteral(text);
  if (literal !== null) return literal;
  const ascii = toAscii(text);
  if ('reason' in ascii) return ascii;
  const { name } = ascii;
  const reason = flawOf(name);
  if (reason !== undefined) return { reason };
  return {
    kind: 'name',
    name,
    keys: { any: `any ${name}`, ipv4: `ipv4 ${name}`, ipv6: `ipv6 ${name}` },
  };
}

export function checkHost(value: unknown, argument = 'host'): Host {
  if (typeof value !== 'string') throw invalidType(argument, 'a string', value);
  const host = parseHost(value);
  if ('reason' in host) throw invalidValue(argument, host.reason, value);
  return host;
}

export function checkLiteral(value: unknown, argument: string): LiteralHost {
  if (typeof value !== 'string') throw invalidType(argument, 'a string', value);
  const host = value.includes('\0') ? null : parseLiteral(value);
  if (host === null) throw invalidValue(argument, 'must be a literal IP address', value);
  return host;
}

export function checkName(value: unknown, argument = 'name'): string {
  const host = checkHost(value, argument);
  if (host.kind === 'name') return host.name;
  throw invalidValue(argument, 'must be a name', value);
}
