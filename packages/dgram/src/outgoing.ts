/** From what callers give to what the addon sends: one memory, and an entry for each datagram. */
import { types } from 'node:util';
import type { Data } from '@sock/core';
import {
  checkAttached,
  checkInteger,
  DatagramFlag,
  DatagramWord,
  invalidType,
  invalidValue,
  outOfRange,
  toBytes,
  wordsPerDatagram,
} from '@sock/native';
import { checkAddress, isKnown, putAddress, putSource } from './addresses.js';
import type { Datagram } from './datagrams.js';
import type { Traits } from './traits.js';

const { AddressSize, Flags, Length, Offset, Segment, Tos, Ttl } = DatagramWord;
const { SetTos, SetTtl } = DatagramFlag;
const { byteLength } = Buffer;
/** What one call may send. */
const sendMax = 2 ** 30;

/** What a system call sends. */
export interface Outgoing {
  memory: Uint8Array;
  entries: Int32Array;
  count: number;
}

/** Where a datagram goes: a checked address, and its port. */
export interface Target {
  readonly address: string;
  readonly port: number;
}

/** Limits, by name: of one datagram, or of those that the data is cut into. */
function checkLength(length: number, segment: number, traits: Traits, name: string): void {
  const largest = segment > 0 ? Math.min(segment, length) : length;
  if (largest > traits.sizeMax) {
    throw outOfRange(`${name}`, `at most ${traits.sizeMax} bytes`, `${largest} bytes`);
  }
}

function checkSegment(value: unknown, traits: Traits, name: string): number {
  if (value === undefined || value === 0) return 0;
  const segment = checkInteger(name, value, 1, 65_507);
  if (traits.family !== 'unix') return segment;
  throw invalidValue(name, 'is for UDP sockets', value);
}

/** An entry with its place in the memory, and nothing else. */
function putPlace(entries: Int32Array, entry: number, offset: number, length: number): number {
  const at = entry * wordsPerDatagram;
  entries[at + Offset] = offset;
  entries[at + Length] = length;
  entries[at + Flags] = 0;
  entries[at + AddressSize] = 0;
  entries[at + Segment] = 0;
  return at;
}

/** Of the thread, for sends that are over at once; those that wait take a copy. */
const single: Outgoing = {
  memory: new Uint8Array(0),
  entries: new Int32Array(wordsPerDatagram),
  count: 1,
};

/** The bytes of one datagram. */
export function checkData(data: unknown, traits: Traits): Uint8Array {
  const bytes = toBytes(data);
  checkLength(bytes.length, 0, traits, 'data');
  return bytes;
}

/** The bytes of as many as there are of that size. */
export function checkSegments(data: unknown, segmentSize: unknown, traits: Traits): Uint8Array {
  const bytes = toBytes(data);
  if (bytes.length > sendMax) {
    throw outOfRange('data', `at most ${sendMax} bytes`, `${bytes.length} bytes`);
  }
  const segment = checkInteger('segmentSize', segmentSize, 1, 65_507);
  checkSegment(segment, traits, 'segmentSize');
  checkLength(bytes.length, segment, traits, 'segmentSize');
  return bytes;
}

/** Checked bytes of one datagram, or with a segment size of several, sent from where they are. */
export function outgoing(
  bytes: Uint8Array,
  target: Target | undefined,
  traits: Traits,
  segment = 0,
): Outgoing {
  const { entries } = single;
  putPlace(entries, 0, 0, bytes.length);
  entries[Segment] = segment;
  if (target !== undefined) putAddress(entries, 0, traits.family, target.address, target.port);
  single.memory = bytes;
  return single;
}

/** Memory that is used again for each call. */
interface Scratch {
  memory: Buffer;
  entries: Int32Array;
}

const memoryKeptMax = 4 * 1024 * 1024;
const memoryMin = 64 * 1024;
const entriesMin = 64;
/** Null while datagrams are read: their getters may send others, which need another one. */
let scratch: Scratch | null = null;

function takeScratch(count: number): Scratch {
  const taken = scratch ?? {
    memory: Buffer.allocUnsafeSlow(memoryMin),
    entries: new Int32Array(entriesMin * wordsPerDatagram),
  };
  scratch = null;
  if (taken.entries.length < count * wordsPerDatagram) {
    taken.entries = new Int32Array(2 * count * wordsPerDatagram);
  }
  return taken;
}

/** Somebody waits with what was packed last: the next one needs memory of its own. */
export function giveAwayMemory(): void {
  if (scratch !== null) scratch.memory = Buffer.allocUnsafeSlow(memoryMin);
}

function dataOf(datagram: unknown, prefix: string, entry: number): unknown {
  try {
    if (typeof datagram === 'object' && datagram !== null) return (datagram as Datagram).data;
  } catch (error) {
    // What a getter throws is its owner's; a proxy that was revoked is no datagram.
    if (!types.isProxy(datagram)) throw error;
  }
  throw invalidType(`${prefix}[${entry}]`, 'an object with data', datagram);
}

