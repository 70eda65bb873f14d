import { checkInteger, checkOptions, checkRate } from '@sock/native';

/** How many attempts a group of connections may make together. */
export interface ReconnectBudgetOptions {
  /** Attempts per second, on average: above 0, fractions allowed. Default 50. */
  rate?: number | undefined;
  /** Attempts that may come at once after a quiet time: an integer from 1. Default 10. */
  burst?: number | undefined;
}

/**
 * Spreads the comeback of many: when a server with a thousand connections returns, they come one
 * after another instead of all at once. What shares a budget takes turns, first come, first served.
 *
 * Nothing waits here: whoever asks is told how long to.
 */
export class ReconnectBudget {
  readonly #intervalMs: number;
  readonly #toleranceMs: number;
  /** When the next attempt would be due if they came evenly (GCRA, ITU-T I.371). */
  #dueMs = Number.NEGATIVE_INFINITY;

  /** @throws TypeError, RangeError when an option is wrong. */
  constructor(options?: ReconnectBudgetOptions) {
    const given = checkOptions<ReconnectBudgetOptions>(options, ['rate', 'burst']);
    const burst = checkInteger('options.burst', given.burst ?? 10, 1, 2 ** 31 - 1);
    this.#intervalMs = 1000 / checkRate('options.rate', given.rate ?? 50);
    this.#toleranceMs = this.#intervalMs * (burst - 1);
  }

  /**
   * Takes the next turn.
   *
   * @param now The time, in milliseconds of a monotonic clock: the same one for all who ask.
   * @returns How long from now that turn is, in milliseconds: 0 for at once.
   */
  take(now: number): number {
    const dueMs = Math.max(this.#dueMs, now);
    this.#dueMs = dueMs + this.#intervalMs;
    return Math.max(0, dueMs - this.#toleranceMs - now);
  }
}
