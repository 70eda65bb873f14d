/**
 * Calls to a store of limits: each with a time limit, counted, and with the verdict that follows
 * from them, whether the store is there.
 *
 * One call that fails is enough for it to be down: what it would have said is decided without it
 * then, which costs nothing. Nothing is asked of a store that is down, but one question, after
 * delays that grow, whether it is back. Answers to calls that were made before it failed say
 * nothing about now. An answer that comes after its time limit is still heard: what it grants has
 * to be handed back.
 */
import { PoolError, TimeoutError } from '@sock/core';
import { Backoff, type TimerClock } from '@sock/reconnect';
import { tellStore } from './diagnostics.js';
import { type Answer, type LimiterStore, parseAnswer } from './limiter-store.js';

/** What becomes of a call. */
export interface CallHandler {
  /** @param isLate It has failed already, by its time limit. */
  answered(answer: Answer, isLate: boolean): void;
  failed?(): void;
}

type StoreState = 'starting' | 'up' | 'down';

/** Something is written there: a copy that can only be read is of no use. */
const probeKey = 'probe';
const probeDelayMs = 100;
const probeDelayMaxMs = 5_000;

export class StoreCalls {
  readonly tally = { calls: 0, failures: 0, outages: 0 };
  /** Calls that have neither answered nor failed. */
  pending = 0;
  state: StoreState = 'starting';
  /** Called when it is there, at first or again. */
  onUp: () => void = () => {};
  onDown: () => void = () => {};
  readonly #store: LimiterStore;
  readonly #timeoutMs: number;
  readonly #clock: TimerClock;
  readonly #backoff = new Backoff({ initialDelay: probeDelayMs, maxDelay: probeDelayMaxMs });
  /** One more each time that it goes down. */
  #generation = 0;
  #upSinceMs = 0;
  #timer: unknown;
  #isClosed = false;

  constructor(store: LimiterStore, timeoutMs: number, clock: TimerClock) {
    this.#store = store;
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
  }

  get isUp(): boolean {
    return this.state === 'up';
  }

  /** Asks whether it is there. */
  probe(): void {
    const options = { customDuration: 1 };
    this.ask((store) => store.penalty(probeKey, 1, options), { answered: () => {} });
  }

  ask(begin: (store: LimiterStore) => unknown, handler: CallHandler): void {
    const generation = this.#generation;
    let isOver = false;
    const end = (): void => {
      isOver = true;
      this.pending--;
      this.#clock.clearTimeout(timer);
    };
    const fail = (error: unknown): void => {
      if (isOver) return;
      end();
      this.#failed(error);
      handler.failed?.();
    };
    const settle = (value: unknown, isRefusal: boolean): void => {
      const answer = parseAnswer(value, isRefusal);
      if (answer === null) {
        fail(value instanceof Error ? value : new PoolError('the store gave no answer'));
        return;
      }
      const isLate = isOver;
      if (!isLate) {
        end();
        this.#succeeded(generation);
      }
      handler.answered(answer, isLate);
    };
    this.tally.calls++;
    this.pending++;
    const giveUp = () => fail(new TimeoutError('the store of limits', this.#timeoutMs));
    const timer = this.#clock.setTimeout(giveUp, this.#timeoutMs);
    this.#quiet(timer);
    // What throws instead of rejecting, and what returns no promise, ends here, too.
    new Promise((resolve) => resolve(begin(this.#store))).then(
      (value) => settle(value, false),
      (reason) => settle(reason, true),
    );
  }

  /** It is not probed any more. */
  close(): void {
    this.#isClosed = true;
    this.#clock.clearTimeout(this.#timer);
  }

  #failed(error: unknown): void {
    this.tally.failures++;
    if (this.state !== 'down') {
      // One that fails as soon as it is back is asked as seldom as one that was never back.
      const upMs = this.isUp ? this.#clock.now() - this.#upSinceMs : 0;
      if (upMs >= probeDelayMaxMs) this.#backoff.reset();
      this.state = 'down';
      this.#generation++;
      this.tally.outages++;
      if (!this.#isClosed) tellStore(false, error);
      this.onDown();
    }
    if (this.#isClosed || this.#timer !== undefined) return;
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      this.probe();
    }, this.#backoff.next());
    this.#quiet(this.#timer);
  }

  #succeeded(generation: number): void {
    if (this.state === 'up' || generation !== this.#generation) return;
    const wasDown = this.state === 'down';
    this.state = 'up';
    this.#upSinceMs = this.#clock.now();
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    if (wasDown && !this.#isClosed) tellStore(true);
    this.onUp();
  }

  /** What only waits for a store does not keep a process alive; what drains does. */
  #quiet(timer: unknown): void {
    if (!this.#isClosed) (timer as { unref?(): void }).unref?.();
  }
}
