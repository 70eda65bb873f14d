import {
  checkInteger,
  checkOptions,
  DatagramFlag,
  DatagramWord,
  type Family,
  invalidType,
  wordsPerDatagram,
} from '@sock/native';
import { destinationOf, hostOf, portOf, sourceOf } from './addresses.js';
import type { Arrival, ReceivedDatagram } from './datagrams.js';
import { detachedError } from './errors.js';

const { Dropped, Flags, Segment, Time, Tos, Ttl } = DatagramWord;
const wordsPerPlace = 3;
/** UDP_MAX_SEGMENTS of the newest kernels: so many datagrams may have been joined into one. */
export const segmentsMax = 128;
/** Of a Unix datagram what is usual, of others more than there can be. */
export const joinedRoom = 65_535;
/** Places for the bytes begin at lines of the cache that differ, or they would evict each other. */
const cacheLine = 64;

/** Room for each of so many datagrams. */
export function checkRooms(name: string, size: unknown, max: number): number {
  const allMax = Math.floor((2 ** 31 - 1) / max) - 2 * cacheLine;
  return checkInteger(name, size, 0, Math.min(2 ** 24, allMax));
}

/** Options of a {@link DatagramBatch}. */
export interface DatagramBatchOptions {
  /** The most datagrams of a receive: 1 to 1,024. Default 64. */
  max?: number | undefined;
  /**
   * Room for each, in bytes: 0 to 2^24. Default 2,048; what is longer is cut, and says so. With
   * receive offload 65,535 is the right room, since the kernel joins many into one.
   */
  size?: number | undefined;
}

/** The Buffer class as a constructor over existing memory, without Buffer.from's checks. */
export const { [Symbol.species]: BufferOver } = Buffer as unknown as {
  [Symbol.species]: new (memory: ArrayBufferLike, offset: number, length: number) => Buffer;
};

const unspecified: Arrival = {
  destination: undefined,
  tos: undefined,
  ecn: undefined,
  ttl: undefined,
  time: undefined,
  dropped: undefined,
};

/** How the datagram of an entry came, if that was asked for. */
function arrivalOf(entries: Int32Array, entry: number): Arrival | undefined {
  const at = entry * wordsPerDatagram;
  const flags = entries[at + Flags] as number;
  const { Local, Tos: HasTos, Ttl: HasTtl, Time: HasTime, Dropped: HasDropped } = DatagramFlag;
  if ((flags & (Local | HasTos | HasTtl | HasTime | HasDropped)) === 0) return undefined;
  const tos = (flags & HasTos) === 0 ? undefined : (entries[at + Tos] as number);
  return {
    ...unspecified,
    destination: (flags & Local) === 0 ? undefined : destinationOf(entries, entry),
    tos,
    ecn: tos === undefined ? undefined : tos & 3,
    ttl: (flags & HasTtl) === 0 ? undefined : (entries[at + Ttl] as number),
    time:
      (flags & HasTime) === 0
        ? undefined
        : new Float64Array(entries.buffer, entries.byteOffset + 4 * (at + Time), 1)[0],
    dropped: (flags & HasDropped) === 0 ? undefined : (entries[at + Dropped] as number) >>> 0,
  };
}

/** What the entry says of a datagram whose bytes are these. */
export function describe(
  entries: Int32Array,
  entry: number,
  family: Family,
  data: Buffer,
): ReceivedDatagram {
  const flags = entries[entry * wordsPerDatagram + Flags] as number;
  const address = hostOf(entries, entry, family);
  const port = portOf(entries, entry, family);
  const truncated = (flags & DatagramFlag.Truncated) !== 0;
  if ((flags & ~DatagramFlag.Truncated) === 0) return { data, address, port, truncated };
  const source = sourceOf(entries, entry);
  const arrival = arrivalOf(entries, entry);
  if (source === undefined) return { data, address, port, truncated, arrival };
  const { address: localAddress, interfaceIndex } = source;
  return { data, address, port, truncated, localAddress, interfaceIndex, arrival };
}

/**
 * Datagrams in one memory with an index: what `recvBatchInto` fills and `sendBatch` sends, with one
 * system call and no object for a datagram. It serves again and again; what it said is good until
 * it is filled anew.
 *
 * Datagrams are numbered from 0 to `length` − 1. A number outside of that throws a RangeError.
 *
 * @example
 * ```ts
 * const batch = new DatagramBatch({ max: 128 });
 * for (;;) {
 *   await socket.recvBatchInto(batch);
 *   await socket.sendBatch(batch); // back to their senders
 * }
 * ```
 */
export class DatagramBatch {
  /** The most datagrams of a receive; with receive offload, of what the kernel has joined. */
  readonly max: number;
  /** Room for each, in bytes. */
  readonly size: number;
  /** The memory that all datagrams lie in, at {@link offset}. */
  readonly buffer: Buffer;
  /** @internal What the addon writes of each datagram, or of several that were joined. */
  readonly entries: Int32Array;
  /** @internal Where each datagram lies: offset, length and entry. */
  readonly places: Int32Array;
  /** @internal Bytes from one entry's memory to the next one's. */
  readonly stride: number;
  /** @internal How many entries are in use. */
  filled = 0;
  /** @internal Of the socket that filled it. */
  family: Family = 'ipv4';
  #count = 0;

