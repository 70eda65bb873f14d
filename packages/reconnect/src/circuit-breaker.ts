/**
 * Theory of operation. A breaker is numbers and a clock that it is asked the time of: nothing
 * waits, no timer runs, so one costs nothing while nobody calls. It turns half-open when somebody
 * asks to be let through after the time, not before.
 *
 * Every change begins a new generation. A result counts only if it belongs to the present one: a
 * call that was let through while the circuit was closed, and fails when a probe has closed it
 * again, says nothing about now. Probes are counted as they are let through; those whose result
 * never comes are given up after the reset timeout, with a generation of their own, or nobody
 * would ever probe again.
 */
import { ReconnectError } from '@sock/core';
import { checkFunction } from '@sock/native';
import {
  type CircuitBreakerOptions,
  type CircuitSettings,
  type CircuitSnapshot,
  type CircuitState,
  checkCircuitOptions,
} from './circuit-state.js';
import { FailureWindow } from './failure-window.js';

/**
 * Stops calls to what keeps failing, and finds out with a few probes when it works again.
 *
 * It opens after so many failures in a row, or when so many of the calls within a window failed;
 * then calls are refused for `resetTimeout`; then probes go through, and close it or open it again.
 *
 * @example
 * ```ts
 * const breaker = new CircuitBreaker({ failureThreshold: 3, resetTimeout: 10_000 });
 * const answer = await breaker.execute(() => ask(server));
 * ```
 */
export class CircuitBreaker {
  readonly #settings: CircuitSettings;
  readonly #window: FailureWindow | null;
  #state: CircuitState = 'closed';
  #generation = 0;
  #failures = 0;
  /** When it opened, or turned half-open. */
  #changedMs = 0;
  #probing = 0;
  #successes = 0;

  /** @throws TypeError, RangeError when an option is wrong. */
  constructor(options?: CircuitBreakerOptions) {
    this.#settings = checkCircuitOptions(options);
    const { window, snapshot } = this.#settings;
    this.#window = window === null ? null : new FailureWindow(window.durationMs);
    if (snapshot !== undefined) this.#restore(snapshot);
  }

  /**
   * Where it stands. An open one stays `'open'` when its time is over, until {@link allow} lets the
   * first probe through.
   */
  get state(): CircuitState {
    return this.#state;
  }

  /** Failures in a row, as far as they count: 0 or more. */
  get failures(): number {
    return this.#failures;
  }

  /** Another one after each change of state; what a result is reported with. */
  get generation(): number {
    return this.#generation;
  }

  /** Milliseconds until {@link allow} can say yes; 0 when it may now. */
  get remaining(): number {
    const { probesMax, resetTimeoutMs, clock } = this.#settings;
    const mayPass = this.#state === 'half-open' && this.#probing < probesMax;
    if (this.#state === 'closed' || mayPass) return 0;
    return Math.max(0, this.#changedMs + resetTimeoutMs - clock.now());
  }

  /**
   * Calls the function if calls may go through, and takes its outcome into account.
   *
   * @param fn What it returns, or resolves to, is returned; what it throws, or rejects with, is
   * passed on, and counts as a failure unless `isFailure` says no (then as a success).
   *
   * Rejects with `ReconnectError` (`ERR_SOCK_CIRCUIT_OPEN`) without calling it.
   */
  async execute<T>(fn: () => T | PromiseLike<T>): Promise<T> {
    if (typeof fn !== 'function') checkFunction('fn', fn);
    if (this.#state !== 'closed' && !this.allow()) throw this.#refusal();
    const generation = this.#generation;
    let result: T;
    try {
      result = await fn();
    } catch (error) {
      if (this.#settings.isFailure(error)) this.failure(generation);
      else this.success(generation);
      throw error;
    }
    this.success(generation);
    return result;
  }

  /**
   * Whether a call may go through now. After a yes, its outcome is owed: {@link success}, {@link
   * failure} or {@link cancel}, with the {@link generation} of that moment. A probe that owes it
   * for longer than `resetTimeout` is given up.
   */
  allow(): boolean {
    if (this.#state === 'closed') return true;
    if (this.remaining > 0) return false;
    const { probesMax } = this.#settings;
    if (this.#state === 'open' || this.#probing >= probesMax) this.#change('half-open');
    this.#probing++;
    return true;
  }

  /** A call has succeeded. Ignored when it belongs to an older generation. */
  success(generation = this.#generation): void {
    if (generation !== this.#generation) return;
    if (this.#state === 'closed') {
      this.#failures = 0;
      this.#window?.add(this.#settings.clock.now(), false);
    } else if (this.#state === 'half-open') {
      this.#endProbe();
      this.#successes++;
      if (this.#successes >= this.#settings.successesMin) this.#change('closed');
    }
  }

  /** A call has failed. Ignored when it belongs to an older generation. */
  failure(generation = this.#generation): void {
    if (generation !== this.#generation) return;
    if (this.#state === 'closed') {
      this.#failures++;
      this.#window?.add(this.#settings.clock.now(), true);
      if (this.#tooMany()) this.#change('open');
    } else if (this.#state === 'half-open') {
      this.#failures++;
      this.#change('open');
    }
  }

  /** A call that was let through came to no outcome: given up, say. Another may take its place. */
  cancel(generation = this.#generation): void {
    if (generation === this.#generation && this.#state === 'half-open') this.#endProbe();
  }

  /** Closes it, and forgets every failure; outcomes of calls that are under way are ignored. */
  reset(): void {
    if (this.#state === 'closed') this.#begin('closed');
    else this.#change('closed');
  }

  /** Plain data, for the `state` option of another one, later or elsewhere. */
  toJSON(): CircuitSnapshot {
    const { clock } = this.#settings;
    const window = this.#window?.export(clock.now());
    return {
      state: this.#state,
      failures: this.#failures,
      remaining: this.#state === 'open' ? this.remaining : 0,
      successes: this.#successes,
      ...(window === undefined ? {} : { window }),
    };
  }

  #restore({ state, failures, remaining, successes, window }: CircuitSnapshot): void {
    const { clock, resetTimeoutMs } = this.#settings;
    const nowMs = clock.now();
    this.#state = state;
    this.#failures = failures;
    this.#successes = successes;
    this.#changedMs =
      state === 'open' ? nowMs - resetTimeoutMs + Math.min(remaining, resetTimeoutMs) : nowMs;
    if (window !== undefined) this.#window?.import(nowMs, window);
  }

  #tooMany(): boolean {
    const { window, failuresMax, clock } = this.#settings;
    if (window === null || this.#window === null) return this.#failures >= failuresMax;
    const { calls, failures } = this.#window.count(clock.now());
    return calls >= window.callsMin && failures >= window.failureRate * calls;
  }

  #endProbe(): void {
    this.#probing = Math.max(0, this.#probing - 1);
  }

  /** Commits all of a change before anybody hears of it. */
  #change(to: CircuitState): void {
    const from = this.#state;
    this.#begin(to);
    if (from === to) return;
    try {
      this.#settings.onStateChange?.(from, to);
    } catch (error) {
      // It must not look like a failure of the call.
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #begin(state: CircuitState): void {
    this.#generation++;
    this.#state = state;
    this.#changedMs = this.#settings.clock.now();
    this.#probing = 0;
    this.#successes = 0;
    if (state !== 'closed') return;
    this.#failures = 0;
    this.#window?.clear();
  }

  #refusal(): ReconnectError {
    const remainingMs = Math.ceil(this.remaining);
    return new ReconnectError(`the circuit is open for another ${remainingMs} ms`, {
      code: 'ERR_SOCK_CIRCUIT_OPEN',
    });
  }
}
