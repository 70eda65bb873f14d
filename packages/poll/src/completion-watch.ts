/** Has a poll that blocks its thread hear of completions, which the event loop cannot tell it. */
import { binding, Interest } from '@sock/native';
import type { AsyncIO } from './async-io.js';
import { lastCallError } from './errors.js';

/** A name that no registration has: what is reported under it concerns no target. */
const index = 2 ** 31 - 1;
const generation = 1;
/** How long to block at a time where nothing tells: a guess. */
const blindSliceMs = 5;

export class CompletionWatch {
  readonly #poll: number;
  readonly #asyncIO: AsyncIO;
  /** Readable while the reactor of the thread has something, completions included; −1: none. */
  readonly #fd = binding.reactorFd();

  constructor(poll: number, asyncIO: AsyncIO) {
    this.#poll = poll;
    this.#asyncIO = asyncIO;
    if (this.#fd < 0) return;
    const interest = Interest.Read | Interest.Level;
    const result = binding.pollAdd(poll, this.#fd, index, generation, interest);
    if (result < 0) throw lastCallError(result, 'completions cannot be watched');
  }

  /** The longest that the poll may block. */
  get sliceMs(): number {
    return this.#fd >= 0 || this.#asyncIO.pending === 0 ? Number.POSITIVE_INFINITY : blindSliceMs;
  }

  process(): number {
    return this.#asyncIO.processCompletions();
  }

  end(): void {
    if (this.#fd >= 0) binding.pollRemove(this.#poll, this.#fd, index, generation);
  }
}
