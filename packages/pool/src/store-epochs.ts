/**
 * The lifetimes in which processes count together, numbered by the store.
 *
 * Theory of operation. Clocks of machines differ, so the store's is the only one that counts: a key
 * that it keeps for one lifetime tells all of them how much is left. Whoever finds it gone makes it
 * again, and the one who was first, by the number that comes back, adds one to another key, which
 * is kept for ever: that is the number of the epoch. Should he die in between, the epoch goes on
 * for one more lifetime, at the end of which what lives has long been counted for the next. Numbers
 * begin by chance, so that a store which has lost everything does not name one that was.
 */
import { PoolError } from '@sock/core';
import { randomFraction, type TimerClock } from '@sock/reconnect';
import { absent, type LimiterAnswer, type LimiterStore } from './limiter-store.js';
import type { StoreCalls } from './store-calls.js';

const lifetimeKey = 'counts:lifetime';
const epochKey = 'counts:epoch';
/** The last part of a lifetime, in which all is counted for the next epoch, too. */
const marginPart = 1 / 4;
/** How soon to look again, where another may just be about to write the number. */
const looksPerLifetime = 32;
/** Half of what fits 32 bits, which some stores count in. */
const firstEpochMax = 2 ** 30;
/** A store may be slow to forget. */
const delayMinMs = 10;

export class StoreEpochs {
  /** The present one; null: nobody knows. */
  epoch: number | null = null;
  /** Called when another one has begun, and when the margin of this one has. */
  onTurn: () => void = () => {};
  readonly #calls: StoreCalls;
  readonly #clock: TimerClock;
  readonly #lifetimeMs: number;
  #endMs = Number.POSITIVE_INFINITY;
  /** Its lifetime is over, and it is still the one that the store names. */
  #isOverdue = false;
  /** The number may be that of the epoch before. */
  #isUnsure = false;
  #isLooking = false;
  #isStopped = false;
  #timer: unknown;

  constructor(calls: StoreCalls, clock: TimerClock, lifetimeMs: number) {
    this.#calls = calls;
    this.#clock = clock;
    this.#lifetimeMs = lifetimeMs;
  }

  /** Whether what is there is to be counted for the next one as well. */
  get isEnding(): boolean {
    return this.#isOverdue || this.#clock.now() >= this.#marginMs;
  }

  /** Asks the store which one it is. */
  look(): void {
    if (this.#isLooking || this.#isStopped || !this.#calls.isUp) return;
    this.#isLooking = true;
    let lifetime = { leftMs: 0, isOurs: false };
    this.#calls.ask(
      async (store) => {
        lifetime = await this.#askLifetime(store);
        return this.#askNumber(store, lifetime.isOurs);
      },
      {
        answered: ({ consumed }, isLate) => {
          if (isLate) return;
          this.#isLooking = false;
          this.#note(consumed, lifetime.leftMs, lifetime.isOurs);
        },
        failed: () => {
          this.#isLooking = false;
        },
      },
    );
  }

  /** What is known may be long over when the store is back. */
  forget(): void {
    this.epoch = null;
    this.#isOverdue = false;
    this.#endMs = Number.POSITIVE_INFINITY;
    this.#clock.clearTimeout(this.#timer);
  }

  stop(): void {
    this.#isStopped = true;
    this.#clock.clearTimeout(this.#timer);
  }

  get #lookMs(): number {
    return this.#lifetimeMs / looksPerLifetime;
  }

  get #marginMs(): number {
    return this.#endMs - this.#lifetimeMs * marginPart;
  }

  /** How much is left of the lifetime, and whether it begins with us. */
  async #askLifetime(store: LimiterStore): Promise<{ leftMs: number; isOurs: boolean }> {
    const found = await store.get(lifetimeKey);
    const options = { customDuration: this.#lifetimeMs / 1000 };
    const lifetime = found ?? (await store.penalty(lifetimeKey, 1, options));
    const leftMs = Number(lifetime.msBeforeNext);
    if (leftMs >= 0 && leftMs <= this.#lifetimeMs) {
      return { leftMs, isOurs: !found && lifetime.consumedPoints === 1 };
    }
    const kept = `keeps for ${leftMs} ms what is to be kept for ${this.#lifetimeMs} at most`;
    throw new PoolError(`the store ${kept}: does it heed customDuration?`);
  }

  async #askNumber(store: LimiterStore, isOurs: boolean): Promise<LimiterAnswer> {
    const found = await store.get(epochKey);
    if (!isOurs) return found ?? absent;
    const step = found ? 1 : Math.ceil(randomFraction() * firstEpochMax);
    return store.penalty(epochKey, step, { customDuration: 0 });
  }

  /** @param number 0: there is none. */
  #note(number: number, leftMs: number, isOurs: boolean): void {
    if (this.#isStopped) return;
    const nowMs = this.#clock.now();
    const isOver = nowMs >= this.#endMs;
    const epoch = number === 0 ? null : number;
    const isAnother = epoch !== this.epoch;
    this.epoch = epoch;
    if (isAnother) this.#isOverdue = false;
    else if (isOver) this.#isOverdue = true;
    this.#isUnsure = epoch === null || (!isOurs && this.#lifetimeMs - leftMs < this.#lookMs);
    this.#endMs = nowMs + leftMs;
    this.#wait();
    if (isAnother) this.onTurn();
  }

  /** For the next look, or the margin before it. */
  #wait(): void {
    const nowMs = this.#clock.now();
    const isSoon = this.#isOverdue || this.#isUnsure;
    const isForMargin = !isSoon && nowMs < this.#marginMs;
    const task = (): void => {
      if (!isForMargin) {
        this.look();
        return;
      }
      this.#wait();
      this.onTurn();
    };
    const untilMs = (isForMargin ? this.#marginMs : this.#endMs) - nowMs;
    const delayMs = Math.ceil(isSoon ? Math.min(this.#lookMs, untilMs) : untilMs);
    this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#clock.setTimeout(task, Math.max(delayMinMs, delayMs));
    (this.#timer as { unref?(): void }).unref?.();
  }
}
