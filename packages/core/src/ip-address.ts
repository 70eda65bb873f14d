/** Addresses as bytes, and as the one text that stands for each. */
import { invalidType } from '@sock/native';

/** A literal address, taken apart. */
export interface IpAddress {
  /** Of which of the two it is; a mapped address is an IPv6 one. */
  readonly family: 'ipv4' | 'ipv6';
  /** The one text of this address, for comparing and as a key: RFC 5952. */
  readonly address: string;
  /** 4 or 16 bytes in network order, the caller's own. */
  readonly bytes: Uint8Array;
  /**
   * The IPv4 address behind an IPv4-mapped one (`::ffff:192.0.2.1`), which is how a dual-stack
   * listener shows IPv4 peers; undefined for every other.
   */
  readonly mappedIpv4: string | undefined;
}

const wordCount = 8;

function parseIpv4(text: string): Uint8Array | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  const bytes = new Uint8Array(4);
  for (const [index, part] of parts.entries()) {
    // A leading zero means octal to some, and nothing to inet_pton(3).
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null;
    bytes[index] = Number(part);
  }
  return bytes;
}

/** The 16-bit words of one side of `::`, of which the last two may be written as IPv4. */
function wordsOf(text: string, mayEndInIpv4: boolean): number[] | null {
  if (text === '') return [];
  const words: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(part)) {
      words.push(Number.parseInt(part, 16));
      continue;
    }
    if (!mayEndInIpv4 || index !== parts.length - 1) return null;
    const ipv4 = parseIpv4(part);
    if (ipv4 === null) return null;
    const view = new DataView(ipv4.buffer);
    words.push(view.getUint16(0), view.getUint16(2));
  }
  return words;
}

function parseIpv6(text: string): Uint8Array | null {
  const sides = text.split('::');
  if (sides.length > 2) return null;
  const [first = '', second] = sides;
  const head = wordsOf(first, second === undefined);
  const tail = second === undefined ? [] : wordsOf(second, true);
  if (head === null || tail === null) return null;
  const missing = wordCount - head.length - tail.length;
  // `::` stands for one word of zeros at least.
  if (second === undefined ? missing !== 0 : missing < 1) return null;
  const bytes = new Uint8Array(2 * wordCount);
  const view = new DataView(bytes.buffer);
  for (const [index, word] of head.entries()) view.setUint16(2 * index, word);
  for (const [index, word] of tail.entries()) {
    view.setUint16(2 * (head.length + missing + index), word);
  }
  return bytes;
}

/** Whether the 16 bytes are of ::ffff:0:0/96 (RFC 4291, section 2.5.5.2). */
export function isMapped(bytes: Uint8Array): boolean {
  return bytes.every((byte, index) => index >= 12 || byte === (index < 10 ? 0 : 0xff));
}

/** The longest run of two zero words or more, the first of several: RFC 5952, section 4.2. */
function longestZeros(words: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (const [index, word] of words.entries()) {
    if (word !== 0) start = index + 1;
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
  }
  return best.length > 1 ? best : { start: 0, length: 0 };
}

function formatIpv6(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const words = Array.from({ length: wordCount }, (_, index) => view.getUint16(2 * index));
  const hex = words.map((word) => word.toString(16));
  const { start, length } = longestZeros(words);
  if (length === 0) return hex.join(':');
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`;
}

/**
 * Takes a literal address apart, and gives it its canonical text: lower case, no leading zeros, the
 * longest run of zeros as `::`, IPv4-mapped addresses ending as IPv4 does.
 *
 * @param text What a user or a file says. IPv4 in four decimal parts without leading zeros, or
 * IPv6. With a name, a port, brackets, a prefix, space around it or a zone (`fe80::1%eth0`) it is
 * none.
 * @returns The address, or `null` when the text is none.
 * @throws TypeError (`ERR_INVALID_ARG_TYPE`) when `text` is not a string.
 * @example
 * ```ts
 * parseIp('2001:DB8:0:0::1')?.address; // '2001:db8::1'
 * ```
 * @see inet_pton(3), RFC 4291 section 2.2, RFC 5952
 */
export function parseIp(text: string): IpAddress | null {
  if (typeof text !== 'string') throw invalidType('text', 'a string', text);
  // The longest there is has 45 characters; what is longer need not be looked at.
  if (text.length > 45) return null;
  if (!text.includes(':')) {
    const bytes = parseIpv4(text);
    return bytes && { family: 'ipv4', address: text, bytes, mappedIpv4: undefined };
  }
  const bytes = parseIpv6(text);
  return bytes && ipOfBytes(bytes);
}

/** The address of those 4 or 16 bytes, which are its own from now on. */
export function ipOfBytes(bytes: Uint8Array): IpAddress {
  if (bytes.length === 4) {
    return { family: 'ipv4', address: bytes.join('.'), bytes, mappedIpv4: undefined };
  }
  const mappedIpv4 = isMapped(bytes) ? bytes.subarray(12).join('.') : undefined;
  const address = mappedIpv4 === undefined ? formatIpv6(bytes) : `::ffff:${mappedIpv4}`;
  return { family: 'ipv6', address, bytes, mappedIpv4 };
}
