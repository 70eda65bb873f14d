/** Bytes in between: those that came and were not used yet, in memory that goes round. */

import { types } from 'node:util';
import { checkAttached, checkInteger, checkOptions, invalidType, toBytes } from '@sock/native';
import { type Arena, arenaAllocationMax, checkArena } from './arena.js';
import { ArenaError } from './errors.js';
import { allocateMemory } from './memory.js';
import type { Data } from './stream-socket.js';

/** How a {@link RingBuffer} is made. */
export interface RingBufferOptions {
  /** Where its memory comes from, and with which it goes. Default: memory of its own. */
  arena?: Arena | undefined;
}

const capacityMax = 2 ** 31 - 1;
const nothing = Buffer.alloc(0);

/**
 * A queue of bytes of a fixed capacity, all of which can be used. Nothing waits: what does not fit
 * is not written, what is not there is not read, and the count tells.
 *
 * Bytes are moved by copying (`write`, `read`), or in place: {@link readView} and {@link consume},
 * {@link writeView} and {@link commit}. Where the memory is an arena's, everything that touches the
 * bytes throws `ArenaError` (`ERR_SOCK_BUFFER_DETACHED`) once the arena is cleared or disposed.
 * @example
 * ```ts
 * const input = new RingBuffer(64 * 1024);
 * input.commit(await socket.recv(input.writeView()));
 * ```
 */
export class RingBuffer {
  readonly #arena: Arena | undefined;
  #memory: Buffer;
  #capacity: number;
  /** Where the first byte is. */
  #head = 0;
  #count = 0;

  /**
   * @param capacity Bytes that it holds, an integer from 1 to 2^31−1, or to 104,857,600 in an
   * arena; {@link reserve} makes it more.
   * @param options Only `arena` so far.
   * @throws TypeError, RangeError for a wrong argument; `ArenaError` (`ENOMEM`, and for a disposed
   * arena `ERR_SOCK_CLOSED`).
   */
  constructor(capacity: number, options?: RingBufferOptions) {
    const { arena } = checkOptions<RingBufferOptions>(options, ['arena']);
    if (arena !== undefined) checkArena('options.arena', arena);
    checkInteger('capacity', capacity, 1, limitOf(arena));
    this.#arena = arena;
    this.#capacity = capacity;
    this.#memory = allocate(capacity, arena);
  }

  /** Bytes that it holds at most. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Bytes that can be read. */
  get available(): number {
    return this.#count;
  }

  /** Bytes that can be written. */
  get space(): number {
    return this.#capacity - this.#count;
  }

  /** Whether nothing can be read. */
  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Whether nothing can be written. */
  get isFull(): boolean {
    return this.#count === this.#capacity;
  }

