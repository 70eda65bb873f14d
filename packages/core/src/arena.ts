/**
 * Memory that comes in pieces and goes at once.
 *
 * Theory of operation. Pieces are cut from the front of a chunk, one behind the other. Releasing
 * detaches the chunks, so that a view that somebody kept is empty and can never show what the
 * memory is used for next; the memory itself lives on under a new ArrayBuffer and waits, sorted by
 * size, for the next arena that needs a chunk. Rejected: handing the same ArrayBuffer out again,
 * with which forgotten views would look into other people's data.
 */
import {
  checkBoolean,
  checkInteger,
  checkOptions,
  invalidType,
  outOfRange,
  tellOfDetached,
} from '@sock/native';
import { ArenaError } from './errors.js';
import { allocateMemory, takeAway } from './memory.js';

/** How an {@link Arena} is made. */
export interface ArenaOptions {
  /**
   * Overwrites the memory with zeros when it is released, for secrets. Default `false`: the bytes
   * stay in this process's memory until something else is written there.
   */
  zeroOnRelease?: boolean | undefined;
}

/** One limit for all: an allocation, its padding included. As in the C library. */
export const arenaAllocationMax = 100 * 1024 * 1024;
/** The C library's, as is the number of chunks that are kept. */
const chunkSizeDefault = 10 * 1024;
const keptMax = 10;
/** Larger ones are seldom needed again, and ten of them would be a lot to hold for nothing. */
const keptSizeMax = 1024 * 1024;
/** A cache line; a guess that nobody needs more than a page. */
const alignMax = 4096;
/** Any number type of the machine fits, as with malloc(3). */
const alignDefault = 16;

/** Memory that nobody uses, smallest first. */
const kept: ArrayBuffer[] = [];

interface Chunk {
  readonly memory: ArrayBuffer;
  readonly size: number;
  used: number;
}

/** The smallest that is kept and large enough, or new. */
function chunkOf(sizeMin: number): Chunk {
  const index = kept.findIndex(({ byteLength }) => byteLength >= sizeMin);
  const [found] = index < 0 ? [] : kept.splice(index, 1);
  const memory = found ?? allocateMemory(Math.max(sizeMin, chunkSizeDefault));
  return { memory, size: memory.byteLength, used: 0 };
}

let hasChunks: (value: object) => boolean;

/** One that its constructor made: asking `instanceof` would call what a proxy traps. */
export function checkArena(name: string, value: unknown): Arena {
  if (typeof value === 'object' && value !== null && hasChunks(value)) return value as Arena;
  throw invalidType(name, 'an instance of Arena', value);
}

function keep(memory: ArrayBuffer): void {
  if (kept.length >= keptMax || memory.byteLength > keptSizeMax) return;
  const index = kept.findIndex(({ byteLength }) => byteLength > memory.byteLength);
  kept.splice(index < 0 ? kept.length : index, 0, memory);
}

/**
 * A region of memory: many allocations, released together. For what lives as long as a connection
 * or a request does, such as its buffers.
 *
 * Every view that an arena handed out becomes empty (`length` 0) when it is cleared or disposed,
 * wherever it is kept, so that none can look at what the memory is used for next. Operations of
 * sockets that wait with such a view reject with `ERR_SOCK_BUFFER_DETACHED`. An arena that is
 * forgotten goes with its last view, like all memory; there is nothing to leak.
 *
 * An arena belongs to its thread. Views may be handed to sockets, but not transferred to a worker:
 * that takes the whole chunk away from here.
 * @example
 * ```ts
 * using arena = new Arena();
 * const count = await socket.recv(arena.alloc(4096));
 * ```
 */
export class Arena {
  static {
    hasChunks = (value) => #chunks in value;
  }

  #chunks: Chunk[] = [];
  #disposed = false;
  readonly #zeroes: boolean;

  /**
   * No memory is taken before it is asked for.
   *
   * @param options Only `zeroOnRelease` so far.
   * @throws TypeError when an option is wrong.
   */
  constructor(options?: ArenaOptions) {
    const { zeroOnRelease = false } = checkOptions<ArenaOptions>(options, ['zeroOnRelease']);
    this.#zeroes = checkBoolean('options.zeroOnRelease', zeroOnRelease);
  }

