/** Randomness that can be had again: the seed of a test that fails is in its message. */
import { createHash } from 'node:crypto';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

export class Random {
  private readonly generator: ReturnType<typeof xoroshiro128plus>;

  constructor(readonly seed: number) {
    this.generator = xoroshiro128plus(seed);
  }

  /** An integer, both ends included. */
  integer(min: number, max: number): number {
    return uniformInt(this.generator, min, max);
  }

  /** True once in so many. */
  oneIn(times: number): boolean {
    return this.integer(1, times) === 1;
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('there is nothing to pick from');
    return items[this.integer(0, items.length - 1)] as T;
  }

  /** As many as wanted, and fast: the generator only gives the start of them. */
  bytes(length: number): Buffer {
    if (length === 0) return Buffer.alloc(0);
    const start = String(this.integer(0, 2 ** 31));
    return createHash('shake256', { outputLength: length }).update(start).digest();
  }
}

/** `SOCK_SEED` where it is set, so that a failure can be replayed. */
export function chooseSeed(): number {
  const given = process.env.SOCK_SEED;
  if (given === undefined || given === '') return Math.trunc(Math.random() * 2 ** 31);
  const seed = Number(given);
  if (!Number.isInteger(seed)) throw new RangeError(`SOCK_SEED is no integer: ${given}`);
  return seed;
}

/** A test with randomness of its own. When it fails, the message says which seed replays it. */
export function seeded(test: (random: Random) => Promise<void>): () => Promise<void> {
  return async () => {
    const seed = chooseSeed();
    try {
      await test(new Random(seed));
    } catch (error) {
      if (error instanceof Error) error.message = `with SOCK_SEED=${seed}: ${error.message}`;
      throw error;
    }
  };
}