function measure(data: unknown, prefix: string, entry: number): number {
  if (typeof data === 'string') return byteLength(data);
  if (types.isUint8Array(data)) {
    if (data.length === 0) checkAttached(nameOf(prefix, entry, 'data'), data);
    return data.length;
  }
  const name = nameOf(prefix, entry, 'data');
  throw invalidType(name, 'a string or an instance of Buffer or Uint8Array', data);
}

/** What a datagram says of how it is to go, besides where. */
function putWays(into: Int32Array, entry: number, datagram: Datagram, name: string): void {
  const { tos, ttl } = datagram;
  const at = entry * wordsPerDatagram;
  if (tos !== undefined) {
    into[at + Tos] = checkInteger(`${name}.tos`, tos, 0, 255);
    into[at + Flags] = (into[at + Flags] as number) | SetTos;
  }
  if (ttl !== undefined) {
    into[at + Ttl] = checkInteger(`${name}.ttl`, ttl, 1, 255);
    into[at + Flags] = (into[at + Flags] as number) | SetTtl;
  }
}

function putLocal(
  into: Int32Array,
  entry: number,
  { localAddress, interfaceIndex = 0 }: Datagram,
  traits: Traits,
  name: string,
): void {
  if (traits.family === 'unix') throw invalidValue(name, 'is for UDP sockets', localAddress);
  const address =
    localAddress === undefined
      ? ''
      : checkAddress(localAddress, traits.family, `${name}.localAddress`);
  checkInteger(`${name}.interfaceIndex`, interfaceIndex, 0, 2 ** 31 - 1);
  putSource(into, entry, traits.family, address, interfaceIndex);
}

/** Everything but the bytes of a datagram. */
function putDatagram(
  entries: Int32Array,
  entry: number,
  datagram: Datagram,
  offset: number,
  length: number,
  traits: Traits,
  prefix: string,
): void {
  const { address, port, localAddress, interfaceIndex, tos, ttl, segmentSize } = datagram;
  const at = putPlace(entries, entry, offset, length);
  const { family } = traits;
  if (address !== undefined && address !== '') {
    if (!isKnown(address, family)) checkAddress(address, family, nameOf(prefix, entry, 'address'));
    const isPath = family === 'unix';
    if (!isPath && !(Number.isInteger(port) && (port as number) > 0 && (port as number) < 65_536)) {
      checkInteger(nameOf(prefix, entry, 'port'), port, 1, 65_535);
    }
    putAddress(entries, entry, family, address, isPath ? 0 : (port as number));
  }
  let segment = 0;
  if (segmentSize !== undefined) {
    segment = checkSegment(segmentSize, traits, nameOf(prefix, entry, 'segmentSize'));
    entries[at + Segment] = segment;
  }
  if (length > traits.sizeMax) checkLength(length, segment, traits, nameOf(prefix, entry, 'data'));
  if (tos !== undefined || ttl !== undefined) {
    putWays(entries, entry, datagram, `${prefix}[${entry}]`);
  }
  if (localAddress !== undefined || (interfaceIndex !== undefined && interfaceIndex !== 0)) {
    putLocal(entries, entry, datagram, traits, `${prefix}[${entry}]`);
  }
}

/** Made only when something is wrong. */
function nameOf(prefix: string, entry: number, key: string): string {
  return `${prefix}[${entry}].${key}`;
}

/**
 * Copies the datagrams behind one another, so that they leave by one system call. Each is read
 * once, and nothing of the caller's runs while the bytes are copied.
 */
export function pack(datagrams: readonly Datagram[], traits: Traits, prefix: string): Outgoing {
  const count = datagrams.length;
  const taken = takeScratch(count);
  const { entries } = taken;
  const pieces = new Array<Data>(count);
  let total = 0;
  for (let i = 0; i < count; i++) {
    const datagram = datagrams[i] as Datagram;
    const data = dataOf(datagram, prefix, i);
    const length = measure(data, prefix, i);
    putDatagram(entries, i, datagram, total, length, traits, prefix);
    pieces[i] = data as Data;
    total += length;
    if (total > sendMax) throw outOfRange(prefix, `at most ${sendMax} bytes in all`, 'more');
  }
  let target = taken.memory;
  if (target.length < total) {
    target = Buffer.allocUnsafeSlow(2 * total);
    if (target.length <= memoryKeptMax) taken.memory = target;
  }
  for (let i = 0; i < count; i++) {
    const at = i * wordsPerDatagram;
    const [data, offset] = [pieces[i] as Data, entries[at + Offset] as number];
    if (typeof data === 'string') {
      target.write(data, offset);
    } else if (data.length === entries[at + Length]) {
      target.set(data, offset);
    } else {
      throw invalidValue(nameOf(prefix, i, 'data'), 'must not be detached meanwhile', data);
    }
  }
  scratch = taken;
  return { memory: target.subarray(0, total), entries, count };
}
