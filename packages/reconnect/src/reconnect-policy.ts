import { checkDuration, checkInteger, checkOneOf, checkOptions, checkSetting } from '@sock/native';
import { Backoff } from './backoff.js';
import { CircuitBreaker } from './circuit-breaker.js';
import type { TimerClock } from './clock.js';

/** What becomes of sends while there is no connection: see {@link ReconnectPolicy.delivery}. */
export type Delivery = 'fail' | 'buffer';

/** How a connection is kept, and brought back. Times are in milliseconds. */
export interface ReconnectPolicy {
  /** The delay before the first retry: {@link BackoffOptions.initialDelay}. Default 100. */
  initialDelay?: number | undefined;
  /** No delay is longer, jitter included. Default 30,000. */
  maxDelay?: number | undefined;
  /** What each delay is longer by than the one before: 1 to 1,000. Default 2. */
  multiplier?: number | undefined;
  /** {@link BackoffOptions.jitter}: 0 to 1, or `'decorrelated'`. Default 0.25. */
  jitter?: number | 'decorrelated' | undefined;
  /**
   * Attempts in a row that may fail before it gives up, and is disconnected: an integer from 1, or
   * `Infinity`. Default 10. A circuit that is open does not suspend it.
   */
  maxAttempts?: number | undefined;
  /**
   * Failures in a row, lost connections included, that open the circuit: an integer from 1, or
   * `Infinity` for never. Default 5.
   */
  circuitFailureThreshold?: number | undefined;
  /** How long the circuit stays open before an attempt probes it. Default 60,000. */
  circuitResetTimeout?: number | undefined;
  /** The time for one attempt, name lookup included, above 0, or `Infinity`. Default 30,000. */
  connectTimeout?: number | undefined;
  /** How often the connection is checked, above 0; `Infinity`: never. Default 30,000. */
  healthCheckInterval?: number | undefined;
  /** The time for one check, above 0, or `Infinity`. Default 5,000. */
  healthCheckTimeout?: number | undefined;
  /**
   * How long a peer may give no sign of life, though it was asked for one, before it counts as
   * gone: 2,000 to 2^31−1, or `Infinity` to leave that to the kernel. Default 30,000. It is noticed
   * within a second of that, whether this side sends or is idle; an idle peer is asked every sixth
   * of it, at least a second apart. Needs TCP; elsewhere it does nothing.
   */
  deadAfter?: number | undefined;
  /**
   * What becomes of sends while there is no connection. `'fail'`, the default: they are refused
   * with `ENOTCONN`. `'buffer'`: they wait for the next one, up to `bufferMax` bytes. In neither
   * case is a byte that the kernel took sent again: see {@link ReconnectingSocket.send}.
   */
  delivery?: Delivery | undefined;
  /**
   * With `delivery: 'buffer'`, how many bytes may wait: 0 to 2^53−1, default 1 MiB. What would pass
   * it is refused with `ERR_SOCK_QUEUE_FULL`.
   */
  bufferMax?: number | undefined;
}

/** The values that {@link ReconnectPolicy} has where none is given. */
export type ReconnectDefaults = {
  readonly [Key in keyof ReconnectPolicy]-?: NonNullable<ReconnectPolicy[Key]>;
};

/** `ReconnectPolicy.defaults` are the values that are used where none is given. */
export const ReconnectPolicy: {
  /** Each value, by its name. */
  readonly defaults: ReconnectDefaults;
} = Object.freeze({
  defaults: Object.freeze({
    initialDelay: 100,
    maxDelay: 30_000,
    multiplier: 2,
    jitter: 0.25,
    maxAttempts: 10,
    circuitFailureThreshold: 5,
    circuitResetTimeout: 60_000,
    connectTimeout: 30_000,
    healthCheckInterval: 30_000,
    healthCheckTimeout: 5_000,
    deadAfter: 30_000,
    delivery: 'fail',
    bufferMax: 1024 * 1024,
  }),
});

/** Below it, the seconds in which the kernel counts are too coarse to tell. */
const deadAfterMinMs = 2_000;
const countMax = 2 ** 31 - 1;

/** What a policy comes to, checked. */
export interface CheckedPolicy {
  readonly backoff: Backoff;
  readonly breaker: CircuitBreaker;
  readonly attemptsMax: number;
  readonly connectTimeoutMs: number;
  readonly healthIntervalMs: number;
  readonly healthTimeoutMs: number;
  readonly deadAfterMs: number;
  readonly delivery: Delivery;
  readonly bufferBytesMax: number;
}

const known = Object.keys(ReconnectPolicy.defaults) as (keyof ReconnectPolicy)[];

function checkLimit(name: string, value: number): number {
  return value === Number.POSITIVE_INFINITY ? value : checkInteger(name, value, 1, countMax);
}

function checkDeadAfter(value: number): number {
  const name = 'policy.deadAfter';
  return value === Number.POSITIVE_INFINITY ? value : checkDuration(name, value, deadAfterMinMs);
}

/** Errors name `policy`, not the options of the parts that are made of it. */
function renamed<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof Error) {
      error.message = error.message
        .replace('"options.', '"policy.')
        .replace('failureThreshold', 'circuitFailureThreshold')
        .replace('resetTimeout', 'circuitResetTimeout');
    }
    throw error;
  }
}

/** @internal */
export function checkPolicy(
  value: unknown,
  clock: TimerClock,
  random: (() => number) | undefined,
): CheckedPolicy {
  const given = checkOptions<ReconnectPolicy>(value, known, 'policy');
  const { defaults } = ReconnectPolicy;
  const setting = (name: 'connectTimeout' | 'healthCheckInterval' | 'healthCheckTimeout') =>
    checkSetting(`policy.${name}`, given[name] ?? defaults[name]);
  const { initialDelay, maxDelay, multiplier, jitter } = given;
  const threshold = given.circuitFailureThreshold ?? defaults.circuitFailureThreshold;
  checkLimit('policy.circuitFailureThreshold', threshold);
  return {
    backoff: renamed(() => new Backoff({ initialDelay, maxDelay, multiplier, jitter, random })),
    breaker: renamed(
      () =>
        new CircuitBreaker({
          failureThreshold: Math.min(threshold, countMax),
          resetTimeout: given.circuitResetTimeout,
          clock,
        }),
    ),
    attemptsMax: checkLimit('policy.maxAttempts', given.maxAttempts ?? defaults.maxAttempts),
    connectTimeoutMs: setting('connectTimeout'),
    healthIntervalMs: setting('healthCheckInterval'),
    healthTimeoutMs: setting('healthCheckTimeout'),
    deadAfterMs: checkDeadAfter(given.deadAfter ?? defaults.deadAfter),
    delivery: checkOneOf('policy.delivery', given.delivery ?? 'fail', ['fail', 'buffer']),
    bufferBytesMax: checkInteger(
      'policy.bufferMax',
      given.bufferMax ?? defaults.bufferMax,
      0,
      Number.MAX_SAFE_INTEGER,
    ),
  };
}
