/** The buffers of connections: made when first used, and handed on. */
import { type Arena, RingBuffer } from '@sock/core';

/** What came and what goes, of one connection. */
export interface Buffers {
  readonly input: RingBuffer;
  readonly output: RingBuffer;
}

export class BufferStore {
  readonly #arena: Arena | undefined;
  /** The one that came last goes first: its memory is likelier to be in the cache. */
  #spare: Buffers[] = [];
  /** Bytes of each buffer that is made from now on. */
  size: number;

  constructor(size: number, arena: Arena | undefined) {
    this.size = size;
    this.#arena = arena;
  }

  /** How many pairs wait for a connection. */
  get spare(): number {
    return this.#spare.length;
  }

  /** A pair that there was, or null. */
  takeSpare(): Buffers | null {
    return this.#spare.pop() ?? null;
  }

  make(): Buffers {
    const options = { arena: this.#arena };
    return {
      input: new RingBuffer(this.size, options),
      output: new RingBuffer(this.size, options),
    };
  }

  /** Nothing of what they held is left; what is not of the present size is not kept. */
  giveBack(buffers: Buffers): void {
    buffers.input.secureClear();
    buffers.output.secureClear();
    if (this.#fits(buffers)) this.#spare.push(buffers);
  }

  /** Makes as many as are missing; returns how many that were. */
  fillUp(pairs: number): number {
    const missing = Math.max(0, pairs - this.#spare.length);
    for (let made = 0; made < missing; made++) this.#spare.push(this.make());
    return missing;
  }

  /** Keeps no more than so many, as far as that frees memory: an arena's stays where it is. */
  trim(pairs: number): void {
    if (this.#arena !== undefined) return;
    // While a pool is made smaller, it has more connections than places.
    this.#spare.length = Math.min(this.#spare.length, Math.max(0, pairs));
  }

  setSize(size: number): void {
    this.size = size;
    this.#spare = this.#spare.filter((buffers) => this.#fits(buffers));
  }

  clear(): void {
    this.#spare = [];
  }

  #fits({ input, output }: Buffers): boolean {
    return input.capacity === this.size && output.capacity === this.size;
  }
}
