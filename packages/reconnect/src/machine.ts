/**
 * Theory of operation. The states and what leads from one to the other, and nothing else: it is
 * told what has happened, asks for the time, and tells its host what to begin and what to end.
 *
 * A change is done in one piece. Whatever of the caller's runs in the middle of one (a breaker's
 * listener, a connect function) may call any method here: that change is then complete before the
 * interrupted one goes on, which finds that the epoch is another, and stops. Listeners of states
 * hear of a change from the host, when it is over.
 *
 * The limit of attempts comes before the circuit, or an open circuit would put it off for ever. A
 * connection that was shorter than the delay before it does not begin the delays anew: a peer that
 * accepts and hangs up at once is met with growing ones like any other that fails.
 */
import { ReconnectError, TimeoutError } from '@sock/core';
import type { Backoff } from './backoff.js';
import type { CircuitBreaker } from './circuit-breaker.js';
import type { Clock } from './clock.js';
import type { ReconnectBudget } from './reconnect-budget.js';
import type { ReconnectState } from './reconnect-state.js';

export interface MachineHost {
  /** Begins an attempt, whose outcome is told by `succeeded` or `failed`, never within the call. */
  begin(): void;
  /** Ends the attempt that is under way, or the connection; `error`: it was lost by that. */
  end(error: Error | null): void;
  /** A change is complete. */
  changed(from: ReconnectState, to: ReconnectState): void;
}

export interface MachineSettings {
  readonly host: string;
  readonly port: number;
  readonly backoff: Backoff;
  readonly breaker: CircuitBreaker;
  readonly budget: ReconnectBudget;
  readonly attemptsMax: number;
  readonly connectTimeoutMs: number;
  readonly clock: Clock;
}

export class Machine {
  state: ReconnectState = 'disconnected';
  /** Attempts since the last success: the one that is under way is one. */
  attempts = 0;
  /** Failures in a row, lost connections included. */
  failures = 0;
  /** What failed last; null after a success. */
  error: Error | null = null;
  /** When `tick` has something to do about the state. */
  dueMs = Number.POSITIVE_INFINITY;

  readonly #settings: MachineSettings;
  readonly #host: MachineHost;
  #epoch = 0;
  /** Of the breaker, when the attempt began. */
  #generation = 0;
  /** Whether the budget has given a turn, which comes at `dueMs`. */
  #hasTurn = false;
  #delayMs = 0;
  #connectedMs = 0;

  constructor(settings: MachineSettings, host: MachineHost) {
    this.#settings = settings;
    this.#host = host;
  }

  connect(): void {
    if (this.state !== 'disconnected') return;
    this.attempts = 0;
    this.error = null;
    this.#delayMs = 0;
    this.#attempt();
  }

  disconnect(): void {
    if (this.state === 'disconnected') return;
    const { breaker } = this.#settings;
    if (this.state === 'connecting') breaker.cancel(this.#generation);
    this.#forgive();
    this.#host.end(null);
    this.#set('disconnected', Number.POSITIVE_INFINITY);
  }

  /** As if nothing had ever failed; what waits is tried at once. */
  reset(): void {
    const { breaker } = this.#settings;
    breaker.reset();
    this.#generation = breaker.generation;
    this.#forgive();
    if (this.state === 'connecting') this.attempts = 1;
    if (this.state === 'backoff' || this.state === 'circuit-open') this.#attempt();
  }

  succeeded(): void {
    if (this.state !== 'connecting') return;
    const { breaker, clock } = this.#settings;
    if (!this.#tell(() => breaker.success(this.#generation))) return;
    this.#generation = breaker.generation;
    this.attempts = 0;
    this.failures = 0;
    this.error = null;
    this.#connectedMs = clock.now();
    this.#set('connected', Number.POSITIVE_INFINITY);
  }

  failed(error: Error): void {
    if (this.state === 'connecting') this.#fail(error);
  }

  lost(error: Error): void {
    if (this.state !== 'connected') return;
    const { backoff, clock } = this.#settings;
    if (clock.now() - this.#connectedMs >= this.#delayMs) backoff.reset();
    this.#fail(error);
  }

  /** Does what is due. */
  tick(): void {
    const nowMs = this.#settings.clock.now();
    if (nowMs < this.dueMs) return;
    if (this.state === 'connecting') {
      const { host: address, port, connectTimeoutMs } = this.#settings;
      this.#fail(new TimeoutError('the attempt', connectTimeoutMs, { address, port }));
    } else if (this.state !== 'connected' && this.#takesTurn(nowMs)) {
      this.#attempt();
    }
  }

  /** Whether it may be tried now; else it is due when its turn comes. */
  #takesTurn(nowMs: number): boolean {
    if (!this.#hasTurn) {
      const waitMs = this.#settings.budget.take(nowMs);
      if (waitMs > 0) {
        this.#hasTurn = true;
        this.dueMs = nowMs + waitMs;
        return false;
      }
    }
    this.#hasTurn = false;
    return true;
  }

  #attempt(): void {
    const { breaker, clock, connectTimeoutMs } = this.#settings;
    let allowed = false;
    const isCurrent = this.#tell(() => {
      allowed = breaker.allow();
    });
    if (!isCurrent) {
      if (allowed) breaker.cancel();
      return;
    }
    if (!allowed) {
      this.#waitForCircuit();
      return;
    }
    this.#generation = breaker.generation;
    this.attempts++;
    const from = this.state;
    this.state = 'connecting';
    this.dueMs = clock.now() + connectTimeoutMs;
    this.#epoch++;
    this.#host.changed(from, 'connecting');
    this.#host.begin();
  }

  #fail(error: Error): void {
    const { breaker, backoff, attemptsMax, clock } = this.#settings;
    if (!this.#tell(() => breaker.failure(this.#generation))) return;
    if (!this.#tell(() => this.#host.end(error))) return;
    this.failures++;
    this.error = error;
    if (this.attempts >= attemptsMax) {
      this.error = this.#givenUp(error);
      this.#set('disconnected', Number.POSITIVE_INFINITY);
    } else if (breaker.remaining > 0) {
      this.#waitForCircuit();
    } else {
      this.#delayMs = backoff.next();
      this.#set('backoff', clock.now() + this.#delayMs);
    }
  }

  /** A breaker that others use, too, can have its probes under way elsewhere. */
  #waitForCircuit(): void {
    const { breaker, clock } = this.#settings;
    this.#delayMs = Math.max(1, breaker.remaining);
    this.#set('circuit-open', clock.now() + this.#delayMs);
  }

  #givenUp(cause: Error): ReconnectError {
    const { host: address, port } = this.#settings;
    const message = `gave up after ${this.attempts} attempts: ${cause.message}`;
    return new ReconnectError(message, {
      code: 'ERR_SOCK_RECONNECT_EXHAUSTED',
      address,
      port,
      cause,
    });
  }

  #forgive(): void {
    this.attempts = 0;
    this.failures = 0;
    this.error = null;
    this.#hasTurn = false;
    this.#settings.backoff.reset();
  }

  /** Tells the breaker, whose listeners may change everything: whether they did not. */
  #tell(act: () => void): boolean {
    const epoch = this.#epoch;
    act();
    return this.#epoch === epoch;
  }

  #set(to: ReconnectState, dueMs: number): void {
    const from = this.state;
    this.state = to;
    this.dueMs = dueMs;
    this.#epoch++;
    if (from !== to) this.#host.changed(from, to);
  }
}
