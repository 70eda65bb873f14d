/**
 * Who waits for which answer. Questions that are alike are one lookup, which goes on while anybody
 * waits for it; whoever's time is over, or who aborts, leaves at once and alone. The cache is asked
 * before, and after a failure.
 */
import { AbortError, SocketClosedError, SocketError, TimeoutError } from '@sock/core';
import type { Limits } from '@sock/native';
import type { Cache } from './cache.js';
import type { Clock } from './clock.js';
import {
  type LookupEvent,
  tellCancelled,
  tellCompleted,
  tellFailed,
  tellSubmitted,
} from './diagnostics.js';
import { errorOf, isAuthoritative, type Outcome, type Pending, type Start } from './engine.js';
import type { Family } from './hostname.js';
import { Waiter } from './waiter.js';

export interface Counters {
  lookups: number;
  answered: number;
  failed: number;
  timedOut: number;
  cancelled: number;
  refused: number;
  coalesced: number;
  cacheHits: number;
  cacheNegativeHits: number;
  cacheMisses: number;
  cacheStaleHits: number;
}

export const zeroCounters: Readonly<Counters> = {
  lookups: 0,
  answered: 0,
  failed: 0,
  timedOut: 0,
  cancelled: 0,
  refused: 0,
  coalesced: 0,
  cacheHits: 0,
  cacheNegativeHits: 0,
  cacheMisses: 0,
  cacheStaleHits: 0,
};

/** What to ask: equal keys are the same question. */
export interface Question<T> {
  readonly key: string;
  readonly kind: LookupEvent['kind'];
  /** For errors. */
  readonly hostname: string;
  readonly family: Family | undefined;
  readonly start: Start<T>;
}

/** By whom somebody waits who is driven by hand: a clock, and what tells it of answers. */
export interface Hand extends Clock {
  readonly notifier: number;
}

/** A lookup that is under way. */
interface Flight<T> {
  readonly question: Question<T>;
  readonly waiters: Set<Waiter<T>>;
  pending: Pending;
  /** Once nobody waits for it any more, but its answer is wanted for the cache. */
  lingerTimer: unknown;
}

/** RFC 8305, section 5. */
const lingerMs = 1_000;
const nothing: Pending = { giveUp: () => {}, watch: () => {} };

function closedError(): SocketClosedError {
  return new SocketClosedError('the resolver is closed', { code: 'ERR_SOCK_CLOSED' });
}

function queueFullError(hostname: string): SocketError {
  const message = `looking up ${hostname}: too many name lookups are waiting (queue full)`;
  return new SocketError(message, { code: 'ERR_SOCK_QUEUE_FULL' });
}

function timeoutError({ hostname }: Question<unknown>, timeoutMs: number): TimeoutError {
  return new TimeoutError(`looking up ${hostname}`, timeoutMs);
}

export class Lookups<T> {
  private readonly flights = new Map<string, Flight<T>>();
  private isClosed = false;

  constructor(
    private readonly clock: Clock,
    private readonly counters: Counters,
    private readonly cache: Cache<Outcome<T>> | undefined,
    /** Kept alive, and so not closed, for as long as anything is under way. */
    readonly owner?: object,
  ) {}

  /** How many are under way, each for one or more who wait. */
  get pending(): number {
    return this.flights.size;
  }

  async ask(question: Question<T>, limits: Limits): Promise<readonly T[]> {
    this.check(limits);
    return new Promise((resolve, reject) => {
      this.begin(question, limits, new Waiter(this.clock, limits, { resolve, reject }));
    });
  }

  /**
   * As {@link ask} for one who is driven by hand, and is told in `settle`, which may be within the
   * call. What is returned can leave.
   */
  submit(
    question: Question<T>,
    limits: Limits,
    hand: Hand,
    settle: (values: readonly T[] | undefined, error: Error | undefined) => void,
  ): Waiter<T> {
    this.check(limits);
    const waiter = new Waiter<T>(hand, limits, {
      resolve: (values) => settle(values, undefined),
      reject: (error) => settle(undefined, error),
    });
    this.begin(question, limits, waiter);
    if (waiter.isWaiting) this.flights.get(question.key)?.pending.watch(hand.notifier);
    return waiter;
  }

  /** Throws unless something may be asked. */
  check({ signal }: Limits): void {
    if (this.isClosed) throw closedError();
    if (signal?.aborted) throw new AbortError(signal);
  }

  /** Rejects all who wait. */
  close(): void {
    this.isClosed = true;
    for (const flight of [...this.flights.values()]) {
      this.end(flight);
      flight.pending.giveUp();
      for (const waiter of flight.waiters) this.cancel(flight.question, waiter, closedError());
    }
    this.cache?.clear();
  }

