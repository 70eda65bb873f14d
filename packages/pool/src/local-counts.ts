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

export class LocalCounts implements NetworkCounts {
  readonly #counts = new Map<string, number>();
  readonly #uniqueMax: number;
  max: number;
  total = 0;

  constructor(max: number, uniqueMax: number) {
    this.max = max;
    this.#uniqueMax = uniqueMax;
  }

  get unique(): number {
    return this.#counts.size;
  }

  /** Each, with how often. */
  entries(): Iterable<[string, number]> {
    return this.#counts;
  }

  get(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  hasRoom(key: string): boolean {
    const count = this.get(key);
    return count < this.max && (count > 0 || this.#counts.size < this.#uniqueMax);
  }

  add(key: string): boolean {
    if (!this.hasRoom(key)) return false;
    this.#counts.set(key, this.get(key) + 1);
    this.total++;
    return true;
  }

  subtract(key: string): void {
    const count = this.get(key);
    if (count === 0) return;
    if (count === 1) this.#counts.delete(key);
    else this.#counts.set(key, count - 1);
    this.total--;
  }

  clear(): void {
    this.#counts.clear();
    this.total = 0;
  }
}
