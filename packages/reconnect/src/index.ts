export { Backoff, type BackoffOptions } from './backoff.js';
export { CircuitBreaker } from './circuit-breaker.js';
export type {
  CircuitBreakerOptions,
  CircuitSnapshot,
  CircuitState,
  CircuitWindow,
} from './circuit-state.js';
export type { CircuitStore, StoredCircuit } from './circuit-store.js';
export type { Clock } from './clock.js';
export type { WindowBucket } from './failure-window.js';
export { ReconnectBudget, type ReconnectBudgetOptions } from './reconnect-budget.js';
export { SharedCircuitBreaker, type SharedCircuitOptions } from './shared-circuit-breaker.js';
