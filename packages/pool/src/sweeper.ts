/** Looks at regular times, while there is something to look at. */
import type { TimerClock } from '@sock/reconnect';

/** Looks in the time that makes something idle; more often costs more and is more exact. */
const looksPerTimeout = 4;
/** The longest that a timer can wait. */
const delayMaxMs = 2 ** 31 - 1;

export class Sweeper {
  readonly #clock: TimerClock;
  readonly #intervalMs: number;
  readonly #sweep: () => void;
  #timer: unknown;

  constructor(clock: TimerClock, timeoutMs: number, sweep: () => void) {
    this.#clock = clock;
    this.#intervalMs = timeoutMs / looksPerTimeout;
    this.#sweep = sweep;
  }

  start(): void {
    if (this.#timer !== undefined || this.#intervalMs > delayMaxMs) return;
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      this.start();
      this.#sweep();
    }, this.#intervalMs);
    // What is merely idle does not keep a process alive.
    (this.#timer as { unref?(): void }).unref?.();
  }

  stop(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