  /**
   * Copies in as much as there is space for.
   *
   * @param data Bytes, or a string as UTF-8, which may be cut within a character.
   * @returns How many bytes were taken from the front of it; 0 when the buffer is full.
   * @throws TypeError when the data is neither; `ArenaError` (`ERR_SOCK_BUFFER_DETACHED`).
   */
  write(data: Data): number {
    const bytes = toBytes(data);
    this.#checkMemory();
    const count = Math.min(bytes.length, this.space);
    const tail = this.#wrap(this.#head + this.#count);
    const first = Math.min(count, this.#capacity - tail);
    this.#memory.set(bytes.subarray(0, first), tail);
    this.#memory.set(bytes.subarray(first, count), 0);
    this.#count += count;
    return count;
  }

  /**
   * Moves bytes out: up to `size` as a Buffer of their own, or into the front of a view.
   *
   * @param size An integer from 0 on; default all that is available. Or the Uint8Array to fill.
   * @returns The bytes, or their count. Fewer when there are not so many; none when it is empty.
   * @throws TypeError, RangeError when the argument is wrong; `ArenaError`
   * (`ERR_SOCK_BUFFER_DETACHED`).
   */
  read(size?: number): Buffer;
  read(view: Uint8Array): number;
  read(what?: number | Uint8Array): Buffer | number {
    const got = this.#copy(what);
    this.#drop(typeof got === 'number' ? got : got.length);
    return got;
  }

  /** {@link read} without taking the bytes out: the next `read` gives them again. */
  peek(size?: number): Buffer;
  peek(view: Uint8Array): number;
  peek(what?: number | Uint8Array): Buffer | number {
    return this.#copy(what);
  }

  /**
   * Takes bytes out unread, or after they were used in {@link readView}.
   *
   * @param size Bytes, an integer from 0 to {@link available}.
   * @throws TypeError, RangeError (`ERR_OUT_OF_RANGE`) for any other.
   */
  consume(size: number): void {
    this.#drop(checkInteger('size', size, 0, this.#count));
  }

  /** Empties it. The bytes stay in its memory until others are written there. */
  clear(): void {
    this.#head = 0;
    this.#count = 0;
  }

  /** Empties it and overwrites all of its memory with zeros: for secrets. */
  secureClear(): void {
    this.#memory.fill(0);
    this.clear();
  }

  /**
   * Sees to it that so many bytes can be written, with more memory where that is needed: twice the
   * capacity, or what is needed if that is more. The old memory is overwritten with zeros; views of
   * it ({@link readView}, {@link writeView}) are no longer of this buffer.
   *
   * @param space Bytes, an integer from 0 on; with what is available no more than the constructor
   * allows as a capacity.
   * @throws TypeError, RangeError (`ERR_OUT_OF_RANGE`), after which nothing has changed;
   * `ArenaError` (`ENOMEM`, `ERR_SOCK_CLOSED`, `ERR_SOCK_BUFFER_DETACHED`), likewise.
   */
  reserve(space: number): void {
    const limit = limitOf(this.#arena);
    checkInteger('space', space, 0, Math.max(this.space, limit - this.#count));
    this.#checkMemory();
    if (space <= this.space) return;
    const needed = this.#count + space;
    const capacity = Math.max(needed, Math.min(2 * this.#capacity, limit));
    const memory = allocate(capacity, this.#arena);
    this.#copy(memory);
    this.#memory.fill(0);
    this.#memory = memory;
    this.#capacity = capacity;
    this.#head = 0;
  }

  /**
   * The bytes at the front, in place, as many of them as lie together: all, or those up to the end
   * of the memory; once these are consumed, the rest. Empty when there are none.
   *
   * @returns A view that is good until the bytes are taken out, or memory is reserved.
   * @throws `ArenaError` (`ERR_SOCK_BUFFER_DETACHED`).
   */
  readView(): Buffer {
    this.#checkMemory();
    const end = Math.min(this.#head + this.#count, this.#capacity);
    return this.#memory.subarray(this.#head, end);
  }

  /**
   * Room for the next bytes, in place: what lies together of the space, and empty when there is
   * none. Write to its front, then {@link commit} how many; until then do nothing else that writes.
   *
   * @throws `ArenaError` (`ERR_SOCK_BUFFER_DETACHED`).
   */
  writeView(): Buffer {
    this.#checkMemory();
    const tail = this.#wrap(this.#head + this.#count);
    return this.#memory.subarray(tail, tail + this.#room(tail));
  }

  /**
   * Takes over what was written to the front of {@link writeView}.
   *
   * @param size Bytes, an integer from 0 to the length of that view.
   * @throws TypeError, RangeError (`ERR_OUT_OF_RANGE`) for any other; `ArenaError`
   * (`ERR_SOCK_BUFFER_DETACHED`).
   */
  commit(size: number): void {
    this.#checkMemory();
    const tail = this.#wrap(this.#head + this.#count);
    this.#count += checkInteger('size', size, 0, this.#room(tail));
  }

  /** Bytes that can be written in one piece from there on. */
  #room(tail: number): number {
    return Math.min(this.space, this.#capacity - tail);
  }

  #wrap(position: number): number {
    return position < this.#capacity ? position : position - this.#capacity;
  }

  #copy(what: number | Uint8Array | undefined): Buffer | number {
    this.#checkMemory();
    if (types.isUint8Array(what)) return this.#copyInto(what);
    if (what !== undefined && typeof what !== 'number') {
      throw invalidType('size', 'a number or a Uint8Array', what);
    }
    if (what !== undefined) checkInteger('size', what, 0, Number.MAX_SAFE_INTEGER);
    const size = Math.min(what ?? this.#count, this.#count);
    if (size === 0) return nothing;
    const copy = Buffer.allocUnsafeSlow(size);
    this.#copyInto(copy);
    return copy;
  }

  #copyInto(view: Uint8Array): number {
    if (view.length === 0) checkAttached('view', view);
    const count = Math.min(view.length, this.#count);
    const first = Math.min(count, this.#capacity - this.#head);
    view.set(this.#memory.subarray(this.#head, this.#head + first));
    if (count > first) view.set(this.#memory.subarray(0, count - first), first);
    return count;
  }

  #drop(count: number): void {
    this.#head = this.#wrap(this.#head + count);
    this.#count -= count;
  }

  /** Memory that was released looks empty; to read or write nothing instead would lose bytes. */
  #checkMemory(): void {
    if (this.#memory.length === this.#capacity) return;
    const message = 'the memory of this buffer is gone: its arena was cleared or disposed';
    throw new ArenaError(message, { code: 'ERR_SOCK_BUFFER_DETACHED' });
  }
}

function limitOf(arena: Arena | undefined): number {
  return arena === undefined ? capacityMax : arenaAllocationMax;
}

/** Zeroed, whatever an arena was used for before. */
function allocate(capacity: number, arena: Arena | undefined): Buffer {
  return arena === undefined ? Buffer.from(allocateMemory(capacity)) : arena.calloc(1, capacity);
}
