/** What a circuit breaker is made with, and what of it can be kept and given to another. */
import {
  checkArray,
  checkDuration,
  checkFunction,
  checkInteger,
  checkObject,
  checkOneOf,
  checkOptions,
  invalidValue,
  outOfRange,
} from '@sock/native';
import { type Clock, systemClock } from './clock.js';
import type { WindowBucket } from './failure-window.js';

/** `'closed'`: calls go through. `'open'`: none does. `'half-open'`: a few do, as probes. */
export type CircuitState = 'closed' | 'open' | 'half-open';

const circuitStates: readonly CircuitState[] = ['closed', 'open', 'half-open'];

/** What {@link CircuitBreaker.toJSON} gives, and the `state` option takes: plain data. */
export interface CircuitSnapshot {
  /** Where it stood. */
  readonly state: CircuitState;
  /** Failures in a row. */
  readonly failures: number;
  /** Milliseconds until a probe is let through; 0 unless it is open. */
  readonly remaining: number;
  /** Probes that have succeeded, while it is half-open. */
  readonly successes: number;
  /** Of a windowed breaker: what it has counted. */
  readonly window?: readonly WindowBucket[] | undefined;
}

/** When so many of the calls of the last while failed, a windowed breaker opens. */
export interface CircuitWindow {
  /** How far back it looks, in milliseconds: 10 to 2^31−1. It forgets in steps of a tenth. */
  duration: number;
  /** The part of the calls that has to fail: above 0, at most 1. */
  failureRate: number;
  /** With fewer calls than this in the window it stays closed: 1 or more. Default 10. */
  minimumCalls?: number | undefined;
}

/** When a circuit opens, and how it closes again. */
export interface CircuitBreakerOptions {
  /** So many failures in a row open it: 1 or more. Default 5. Excludes `window`. */
  failureThreshold?: number | undefined;
  /** Goes by the part of calls that fail, in place of failures in a row. */
  window?: CircuitWindow | undefined;
  /** Milliseconds from opening until a probe is let through: 1 to 2^31−1. Default 60,000. */
  resetTimeout?: number | undefined;
  /** How many probes may be under way at once while it is half-open: 1 or more. Default 1. */
  probes?: number | undefined;
  /** So many successful probes close it: 1 or more. Default 1. */
  successThreshold?: number | undefined;
  /** Whether what {@link CircuitBreaker.execute} failed with speaks against the other side. */
  isFailure?: ((error: unknown) => boolean) | undefined;
  /** Called after each change, when all of it is done: it may call any method. */
  onStateChange?: ((from: CircuitState, to: CircuitState) => void) | undefined;
  /** To go on from: what {@link CircuitBreaker.toJSON} of another gave. */
  state?: CircuitSnapshot | undefined;
  /** Where the time comes from. Default: the monotonic clock. */
  clock?: Clock | undefined;
}

export const circuitOptionKeys = [
  'failureThreshold',
  'window',
  'resetTimeout',
  'probes',
  'successThreshold',
  'isFailure',
  'onStateChange',
  'state',
  'clock',
] as const;

export interface CircuitSettings {
  readonly failuresMax: number;
  readonly window: { durationMs: number; failureRate: number; callsMin: number } | null;
  readonly resetTimeoutMs: number;
  readonly probesMax: number;
  readonly successesMin: number;
  readonly isFailure: (error: unknown) => boolean;
  readonly onStateChange: ((from: CircuitState, to: CircuitState) => void) | undefined;
  readonly snapshot: CircuitSnapshot | undefined;
  readonly clock: Clock;
}

const countMax = 2 ** 31 - 1;

export function checkCircuitOptions(value: unknown): CircuitSettings {
  const given = checkOptions<CircuitBreakerOptions>(value, circuitOptionKeys);
  if (given.window !== undefined && given.failureThreshold !== undefined) {
    throw invalidValue('options.window', 'excludes failureThreshold', given.window);
  }
  const count = (name: 'failureThreshold' | 'probes' | 'successThreshold', otherwise: number) =>
    checkInteger(`options.${name}`, given[name] ?? otherwise, 1, countMax);
  const { onStateChange } = given;
  if (onStateChange !== undefined) checkFunction('options.onStateChange', onStateChange);
  return {
    failuresMax: count('failureThreshold', 5),
    window: given.window === undefined ? null : checkWindow(given.window),
    resetTimeoutMs: checkDuration('options.resetTimeout', given.resetTimeout ?? 60_000, 1),
    probesMax: count('probes', 1),
    successesMin: count('successThreshold', 1),
    isFailure: checkFunction('options.isFailure', given.isFailure ?? (() => true)),
    onStateChange,
    snapshot: given.state === undefined ? undefined : checkSnapshot(given.state),
    clock: checkClock(given.clock ?? systemClock),
  };
}

export function checkClock<T extends Clock>(value: T, name = 'options.clock'): T {
  checkFunction(`${name}.now`, checkObject<Clock>(name, value).now);
  return value;
}

function checkWindow(value: unknown): NonNullable<CircuitSettings['window']> {
  const name = 'options.window';
  const keys = ['duration', 'failureRate', 'minimumCalls'] as const;
  const { duration, failureRate, minimumCalls } = checkOptions<CircuitWindow>(value, keys, name);
  const rate = checkCount(`${name}.failureRate`, failureRate);
  if (rate === 0 || rate > 1) throw outOfRange(`${name}.failureRate`, '> 0 and <= 1', rate);
  return {
    durationMs: checkDuration(`${name}.duration`, duration, 10),
    failureRate: rate,
    callsMin: checkInteger(`${name}.minimumCalls`, minimumCalls ?? 10, 1, countMax),
  };
}

/** A number that is not negative. */
function checkCount(name: string, value: unknown): number {
  return checkDuration(name, value, 0);
}

/** It may come from a file, or from a store that others write to. */
export function checkSnapshot(value: unknown): CircuitSnapshot {
  const name = 'options.state';
  const given = checkObject<CircuitSnapshot>(name, value);
  const window =
    given.window === undefined
      ? undefined
      : checkArray(`${name}.window`, given.window, 'an array').map((bucket, index) => {
          const at = `${name}.window[${index}]`;
          const { age, successes, failures } = checkObject<WindowBucket>(at, bucket);
          return {
            age: checkCount(`${at}.age`, age),
            successes: checkCount(`${at}.successes`, successes),
            failures: checkCount(`${at}.failures`, failures),
          };
        });
  return {
    state: checkOneOf(`${name}.state`, given.state, circuitStates),
    failures: checkCount(`${name}.failures`, given.failures),
    remaining: checkCount(`${name}.remaining`, given.remaining),
    successes: checkCount(`${name}.successes`, given.successes),
    window,
  };
}
