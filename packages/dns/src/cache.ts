/** Answers and failures that are kept for a while, the least recently used going first. */

export interface CacheLimits {
  readonly max: number;
  readonly ttlMs: number;
  readonly negativeTtlMs: number;
  readonly staleMs: number;
}

interface Entry<V> {
  readonly value: V;
  readonly isNegative: boolean;
  readonly freshUntilMs: number;
  /** May stand in for an answer that cannot be had. */
  readonly usableUntilMs: number;
}

export interface Hit<V> {
  readonly value: V;
  readonly isNegative: boolean;
}

export class Cache<V> {
  /** In the order of their last use. */
  private readonly entries = new Map<string, Entry<V>>();
  private evictions = 0;

  constructor(
    private readonly limits: CacheLimits,
    private readonly now: () => number,
  ) {}

  get size(): number {
    return this.entries.size;
  }

  get evicted(): number {
    return this.evictions;
  }

  fresh(key: string): Hit<V> | undefined {
    const nowMs = this.now();
    const entry = this.usable(key, nowMs);
    if (entry === undefined || entry.freshUntilMs <= nowMs) return undefined;
    this.entries.delete(key);
    this.entries.set(key, entry);
    return entry;
  }

  /** An answer that is over its time, but still better than none. */
  stale(key: string): V | undefined {
    const entry = this.usable(key, this.now());
    return entry === undefined || entry.isNegative ? undefined : entry.value;
  }

  /** Kept for as long as it says itself, but no longer than the cache allows. */
  keep(key: string, value: V, ttlMs: number): void {
    const { limits } = this;
    this.put(key, value, false, Math.min(ttlMs, limits.ttlMs), limits.staleMs);
  }

  keepNegative(key: string, value: V): void {
    this.put(key, value, true, this.limits.negativeTtlMs, 0);
  }

  clear(): void {
    this.entries.clear();
  }

  private usable(key: string, nowMs: number): Entry<V> | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined || entry.usableUntilMs > nowMs) return entry;
    this.entries.delete(key);
    return undefined;
  }

  private put(key: string, value: V, isNegative: boolean, ttlMs: number, staleMs: number): void {
    this.entries.delete(key);
    const freshUntilMs = this.now() + ttlMs;
    const usableUntilMs = freshUntilMs + staleMs;
    if (usableUntilMs <= this.now()) return;
    for (const oldest of this.entries.keys()) {
      if (this.entries.size < this.limits.max) break;
      this.entries.delete(oldest);
      this.evictions++;
    }
    this.entries.set(key, { value, isNegative, freshUntilMs, usableUntilMs });
  }
}
