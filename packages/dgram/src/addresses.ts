/**
 * Addresses between text and the form that the kernel has them in, which lies in the entries of
 * batches.
 *
 * Theory of operation. Text becomes an address, and the other way round, in the addon. But nearly
 * all datagrams of a socket go to, and come from, few addresses, so both directions remember: texts
 * by a map, addresses by a table in which each has one place, where it is compared word by word.
 * The port of an internet address is no part of what is remembered.
 */
import {
  binding,
  checkLiteral,
  checkPath,
  DatagramFlag,
  DatagramWord,
  type Family,
  invalidValue,
  wordsPerDatagram,
} from '@sock/native';
import { lastCallError } from './errors.js';

const { readAddress, readDestination, writeAddress } = binding;
const { AddressSize, Address, Flags, Interface } = DatagramWord;

const isLittleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;
/** Where in the first word of an internet address the port is: in its second half of bytes. */
const portShift = isLittleEndian ? 16 : 0;
const portMask = 0xffff << portShift;

/** What is remembered is forgotten all at once: it is quickly learnt again. */
const textsMax = 1024;
const texts: Readonly<Record<Family, Map<string, Int32Array>>> = {
  ipv4: new Map(),
  ipv6: new Map(),
  unix: new Map(),
};
const scratch = new Int32Array(wordsPerDatagram);

function swapped(port: number): number {
  return isLittleEndian ? ((port & 0xff) << 8) | (port >> 8) : port;
}

/** A literal of the socket's family, or for a Unix socket a path: its name is for the error. */
export function checkAddress(value: unknown, family: Family, name: string): string {
  if (family === 'unix') return checkPath(value, name);
  const text = checkLiteral(value, name);
  if (family === (binding.addressFamily(text) === 4 ? 'ipv4' : 'ipv6')) return text;
  throw invalidValue(name, `must be an address of the socket's family, ${family}`, text);
}

/** Whether the text was an address of that family before: then it need not be checked again. */
export function isKnown(text: unknown, family: Family): text is string {
  return texts[family].has(text as string);
}

/** The size of the address, and its words. */
function encode(text: string, family: Family): Int32Array {
  const known = texts[family];
  const found = known.get(text);
  if (found !== undefined) return found;
  const isPath = family === 'unix';
  const result = writeAddress(scratch, 0, text, 0, isPath);
  if (result < 0) throw lastCallError(result, isPath ? { path: text } : { address: text });
  const size = scratch[AddressSize] as number;
  const words = new Int32Array(1 + ((size + 3) >> 2));
  words[0] = size;
  words.set(scratch.subarray(Address, Address + words.length - 1), 1);
  if (known.size >= textsMax) known.clear();
  known.set(text, words);
  return words;
}

/** Into an entry: a checked literal with its port, or a path. */
export function putAddress(
  entries: Int32Array,
  entry: number,
  family: Family,
  text: string,
  port: number,
): void {
  const words = encode(text, family);
  const at = entry * wordsPerDatagram;
  entries[at + AddressSize] = words[0] as number;
  for (let i = 1; i < words.length; i++) entries[at + Address + i - 1] = words[i] as number;
  if (family === 'unix') return;
  const first = words[1] as number;
  entries[at + Address] = (first & ~portMask) | (swapped(port) << portShift);
}

interface Place {
  readonly words: Int32Array;
  text: string;
}

const placesCount = 256;
const addressWords = wordsPerDatagram - Address;
const places: (Place | undefined)[] = new Array<Place | undefined>(placesCount).fill(undefined);

function isSame(place: Place, entries: Int32Array, at: number, from: number, count: number) {
  const { words } = place;
  if (words[0] !== entries[at + AddressSize]) return false;
  for (let i = from; i < count; i++) {
    if (words[i + 1] !== entries[at + Address + i]) return false;
  }
  return true;
}

/** The address in an entry, without its port: a literal, a path, `@name`, or '' for none. */
export function hostOf(entries: Int32Array, entry: number, family: Family): string {
  const at = entry * wordsPerDatagram;
  const size = entries[at + AddressSize] as number;
  if (size === 0) return '';
  // The first word of an internet address has the port.
  const from = family === 'unix' ? 0 : 1;
  const count = Math.min((size + 3) >> 2, addressWords);
  let hash = size;
  for (let i = from; i < count; i++) {
    hash = Math.imul(hash ^ (entries[at + Address + i] as number), 0x9e3779b1);
  }
  const index = (hash ^ (hash >>> 15) ^ (hash >>> 24)) & (placesCount - 1);
  const place = places[index];
  if (place !== undefined && isSame(place, entries, at, from, count)) return place.text;
  const text = readAddress(entries, entry);
  const words = new Int32Array(1 + count);
  words[0] = size;
  for (let i = 0; i < count; i++) words[i + 1] = entries[at + Address + i] as number;
  places[index] = { words, text };
  return text;
}

/** The port of an internet address; 0 where there is none. */
export function portOf(entries: Int32Array, entry: number, family: Family): number {
  const at = entry * wordsPerDatagram;
  if (family === 'unix' || entries[at + AddressSize] === 0) return 0;
  return swapped(((entries[at + Address] as number) >>> portShift) & 0xffff);
}

/** The address that the datagram was sent to. */
export function destinationOf(entries: Int32Array, entry: number): string {
  return readDestination(entries, entry, false);
}

/** Into an entry: the address of this host, and the interface, that the datagram is to leave by. */
export function putSource(
  entries: Int32Array,
  entry: number,
  family: Family,
  address: string,
  interfaceIndex: number,
): void {
  const result = binding.writeSource(entries, entry, address, interfaceIndex, family === 'ipv6');
  if (result < 0) throw lastCallError(result, { address });
}

/** Where the datagram came in, and can be answered from; `address` is undefined for a group. */
export function sourceOf(entries: Int32Array, entry: number) {
  const at = entry * wordsPerDatagram;
  if (((entries[at + Flags] as number) & DatagramFlag.Local) === 0) return undefined;
  const address = readDestination(entries, entry, true) || undefined;
  return { address, interfaceIndex: entries[at + Interface] as number };
}
