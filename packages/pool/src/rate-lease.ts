/**
 * Tokens of a rate that is a store's, taken ahead in blocks.
 *
 * Theory of operation. Whoever comes in spends a token that is here already, or is refused: nobody
 * waits for the store. When half of the lease is spent, what is missing is asked for, one call at
 * a time. The store counts in windows of its own: so many points, until it begins anew. What is
 * left of a window's tokens is good until the next window's have come, and no longer: so nobody is
 * refused at a window's beginning, and never more than one lease per process is spent beyond what
 * the windows allow.
 *
 * A store says no by counting what was asked for, and by telling how much it has counted then: what
 * lies below its points is granted all the same, and what lies above is given back, so that its
 * count stays what was granted. Nothing is asked again before the window ends.
 */
import type { TimerClock } from '@sock/reconnect';
import type { Answer } from './limiter-store.js';
import type { StoreCalls } from './store-calls.js';

const key = 'rate';
/** What a lease is a part of, unless told. */
const leasesPerWindow = 10;
/** Where a store says no, and not until when. */
const askAgainMs = 1_000;
const delayMaxMs = 2 ** 31 - 1;

export class RateLease {
  tokens = 0;
  /** Whether the store has answered since it is there: before, no token here says nothing. */
  isKnown = false;
  readonly #calls: StoreCalls;
  readonly #clock: TimerClock;
  readonly #timeoutMs: number;
  readonly #given: number | undefined;
  /** 0: nobody knows yet. */
  #points: number;
  #windowEndMs = Number.NEGATIVE_INFINITY;
  /** Until then there is nothing to be had. */
  #exhaustedUntilMs = Number.NEGATIVE_INFINITY;
  #isAsking = false;
  #isClosed = false;
  #timer: unknown;

  constructor(
    calls: StoreCalls,
    clock: TimerClock,
    timeoutMs: number,
    points: number | undefined,
    lease: number | undefined,
  ) {
    this.#calls = calls;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#points = Number.isSafeInteger(points) && Number(points) > 0 ? Number(points) : 0;
    this.#given = lease;
  }

  /** A token, if one is here. */
  take(): boolean {
    const isThere = this.tokens > 0;
    if (isThere) this.tokens--;
    this.renew();
    return isThere;
  }

  /** Asks for what is missing, where that is much. */
  renew(): void {
    const nowMs = this.#clock.now();
    if (this.#isAsking || this.#isClosed || nowMs < this.#exhaustedUntilMs) return;
    if (!this.#calls.isUp) return;
    const isOver = nowMs >= this.#windowEndMs;
    if (!isOver && this.tokens > this.#lease / 2) return;
    this.#ask(isOver ? this.#lease : this.#lease - this.tokens);
  }

  /** Hands back what is left; `done` where there is nothing to wait for any more. */
  close(done: () => void): void {
    this.#isClosed = true;
    this.#clock.clearTimeout(this.#timer);
    const left = this.tokens;
    this.tokens = 0;
    this.#giveBack(left, done);
  }

  get #lease(): number {
    // Before anything is known of it, one asks for one.
    return this.#given ?? Math.max(1, Math.ceil(this.#points / leasesPerWindow));
  }

  #ask(asked: number): void {
    this.#isAsking = true;
    this.#calls.ask((store) => store.consume(key, asked), {
      answered: (answer, isLate) => {
        if (!isLate) this.#isAsking = false;
        const granted = this.#granted(asked, answer);
        this.#noteWindow(answer);
        if (!isLate) this.isKnown = true;
        if (isLate || this.#isClosed) this.#giveBack(asked);
        else this.#accept(asked, granted, answer);
      },
      failed: () => {
        this.#isAsking = false;
      },
    });
  }

  #granted(asked: number, { isRefusal, consumed, remaining }: Answer): number {
    if (!isRefusal) {
      if (this.#points === 0) this.#points = Math.max(0, consumed + remaining);
      return asked;
    }
    // A store that has blocked the key tells no count, and has counted nothing.
    if (this.#points === 0 || consumed <= 0) return 0;
    return Math.min(asked, Math.max(0, asked - (consumed - this.#points)));
  }

  #accept(asked: number, granted: number, { isRefusal, consumed, untilNextMs }: Answer): void {
    this.tokens += granted;
    if (!isRefusal) {
      this.renew();
      return;
    }
    if (consumed > 0) this.#giveBack(asked - granted);
    const isKnown = untilNextMs > 0 && untilNextMs !== Number.POSITIVE_INFINITY;
    const waitMs = Math.min(isKnown ? untilNextMs : askAgainMs, delayMaxMs);
    this.#exhaustedUntilMs = this.#clock.now() + waitMs;
    this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#clock.setTimeout(() => this.renew(), waitMs);
    (this.#timer as { unref?(): void }).unref?.();
  }

  /** The tokens that are here may be of a window that is over. */
  #noteWindow({ untilNextMs }: Answer): void {
    const nowMs = this.#clock.now();
    const endMs = nowMs + Math.max(1, untilNextMs);
    if (nowMs >= this.#windowEndMs) {
      this.tokens = 0;
      this.#windowEndMs = endMs;
    } else {
      // It was on its way for a while, so that of two ends the earlier one is nearer to the truth.
      this.#windowEndMs = Math.min(this.#windowEndMs, endMs);
    }
  }

  /** Not into another window, where they would be too many. */
  #giveBack(tokens: number, done: () => void = () => {}): void {
    const isSure = this.#clock.now() + this.#timeoutMs < this.#windowEndMs;
    if (tokens <= 0 || !isSure || !this.#calls.isUp) {
      done();
      return;
    }
    this.#calls.ask((store) => store.reward(key, tokens), { answered: done, failed: done });
  }
}
