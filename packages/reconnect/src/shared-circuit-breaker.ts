/**
 * Theory of operation. Each process has a breaker of its own, which hears of every call here. The
 * store holds one record for all: none while the circuit is closed, else who may pass. A breaker
 * that opens writes the record; whoever reads it refuses its calls, too, whatever its own breaker
 * thinks.
 *
 * Clocks of machines differ, so a record has no time in it. The store counts for everybody: a
 * record is kept twice as long as the circuit stays open, and what is left of it beyond half tells
 * how long calls are refused. In its second half whoever comes first replaces it by "half-open,
 * one probe under way" and probes; others that come see that, and may take the places that are
 * left. A record that nobody replaced in all that time goes, and the circuit is closed: there were
 * no calls to protect from. Every replacement compares with what was read, so that one of two
 * always loses, and reads again.
 *
 * While the circuit is closed, calls do not wait for the store: it is asked in the background, at
 * most once per `refreshInterval`. A store that fails is a store that knows nothing: the breaker
 * here decides, and the failure is counted.
 */
import { ReconnectError, TimeoutError } from '@sock/core';
import { checkDuration, checkFunction, checkObject, invalidValue } from '@sock/native';
import { CircuitBreaker } from './circuit-breaker.js';
import {
  type CircuitBreakerOptions,
  type CircuitState,
  checkCircuitOptions,
} from './circuit-state.js';
import type { CircuitStore } from './circuit-store.js';
import { systemClock } from './clock.js';

/** A circuit breaker's, and how often the store is asked. */
export interface SharedCircuitOptions
  extends Omit<CircuitBreakerOptions, 'state' | 'onStateChange'> {
  /**
   * How old may be what is known of the store while the circuit is closed, in milliseconds: 0
   * (asked before every call) to 2^31−1. Default 1,000.
   */
  refreshInterval?: number | undefined;
  /**
   * A store that takes longer than this has failed, in milliseconds: 1 to 2^31−1. Default 1,000.
   */
  storeTimeout?: number | undefined;
}

/** The record of all processes, while the circuit is not closed. */
interface CircuitRecord {
  readonly state: 'open' | 'half-open';
  /** Another for each opening and each round of probes. */
  readonly round: number;
  readonly probes: number;
  readonly successes: number;
}

interface Read {
  /** As it is stored; null: nothing is. */
  readonly text: string | null;
  readonly record: CircuitRecord | null;
  /** How long calls are refused; 0 or less: a new round of probes may begin. */
  readonly leftMs: number;
}

/** What a call that goes through is: one of many, or a probe of that round. */
type Pass = 'call' | { readonly round: number };

const closed: Read = { text: null, record: null, leftMs: 0 };
/** Whoever loses this often has met a crowd, and is one too many. */
const triesMax = 5;

/**
 * A circuit breaker whose state processes share through a store: one that opens it stops all, and
 * all together send as many probes as one would.
 *
 * @example
 * ```ts
 * const breaker = new SharedCircuitBreaker(redisStore(client), 'circuit:billing', {
 *   failureThreshold: 5,
 * });
 * const answer = await breaker.execute(() => ask(billing));
 * ```
 */
export class SharedCircuitBreaker {
  readonly #store: CircuitStore;
  readonly #key: string;
  readonly #settings: ReturnType<typeof checkCircuitOptions>;
  readonly #refreshMs: number;
  readonly #storeTimeoutMs: number;
  readonly #local: CircuitBreaker;
  #known: Read = closed;
  #knownMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | null = null;
  /** Whether the store has heard that the breaker here is open. */
  #published = false;
  #storeFailures = 0;

  /**
   * @param store Where the state is kept.
   * @param key Under which: one for each thing that can fail. Not empty.
   * @throws TypeError, RangeError when an argument is wrong.
   */
  constructor(store: CircuitStore, key: string, options: SharedCircuitOptions = {}) {
    const { get, replace } = checkObject<CircuitStore>('store', store);
    checkFunction('store.get', get);
    checkFunction('store.replace', replace);
    if (typeof key !== 'string' || key === '') {
      throw invalidValue('key', 'must be a string that is not empty', key);
    }
    const { refreshInterval, storeTimeout, ...rest } = checkObject<SharedCircuitOptions>(
      'options',
      options,
    );
    this.#settings = checkCircuitOptions(rest);
    this.#store = store;
    this.#key = key;
    this.#refreshMs = checkDuration('options.refreshInterval', refreshInterval ?? 1_000, 0);
    this.#storeTimeoutMs = checkDuration('options.storeTimeout', storeTimeout ?? 1_000, 1);
    this.#local = new CircuitBreaker(rest as CircuitBreakerOptions);
  }

  /** As far as it is known here: what the store said last, or else the breaker of this process. */
  get state(): CircuitState {
    return this.#known.record?.state ?? this.#local.state;
  }

  /** How often the store has failed, or said what cannot be read. */
  get storeFailures(): number {
    return this.#storeFailures;
  }

  /**
   * As {@link CircuitBreaker.execute}, for all processes together. Waits for the store only while
   * the circuit is not closed, and after the call when its outcome is news for the others.
   */
  async execute<T>(fn: () => T | PromiseLike<T>): Promise<T> {
    checkFunction('fn', fn);
    const pass = await this.#admit();
    if (pass === null) {
      throw new ReconnectError('the circuit is open', { code: 'ERR_SOCK_CIRCUIT_OPEN' });
    }
    const generation = this.#local.generation;
    let result: T;
    try {
      result = await fn();
    } catch (error) {
      await this.#report(pass, generation, this.#settings.isFailure(error));
      throw error;
    }
    await this.#report(pass, generation, false);
    return result;
  }