  /** @throws TypeError, RangeError when an option is wrong. */
  constructor(options?: DatagramBatchOptions) {
    const { max = 64, size = 2_048 } = checkOptions<DatagramBatchOptions>(options, ['max', 'size']);
    this.max = checkInteger('options.max', max, 1, 1_024);
    this.size = checkRooms('options.size', size, this.max);
    const lines = Math.ceil(this.size / cacheLine);
    this.stride = (lines + (lines % 2 === 0 ? 1 : 0)) * cacheLine;
    const datagramsMax = this.size < joinedRoom ? this.max : this.max * segmentsMax;
    this.buffer = Buffer.from(new ArrayBuffer(this.stride * this.max));
    this.entries = new Int32Array(wordsPerDatagram * this.max);
    this.places = new Int32Array(wordsPerPlace * datagramsMax);
  }

  /** How many datagrams there are. */
  get length(): number {
    return this.#count;
  }

  /** Where in {@link buffer} the datagram begins. */
  offset(index: number): number {
    return this.places[this.placeOf(index)] as number;
  }

  /** How many bytes it has; 0 is a datagram too. */
  byteLength(index: number): number {
    return this.places[this.placeOf(index) + 1] as number;
  }

  /**
   * A view of its bytes, which changes when the batch is filled anew. Throws
   * `ERR_SOCK_BUFFER_DETACHED` when {@link buffer} was transferred.
   */
  data(index: number): Buffer {
    const at = this.placeOf(index);
    if (this.isDetached) throw detachedError();
    const { buffer, byteOffset } = this.buffer;
    const offset = byteOffset + (this.places[at] as number);
    return new BufferOver(buffer, offset, this.places[at + 1] as number);
  }

  /** The sender: a literal address, a path or `@name`; '' for a Unix socket without a name. */
  address(index: number): string {
    return hostOf(this.entries, this.entryOf(index), this.family);
  }

  /** The sender's port; 0 for a Unix socket. */
  port(index: number): number {
    return portOf(this.entries, this.entryOf(index), this.family);
  }

  /** Whether it was longer than {@link size}, and its rest is lost. */
  truncated(index: number): boolean {
    return (this.flagsOf(index) & DatagramFlag.Truncated) !== 0;
  }

  /**
   * Everything that is known of it, with its bytes in {@link data}'s memory: copy what is to
   * outlive the batch.
   */
  message(index: number): ReceivedDatagram {
    return describe(this.entries, this.entryOf(index), this.family, this.data(index));
  }

  /** @internal Whether its memory was taken away; it is never empty otherwise. */
  get isDetached(): boolean {
    return this.buffer.length === 0;
  }

  /** @internal Whether it is one, and not made to look like one. */
  static isBatch(value: unknown): value is DatagramBatch {
    return typeof value === 'object' && value !== null && #count in value;
  }

  /** @internal The index is of so many datagrams, in so many entries. */
  fill(count: number, filled: number, family: Family): void {
    this.#count = count;
    this.filled = filled;
    this.family = family;
  }

  /** @internal Puts a datagram in that came by another way; false when there is no room. */
  put(words: Int32Array, data: Uint8Array): boolean {
    if (this.filled === this.max) return false;
    const entry = this.filled;
    const at = entry * wordsPerDatagram;
    const length = Math.min(data.length, this.size);
    const offset = entry * this.stride;
    this.entries.set(words, at);
    this.entries[at] = offset;
    this.entries[at + DatagramWord.Length] = length;
    this.entries[at + Segment] = 0;
    if (length < data.length) {
      this.entries[at + Flags] = (this.entries[at + Flags] as number) | DatagramFlag.Truncated;
    }
    this.buffer.set(length < data.length ? data.subarray(0, length) : data, offset);
    this.places.set([offset, length, entry], this.#count * wordsPerPlace);
    this.#count++;
    this.filled++;
    return true;
  }

  /** @internal How many datagrams the first so many entries hold. */
  datagramsIn(entries: number): number {
    if (entries >= this.filled) return this.#count;
    let count = 0;
    while ((this.places[count * wordsPerPlace + 2] as number) < entries) count++;
    return count;
  }

  /** @internal */
  entryOf(index: number): number {
    return this.places[this.placeOf(index) + 2] as number;
  }

  private flagsOf(index: number): number {
    return this.entries[this.entryOf(index) * wordsPerDatagram + Flags] as number;
  }

  private placeOf(index: number): number {
    if (Number.isInteger(index) && index >= 0 && index < this.#count) return index * wordsPerPlace;
    checkInteger('index', index, 0, this.#count - 1);
    throw invalidType('index', 'the number of a datagram', index);
  }
}

export const { isBatch } = DatagramBatch;

export function checkBatch(value: unknown): DatagramBatch {
  if (isBatch(value)) return value;
  throw invalidType('batch', 'an instance of DatagramBatch', value);
}