  /** Whether it was disposed; every allocation throws then. */
  get isDisposed(): boolean {
    return this.#disposed;
  }

  /** Bytes handed out and not released, the gaps of their alignment included. */
  get bytesUsed(): number {
    return this.#chunks.reduce((sum, { used }) => sum + used, 0);
  }

  /** Bytes of the chunks behind it: what it really holds. */
  get bytesReserved(): number {
    return this.#chunks.reduce((sum, { size }) => sum + size, 0);
  }

  /**
   * Memory that may hold anything: what an earlier arena left there, unless that one was made with
   * `zeroOnRelease`.
   *
   * @param size Bytes, an integer from 1 to 104,857,600 (100 MiB).
   * @param align A power of two from 1 to 4096, of which the view's `byteOffset` is a multiple.
   * Default 16. The start of a chunk is aligned as V8 aligns it, to 8 or more.
   * @returns A view that is valid until {@link clear} or {@link dispose}.
   * @throws RangeError (`ERR_OUT_OF_RANGE`), TypeError (`ERR_INVALID_ARG_TYPE`) for a wrong
   * argument; `ArenaError` with `ERR_SOCK_CLOSED` once disposed, with `ENOMEM` when there is no
   * memory.
   */
  alloc(size: number, align: number = alignDefault): Buffer {
    checkInteger('size', size, 1, arenaAllocationMax);
    checkInteger('align', align, 1, alignMax);
    if ((align & (align - 1)) !== 0) throw outOfRange('align', 'a power of two', align);
    if (this.#disposed) {
      throw new ArenaError('the arena is disposed', { code: 'ERR_SOCK_CLOSED' });
    }
    const chunk = this.#chunkFor(size, align);
    const start = alignUp(chunk.used, align);
    chunk.used = start + size;
    return Buffer.from(chunk.memory, start, size);
  }

  /**
   * Memory that is all zeros: {@link alloc} of `count × size` bytes with the default alignment.
   *
   * @param count An integer from 1 on.
   * @param size Bytes of each, an integer from 1 on; all of them together are at most 104,857,600.
   * @throws As {@link alloc} does; the RangeError for too much in all names `count`.
   */
  calloc(count: number, size: number): Buffer {
    checkInteger('count', count, 1, arenaAllocationMax);
    checkInteger('size', size, 1, arenaAllocationMax);
    // Both are below 2^27: their product is exact.
    if (count * size > arenaAllocationMax) {
      throw outOfRange('count', `at most ${Math.trunc(arenaAllocationMax / size)} here`, count);
    }
    return this.alloc(count * size).fill(0);
  }

  /** Releases everything: all views become empty, and the arena can be used again. */
  clear(): void {
    if (this.#chunks.length > 0) tellOfDetached();
    for (const { memory, size } of this.#chunks.splice(0)) {
      // Somebody may have transferred it; then it is theirs.
      if (memory.byteLength !== size) continue;
      if (this.#zeroes) new Uint8Array(memory).fill(0);
      const free = takeAway(memory);
      if (free !== null) keep(free);
    }
  }

  /** {@link clear}, for good: to allocate afterwards throws `ERR_SOCK_CLOSED`. Again: nothing. */
  dispose(): void {
    this.#disposed = true;
    this.clear();
  }

  /** {@link dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The chunk that is cut at present, where the piece fits, or one more. */
  #chunkFor(size: number, align: number): Chunk {
    const current = this.#chunks.at(-1);
    const isWhole = current !== undefined && current.memory.byteLength === current.size;
    if (isWhole && alignUp(current.used, align) + size <= current.size) return current;
    const chunk = chunkOf(size);
    // What a large piece leaves of its chunk is less than the last one still has, as a rule.
    const isSmaller = isWhole && chunk.size - size < current.size - current.used;
    this.#chunks.splice(this.#chunks.length - (isSmaller ? 1 : 0), 0, chunk);
    return chunk;
  }
}

/** `align` is a power of two. */
function alignUp(offset: number, align: number): number {
  return (offset + align - 1) & -align;
}
