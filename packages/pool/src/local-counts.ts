/** Counts by network, of this thread alone. */

/** What a tracker counts in: here, or in memory that threads share. */
export interface NetworkCounts {
  /** The most of one network; `Infinity`: as many as want. */
  max: number;
  readonly total: number;
  readonly unique: number;
  get(key: string): number;
  /** Whether there may be one more. */
  hasRoom(key: string): boolean;
  /** One more, unless there are as many as may be. */
  add(key: string): boolean;
  /** One less, down to none. */
  subtract(key: string): void;
  clear(): void;
}

/** Networks that are kept beyond those that have connections, at least. */
const emptyKept = 1_024;

/**
 * A network whose last connection is gone stays in the map for a while. A map does not forget what
 * is deleted before it grows: one address that comes and goes among many others would be deleted
 * again and again, and each time be looked for among all that it was before.
 */
export class LocalCounts implements NetworkCounts {
  #counts = new Map<string, number>();
  readonly #uniqueMax: number;
  max: number;
  total = 0;
  unique = 0;

  constructor(max: number, uniqueMax: number) {
    this.max = max;
    this.#uniqueMax = uniqueMax;
  }

  /** Each that has connections, with how many. */
  *entries(): Iterable<[string, number]> {
    for (const entry of this.#counts) if (entry[1] > 0) yield entry;
  }

  get(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  hasRoom(key: string): boolean {
    return this.#mayBeMore(this.get(key));
  }

  add(key: string): boolean {
    const count = this.get(key);
    if (!this.#mayBeMore(count)) return false;
    if (count === 0) this.unique++;
    this.#counts.set(key, count + 1);
    this.total++;
    return true;
  }

  subtract(key: string): void {
    const count = this.get(key);
    if (count === 0) return;
    this.#counts.set(key, count - 1);
    this.total--;
    if (count > 1) return;
    this.unique--;
    if (this.#counts.size - this.unique > Math.max(emptyKept, this.unique)) {
      this.#counts = new Map(this.entries());
    }
  }

  clear(): void {
    this.#counts.clear();
    this.total = 0;
    this.unique = 0;
  }

  #mayBeMore(count: number): boolean {
    return count < this.max && (count > 0 || this.unique < this.#uniqueMax);
  }
}
