import { checkOptions, checkTimeout, outOfRange } from '@sock/native';

/**
 * Time limits of a socket, in milliseconds: each a number above 0, at most 2^31−1, or `Infinity`
 * for none. Fractions count. 0 is a RangeError: a setting of "look once" would make every wait
 * fail.
 */
export interface Timeouts {
  /** Connecting, the name lookup included. Default 30,000. */
  connectTimeout: number;
  /** A name lookup, within `connectTimeout`. Default 5,000. */
  dnsTimeout: number;
  /** Every other operation that is not given a `timeout` of its own. Default `Infinity`. */
  operationTimeout: number;
}

const timeoutKeys = ['connectTimeout', 'dnsTimeout', 'operationTimeout'] as const;

let defaults: Readonly<Timeouts> = Object.freeze({
  connectTimeout: 30_000,
  dnsTimeout: 5_000,
  operationTimeout: Number.POSITIVE_INFINITY,
});

/** `base` with the given values in place; as a setting, 0 is refused. */
export function withTimeouts(base: Timeouts, changes: unknown): Readonly<Timeouts> {
  const checked = checkOptions<Timeouts>(changes, timeoutKeys, 'timeouts');
  const result = { ...base };
  for (const key of timeoutKeys) {
    const value = checked[key];
    if (value === undefined) continue;
    if (checkTimeout(value, key) === 0) throw outOfRange(key, '> 0, or Infinity', value);
    result[key] = value;
  }
  return Object.freeze(result);
}

export function defaultTimeouts(): Readonly<Timeouts> {
  return defaults;
}

/** For sockets of this thread that are made from now on. */
export function setDefaultTimeouts(changes: Partial<Timeouts>): void {
  defaults = withTimeouts(defaults, changes);
}
