/**
 * Who waits for which answer. Questions that are alike are one lookup, which goes on while anybody
 * waits for it; whoever's time is over, or who aborts, leaves at once and alone. The cache is asked
 * before, and after a failure.
 */
import { AbortError, SocketClosedError, SocketError, TimeoutError } from '@sock/core';
import type { Cache } from './cache.js';
import type { Clock } from './clock.js';
import { errorOf, isAuthoritative, type Outcome, type Start } from './engine.js';

export interface Limits {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
}

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
  /** For errors. */
  readonly hostname: string;
  readonly start: Start<T>;
}

/** A lookup that is under way. */
interface Flight<T> {
  readonly question: Question<T>;
  readonly waiters: Set<Waiter<T>>;
  giveUp: () => void;
}

/** One who waits. The promise settles once; whoever settles it clears up. */
class Waiter<T> {
  private timer: unknown;
  private onAbort: (() => void) | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly limits: Limits,
    private readonly resolvePromise: (values: readonly T[]) => void,
    private readonly rejectPromise: (error: Error) => void,
  ) {}

  /** Begins to watch its limits. */
  arm(leave: (error: 'timeout' | 'abort') => void): void {
    const { signal, timeoutMs } = this.limits;
    if (timeoutMs !== Number.POSITIVE_INFINITY) {
      this.timer = this.clock.setTimeout(() => leave('timeout'), timeoutMs);
    }
    if (signal === undefined) return;
    this.onAbort = () => leave('abort');
    signal.addEventListener('abort', this.onAbort, { once: true });
  }

  resolve(values: readonly T[]): void {
    this.disarm();
    this.resolvePromise(values);
  }

  reject(error: Error): void {
    this.disarm();
    this.rejectPromise(error);
  }

  private disarm(): void {
    this.clock.clearTimeout(this.timer);
    if (this.onAbort !== undefined) {
      this.limits.signal?.removeEventListener('abort', this.onAbort);
    }
  }
}

function closedError(): SocketClosedError {
  return new SocketClosedError('the resolver is closed', { code: 'ERR_SOCK_CLOSED' });
}

function queueFullError(hostname: string): SocketError {
  const message = `looking up ${hostname}: too many name lookups are waiting (queue full)`;
  return new SocketError(message, { code: 'ERR_SOCK_QUEUE_FULL' });
}

export class Lookups<T> {
  private readonly flights = new Map<string, Flight<T>>();
  private isClosed = false;

  constructor(
    private readonly clock: Clock,
    private readonly counters: Counters,
    private readonly cache: Cache<Outcome<T>> | undefined,
  ) {}

  /** How many are under way, each for one or more who wait. */
  get pending(): number {
    return this.flights.size;
  }

  async ask(question: Question<T>, limits: Limits): Promise<readonly T[]> {
    this.check(limits);
    this.counters.lookups++;
    const known = this.fromCache(question);
    if (known !== undefined) return known;
    return new Promise((resolve, reject) => {
      this.join(question, limits, new Waiter(this.clock, limits, resolve, reject));
    });
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
      flight.giveUp();
      for (const waiter of flight.waiters) {
        this.counters.cancelled++;
        waiter.reject(closedError());
      }
    }
    this.cache?.clear();
  }

  private fromCache({ key, hostname }: Question<T>): readonly T[] | undefined {
    if (this.cache === undefined) return undefined;
    const { counters } = this;
    const hit = this.cache.fresh(key);
    if (hit === undefined) {
      counters.cacheMisses++;
      return undefined;
    }
    if ('answer' in hit.value) {
      counters.cacheHits++;
      counters.answered++;
      return hit.value.answer.values;
    }
    counters.cacheNegativeHits++;
    counters.failed++;
    throw errorOf(hit.value.failure, hostname);
  }

  private join(question: Question<T>, limits: Limits, waiter: Waiter<T>): void {
    // Looking once means here: into the cache, and nobody is asked.
    if (limits.timeoutMs === 0) {
      this.timeOut(question, limits, waiter);
      return;
    }
    const flight = this.flights.get(question.key) ?? this.launch(question);
    if (flight === undefined) {
      this.counters.refused++;
      this.rejectUnlessStale(question, waiter, queueFullError(question.hostname));
      return;
    }
    if (flight.waiters.size > 0) this.counters.coalesced++;
    flight.waiters.add(waiter);
    waiter.arm((why) => {
      this.leave(flight, waiter);
      if (why === 'timeout') {
        this.timeOut(question, limits, waiter);
        return;
      }
      this.counters.cancelled++;
      waiter.reject(new AbortError(limits.signal as AbortSignal));
    });
  }

  private launch(question: Question<T>): Flight<T> | undefined {
    const flight: Flight<T> = { question, waiters: new Set(), giveUp: () => {} };
    const giveUp = question.start((outcome) => this.settle(flight, outcome));
    if (giveUp === null) return undefined;
    flight.giveUp = giveUp;
    this.flights.set(question.key, flight);
    return flight;
  }

  private end(flight: Flight<T>): void {
    this.flights.delete(flight.question.key);
  }

  /** The last one to leave gives up the lookup itself. */
  private leave(flight: Flight<T>, waiter: Waiter<T>): void {
    flight.waiters.delete(waiter);
    if (flight.waiters.size > 0) return;
    this.end(flight);
    flight.giveUp();
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
      this.counters.answered++;
      waiter.resolve(outcome.answer.values);
      return;
    }
    const error = errorOf(outcome.failure, question.hostname);
    if (isAuthoritative(outcome.failure)) this.fail(waiter, error);
    else this.rejectUnlessStale(question, waiter, error);
  }

  private timeOut(question: Question<T>, limits: Limits, waiter: Waiter<T>): void {
    this.counters.timedOut++;
    const error = new TimeoutError(`looking up ${question.hostname}`, limits.timeoutMs);
    this.rejectUnlessStale(question, waiter, error);
  }

  private rejectUnlessStale(question: Question<T>, waiter: Waiter<T>, error: Error): void {
    const stale = this.cache?.stale(question.key);
    if (stale === undefined || !('answer' in stale)) {
      this.fail(waiter, error);
      return;
    }
    this.counters.cacheStaleHits++;
    this.counters.answered++;
    waiter.resolve(stale.answer.values);
  }

  private fail(waiter: Waiter<T>, error: Error): void {
    this.counters.failed++;
    waiter.reject(error);
  }
}
