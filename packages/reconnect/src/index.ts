export type { ConnectFunction } from './attempt.js';
export { Backoff, type BackoffOptions } from './backoff.js';
export { CircuitBreaker } from './circuit-breaker.js';
export type {
  CircuitBreakerOptions,
  CircuitSnapshot,
  CircuitState,
  CircuitWindow,
} from './circuit-state.js';
export type { CircuitStore, StoredCircuit } from './circuit-store.js';
export { type Clock, systemClock, type TimerClock } from './clock.js';
export type { Fate } from './connection.js';
export type { ReconnectStateEvent } from './diagnostics.js';
export type { WindowBucket } from './failure-window.js';
export type { HealthCheck } from './health.js';
/** @internal */
export { randomFraction } from './random.js';
export { ReconnectBudget, type ReconnectBudgetOptions } from './reconnect-budget.js';
export type { ReconnectOptions } from './reconnect-options.js';
/** @internal */
export {
  checkPolicy,
  type Delivery,
  type ReconnectDefaults,
  ReconnectPolicy,
} from './reconnect-policy.js';
export { ReconnectState, stateName } from './reconnect-state.js';
export { type LostEvent, type ReconnectEvents, ReconnectingSocket } from './reconnecting-socket.js';
export { SharedCircuitBreaker, type SharedCircuitOptions } from './shared-circuit-breaker.js';
/** @internal Waiting with limits, and the checks, for the other packages. */
export { Alarm, checkLimits, type Limits, Waiters } from './waiters.js';
