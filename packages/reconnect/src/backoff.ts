import { checkDuration, checkFunction, checkOptions } from '@sock/native';
import { checkBetween } from './check-between.js';
import { randomFraction } from './random.js';

/** How delays grow. Times are in milliseconds. */
export interface BackoffOptions {
  /** The first delay: 1 to 2^31−1. Default 100. */
  initialDelay?: number | undefined;
  /** No delay is longer, whatever the jitter: `initialDelay` to 2^31−1. Default 30,000. */
  maxDelay?: number | undefined;
  /** What each delay is longer by than the one before: 1 (never) to 1,000. Default 2. */
  multiplier?: number | undefined;
  /**
   * How far chance moves a delay, up or down, as a part of it: 0 (not at all) to 1. Default 0.25.
   *
   * Or `'decorrelated'`: each delay is drawn between the first and three times the one before,
   * whatever the multiplier. It spreads a crowd better, and never settles at `maxDelay`.
   */
  jitter?: number | 'decorrelated' | undefined;
  /** Chance: a number from 0 up to, and without, 1. Default: the system's. */
  random?: (() => number) | undefined;
}

const known = ['initialDelay', 'maxDelay', 'multiplier', 'jitter', 'random'] as const;

/** "Exponential Backoff And Jitter", AWS Architecture Blog, 2015, for the figure 3. */
const decorrelatedGrowth = 3;
/** Beyond it, the second delay is the cap anyway. */
const multiplierMax = 1000;

/**
 * Delays between attempts: exponential, with jitter, and capped.
 *
 * The delay before retry n, counted from 0, is `initialDelay × multiplier^n`, at most `maxDelay`;
 * jitter then moves it by up to that part of it, up or down; and `maxDelay` caps it again. It is
 * rounded to whole milliseconds, at least 1. Nothing waits here, and no clock is read.
 *
 * @example
 * ```ts
 * const backoff = new Backoff({ initialDelay: 100, maxDelay: 5_000 });
 * while (!(await attempt())) await setTimeout(backoff.next());
 * backoff.reset();
 * ```
 */
export class Backoff {
  readonly #initialMs: number;
  readonly #maxMs: number;
  readonly #multiplier: number;
  readonly #jitter: number | 'decorrelated';
  readonly #random: () => number;
  #attempt = 0;
  #previousMs: number;

  /** @throws TypeError, RangeError when an option is wrong. */
  constructor(options?: BackoffOptions) {
    const given = checkOptions<BackoffOptions>(options, known);
    this.#initialMs = checkDuration('options.initialDelay', given.initialDelay ?? 100, 1);
    this.#maxMs = checkDuration('options.maxDelay', given.maxDelay ?? 30_000, this.#initialMs);
    this.#multiplier = checkBetween('options.multiplier', given.multiplier ?? 2, 1, multiplierMax);
    const jitter = given.jitter ?? 0.25;
    this.#jitter =
      jitter === 'decorrelated' ? jitter : checkBetween('options.jitter', jitter, 0, 1);
    this.#random = checkFunction('options.random', given.random ?? randomFraction);
    this.#previousMs = this.#initialMs;
  }

  /** How many delays were given since the beginning or the last {@link reset}. */
  get attempt(): number {
    return this.#attempt;
  }

  /** The next delay, in whole milliseconds: 1 or more, and never more than `maxDelay`. */
  next(): number {
    const wantedMs = this.#jitter === 'decorrelated' ? this.#draw() : this.#grow(this.#jitter);
    this.#attempt++;
    return Math.max(1, Math.round(Math.min(wantedMs, this.#maxMs)));
  }

  /** Begins again with the first delay. */
  reset(): void {
    this.#attempt = 0;
    this.#previousMs = this.#initialMs;
  }

  #grow(jitter: number): number {
    const delayMs = Math.min(this.#initialMs * this.#multiplier ** this.#attempt, this.#maxMs);
    return jitter === 0 ? delayMs : delayMs * (1 + jitter * (2 * this.#random() - 1));
  }

  #draw(): number {
    const widthMs = this.#previousMs * decorrelatedGrowth - this.#initialMs;
    const drawnMs = Math.min(this.#initialMs + this.#random() * widthMs, this.#maxMs);
    this.#previousMs = drawnMs;
    return drawnMs;
  }
}