  private begin(question: Question<T>, limits: Limits, waiter: Waiter<T>): void {
    this.counters.lookups++;
    waiter.sinceMs = tellSubmitted(question);
    const known = this.fromCache(question);
    if (known === undefined) this.join(question, limits, waiter);
    else if ('answer' in known) this.succeed(question, waiter, known.answer.values, true);
    else this.fail(question, waiter, errorOf(known.failure, question.hostname), true);
  }

  private fromCache({ key }: Question<T>): Outcome<T> | undefined {
    if (this.cache === undefined) return undefined;
    const { counters } = this;
    const hit = this.cache.fresh(key);
    if (hit === undefined) counters.cacheMisses++;
    else if (hit.isNegative) counters.cacheNegativeHits++;
    else counters.cacheHits++;
    return hit?.value;
  }

  private join(question: Question<T>, limits: Limits, waiter: Waiter<T>): void {
    // Looking once means here: into the cache, and nobody is asked.
    if (limits.timeoutMs === 0) {
      this.timeOut(question, waiter);
      return;
    }
    const flight = this.flights.get(question.key) ?? this.launch(question);
    if (flight === undefined) {
      this.counters.refused++;
      this.failUnlessStale(question, waiter, queueFullError(question.hostname));
      return;
    }
    if (flight.waiters.size > 0) this.counters.coalesced++;
    flight.waiters.add(waiter);
    waiter.arm((error, lingers) => {
      this.leave(flight, waiter, lingers);
      if (error === undefined) this.timeOut(question, waiter);
      else this.cancel(question, waiter, error);
    });
  }

  private launch(question: Question<T>): Flight<T> | undefined {
    const waiters = new Set<Waiter<T>>();
    const flight: Flight<T> = { question, waiters, pending: nothing, lingerTimer: undefined };
    const pending = question.start((outcome) => this.settle(flight, outcome));
    if (pending === null) return undefined;
    flight.pending = pending;
    this.flights.set(question.key, flight);
    return flight;
  }

  private end(flight: Flight<T>): void {
    this.clock.clearTimeout(flight.lingerTimer);
    this.flights.delete(flight.question.key);
  }

  /** The last one to leave gives up the lookup itself, as a rule. */
  private leave(flight: Flight<T>, waiter: Waiter<T>, lingers: boolean): void {
    flight.waiters.delete(waiter);
    if (lingers && this.cache !== undefined) {
      flight.lingerTimer = this.clock.setTimeout(() => this.giveUpUnlessWanted(flight), lingerMs);
    } else {
      this.giveUpUnlessWanted(flight);
    }
  }

  private giveUpUnlessWanted(flight: Flight<T>): void {
    if (flight.waiters.size > 0) return;
    this.end(flight);
    flight.pending.giveUp();
  }

  private settle(flight: Flight<T>, outcome: Outcome<T>): void {
    const { key } = flight.question;
    this.end(flight);
    if ('answer' in outcome) {
      this.cache?.keep(key, outcome, outcome.answer.ttlMs);
    } else if (isAuthoritative(outcome.failure)) {
      this.cache?.keepNegative(key, outcome);
    }
    for (const waiter of flight.waiters) this.tell(flight.question, waiter, outcome);
  }

  private tell(question: Question<T>, waiter: Waiter<T>, outcome: Outcome<T>): void {
    if ('answer' in outcome) {
      this.succeed(question, waiter, outcome.answer.values, false);
      return;
    }
    const error = errorOf(outcome.failure, question.hostname);
    if (isAuthoritative(outcome.failure)) this.fail(question, waiter, error, false);
    else this.failUnlessStale(question, waiter, error);
  }

  private timeOut(question: Question<T>, waiter: Waiter<T>): void {
    this.counters.timedOut++;
    this.failUnlessStale(question, waiter, timeoutError(question, waiter.timeoutMs));
  }

  private failUnlessStale(question: Question<T>, waiter: Waiter<T>, error: Error): void {
    const stale = this.cache?.stale(question.key);
    if (stale === undefined || !('answer' in stale)) {
      this.fail(question, waiter, error, false);
      return;
    }
    this.counters.cacheStaleHits++;
    this.succeed(question, waiter, stale.answer.values, true);
  }

  private succeed(
    question: Question<T>,
    waiter: Waiter<T>,
    values: readonly T[],
    cached: boolean,
  ): void {
    this.counters.answered++;
    tellCompleted(question, waiter.sinceMs, values, cached);
    waiter.resolve(values);
  }

  private fail(question: Question<T>, waiter: Waiter<T>, error: Error, cached: boolean): void {
    this.counters.failed++;
    tellFailed(question, waiter.sinceMs, error, cached);
    waiter.reject(error);
  }

  private cancel(question: Question<T>, waiter: Waiter<T>, error: Error): void {
    this.counters.cancelled++;
    tellCancelled(question, waiter.sinceMs, error);
    waiter.reject(error);
  }
}
