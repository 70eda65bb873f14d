/** What code that waits is given in place of the global timers. Milliseconds, monotonic. */
export interface Clock {
  now(): number;
  setTimeout(task: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
}

interface Timer {
  readonly atMs: number;
  readonly task: () => void;
}

/** A clock that stands still until a test moves it: waiting takes no time, and nothing is late. */
export class FakeClock implements Clock {
  private nowMs = 0;
  private timers: Timer[] = [];

  now(): number {
    return this.nowMs;
  }

  setTimeout(task: () => void, delayMs: number): Timer {
    const timer = { atMs: this.nowMs + Math.max(0, delayMs), task };
    // Behind those of the same time: they run in the order in which they were set.
    const later = this.timers.findIndex(({ atMs }) => atMs > timer.atMs);
    this.timers.splice(later < 0 ? this.timers.length : later, 0, timer);
    return timer;
  }

  clearTimeout(timer: unknown): void {
    this.timers = this.timers.filter((other) => other !== timer);
  }

  /** How many timers are set. */
  get pending(): number {
    return this.timers.length;
  }

  /**
   * Moves on, and runs what falls due on the way, each at its own time. What a task sets off in
   * promises is done before the next one runs.
   */
  async advance(byMs: number): Promise<void> {
    const endMs = this.nowMs + byMs;
    await settle();
    for (let first = this.timers[0]; first !== undefined; first = this.timers[0]) {
      if (first.atMs > endMs) break;
      this.timers.shift();
      this.nowMs = first.atMs;
      first.task();
      await settle();
    }
    this.nowMs = endMs;
  }
}

/** All microtasks, however long their chain. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
