/**
 * Successes and failures of the last while, counted in buckets that pass out of sight one by one.
 */

/** A bucket as it is exported: how long ago it began, and what it has counted. */
export interface WindowBucket {
  /** How long ago it began, in milliseconds. */
  readonly age: number;
  /** Calls in it that succeeded. */
  readonly successes: number;
  /** Calls in it that failed. */
  readonly failures: number;
}

/** What is forgotten goes by tenths: a figure is exact to within one of them. */
const bucketCount = 10;

interface Bucket {
  startMs: number;
  successes: number;
  failures: number;
}

export class FailureWindow {
  readonly #durationMs: number;
  #buckets: Bucket[] = [];

  constructor(durationMs: number) {
    this.#durationMs = durationMs;
  }

  add(nowMs: number, failed: boolean): void {
    this.#forget(nowMs);
    const bucket = this.#current(nowMs);
    if (failed) bucket.failures++;
    else bucket.successes++;
  }

  /** Calls and failures within the window. */
  count(nowMs: number): { calls: number; failures: number } {
    this.#forget(nowMs);
    let calls = 0;
    let failures = 0;
    for (const bucket of this.#buckets) {
      calls += bucket.successes + bucket.failures;
      failures += bucket.failures;
    }
    return { calls, failures };
  }

  clear(): void {
    this.#buckets = [];
  }

  export(nowMs: number): WindowBucket[] {
    this.#forget(nowMs);
    return this.#buckets.map(({ startMs, successes, failures }) => ({
      age: nowMs - startMs,
      successes,
      failures,
    }));
  }

  import(nowMs: number, buckets: readonly WindowBucket[]): void {
    this.#buckets = buckets.map(({ age, successes, failures }) => ({
      startMs: nowMs - age,
      successes,
      failures,
    }));
    this.#buckets.sort((a, b) => a.startMs - b.startMs);
  }

  #current(nowMs: number): Bucket {
    const last = this.#buckets.at(-1);
    const bucketMs = this.#durationMs / bucketCount;
    if (last !== undefined && nowMs - last.startMs < bucketMs) return last;
    const fresh = { startMs: nowMs, successes: 0, failures: 0 };
    this.#buckets.push(fresh);
    return fresh;
  }

  #forget(nowMs: number): void {
    const oldest = this.#buckets.findIndex(({ startMs }) => nowMs - startMs < this.#durationMs);
    if (oldest > 0) this.#buckets.splice(0, oldest);
    else if (oldest < 0) this.#buckets.length = 0;
  }
}