  /** Closes it for all, and forgets every failure here. */
  async reset(): Promise<void> {
    this.#local.reset();
    this.#published = false;
    await this.#read();
    const { text } = this.#known;
    if (text !== null) await this.#replace(text, null);
    this.#note(closed);
  }

  async #admit(): Promise<Pass | null> {
    const { clock } = this.#settings;
    const isStale = clock.now() - this.#knownMs >= this.#refreshMs;
    if (this.#known.record === null && this.#local.state === 'closed') {
      if (!isStale) return 'call';
      const reading = this.#read();
      // Nothing is known at first, and with an interval of 0 nothing ever is.
      if (this.#refreshMs > 0 && this.#knownMs !== Number.NEGATIVE_INFINITY) return 'call';
      await reading;
      if (this.#known.record === null) return this.#local.allow() ? 'call' : null;
    }
    return this.#claim();
  }

  /** A place among the probes, if there is one. */
  async #claim(): Promise<Pass | null> {
    for (let tries = 0; tries < triesMax; tries++) {
      const failures = this.#storeFailures;
      await this.#read();
      if (this.#storeFailures > failures) return this.#local.allow() ? 'call' : null;
      const { record, leftMs, text } = this.#known;
      if (record === null) return this.#passClosed();
      const next = this.#nextRound(record, leftMs);
      if (next === null) return null;
      const taken = await this.#replace(text, next);
      if (taken) return { round: next.round };
      if (taken === null) return this.#local.allow() ? 'call' : null;
    }
    return null;
  }

  #nextRound(record: CircuitRecord, leftMs: number): CircuitRecord | null {
    if (leftMs <= 0) {
      return { state: 'half-open', round: record.round + 1, probes: 1, successes: 0 };
    }
    const hasPlace = record.state === 'half-open' && record.probes < this.#settings.probesMax;
    return hasPlace ? { ...record, probes: record.probes + 1 } : null;
  }

  /** The store says that the circuit is closed, though the breaker here may not have heard. */
  #passClosed(): Pass | null {
    if (this.#local.state !== 'closed' && this.#published) this.#local.reset();
    if (this.#local.state === 'closed') this.#published = false;
    return this.#local.allow() ? 'call' : null;
  }

  async #report(pass: Pass, generation: number, failed: boolean): Promise<void> {
    if (failed) this.#local.failure(generation);
    else this.#local.success(generation);
    if (pass !== 'call') {
      await this.#reportProbe(pass.round, failed);
    } else if (this.#local.state === 'open' && !this.#published) {
      const record: CircuitRecord = { state: 'open', round: 1, probes: 0, successes: 0 };
      // Where another was faster, the circuit is open as well.
      this.#published = (await this.#replace(null, record)) !== null;
    }
  }

  /** Counts only within the round that it belongs to. */
  async #reportProbe(round: number, failed: boolean): Promise<void> {
    for (let tries = 0; tries < triesMax; tries++) {
      const { text, record } = this.#known;
      if (record?.state === 'half-open' && record.round === round) {
        const next = this.#afterProbe(record, failed);
        const replaced = await this.#replace(text, next);
        if (replaced === null) return;
        if (replaced) {
          if (next === null) this.#local.reset();
          this.#published = next !== null;
          return;
        }
      }
      const failures = this.#storeFailures;
      await this.#read();
      const { record: found } = this.#known;
      if (this.#storeFailures > failures || found?.round !== round) return;
    }
  }

  #afterProbe(record: CircuitRecord, failed: boolean): CircuitRecord | null {
    const { round } = record;
    if (failed) return { state: 'open', round: round + 1, probes: 0, successes: 0 };
    const successes = record.successes + 1;
    if (successes >= this.#settings.successesMin) return null;
    return { state: 'half-open', round, probes: Math.max(0, record.probes - 1), successes };
  }

  /** Asks the store; several that ask at once ask together. */
  #read(): Promise<void> {
    this.#reading ??= this.#readOnce().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #readOnce(): Promise<void> {
    try {
      const stored = await this.#inTime(this.#store.get(this.#key));
      this.#note(stored === null ? closed : this.#parse(stored.value, stored.ttl));
    } catch {
      this.#storeFailures++;
      this.#note(closed);
    }
  }

  #parse(text: string, ttlMs: number): Read {
    const { state, round, probes, successes } = JSON.parse(text) as Partial<CircuitRecord>;
    const numbers = [round, probes, successes, ttlMs];
    if ((state !== 'open' && state !== 'half-open') || !numbers.every(Number.isFinite)) {
      throw new TypeError('the store has something else under the key');
    }
    const record = { state, round, probes, successes } as CircuitRecord;
    return { text, record, leftMs: ttlMs - this.#settings.resetTimeoutMs };
  }

  /** Whether it was replaced; null: the store has failed. */
  async #replace(expected: string | null, record: CircuitRecord | null): Promise<boolean | null> {
    const { resetTimeoutMs } = this.#settings;
    const text = record === null ? null : JSON.stringify(record);
    try {
      const replacing = this.#store.replace(this.#key, expected, text, 2 * resetTimeoutMs);
      if (!(await this.#inTime(replacing))) return false;
    } catch {
      this.#storeFailures++;
      return null;
    }
    this.#note({ text, record, leftMs: resetTimeoutMs });
    return true;
  }

  async #inTime<T>(answer: Promise<T>): Promise<T> {
    let timer: unknown;
    const late = new Promise<never>((_, reject) => {
      const giveUp = (): void => {
        reject(new TimeoutError('the store of a circuit', this.#storeTimeoutMs));
      };
      timer = systemClock.setTimeout(giveUp, this.#storeTimeoutMs);
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      systemClock.clearTimeout(timer);
    }
  }

  #note(read: Read): void {
    this.#known = read;
    this.#knownMs = this.#settings.clock.now();
  }
}
