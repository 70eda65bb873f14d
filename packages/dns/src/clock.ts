import { monotonicMs } from '@sock/core';

/** Time, as far as lookups and races see it: passed in, so that tests can stop it. */
export interface Clock {
  /** Milliseconds, never going back. */
  now(): number;
  setTimeout(task: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
}

class Timer {
  private handle: NodeJS.Timeout;

  constructor(
    private readonly task: () => void,
    private readonly atMs: number,
  ) {
    this.handle = this.set();
  }

  clear(): void {
    clearTimeout(this.handle);
  }

  /** Node counts from the beginning of the turn, which may be a while ago. */
  private set(): NodeJS.Timeout {
    return setTimeout(() => this.fire(), Math.ceil(this.atMs - monotonicMs()));
  }

  private fire(): void {
    if (monotonicMs() < this.atMs) this.handle = this.set();
    else this.task();
  }
}

export const systemClock: Clock = {
  now: monotonicMs,
  setTimeout: (task, delayMs) => new Timer(task, monotonicMs() + delayMs),
  clearTimeout: (timer) => {
    if (timer instanceof Timer) timer.clear();
  },
};
