/** Checks of arguments, in the words that `@sock/core` uses for its own. */
import { inspect } from 'node:util';

function show(value: unknown): string {
  try {
    return inspect(value, { depth: -1, customInspect: false, maxStringLength: 25 });
  } catch {
    return 'something that cannot be shown';
  }
}

function coded<E extends Error>(error: E, code: string): E {
  return Object.assign(error, { code });
}

export function invalidType(name: string, expected: string, value: unknown): TypeError {
  const message = `The "${name}" argument must be ${expected}. Received ${show(value)}`;
  return coded(new TypeError(message), 'ERR_INVALID_ARG_TYPE');
}

export function invalidValue(name: string, expected: string, value: unknown): TypeError {
  const message = `The "${name}" argument ${expected}. Received ${show(value)}`;
  return coded(new TypeError(message), 'ERR_INVALID_ARG_VALUE');
}

function outOfRange(name: string, range: string, value: unknown): RangeError {
  const message = `The value of "${name}" is out of range. It must be ${range}.`;
  return coded(new RangeError(`${message} Received ${show(value)}`), 'ERR_OUT_OF_RANGE');
}

export function checkInteger(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number') throw invalidType(name, 'a number', value);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw outOfRange(name, `an integer >= ${min} and <= ${max}`, value);
  }
  return value;
}

/** The longest time that a timer can count: about 24.8 days. */
const timeoutMaxMs = 2 ** 31 - 1;

export function checkDuration(name: string, value: unknown, minMs: number): number {
  if (typeof value !== 'number') throw invalidType(name, 'a number', value);
  if (!(value >= minMs && value <= timeoutMaxMs)) {
    throw outOfRange(name, `>= ${minMs} and <= ${timeoutMaxMs}`, value);
  }
  return value;
}

/** A wait: 0 looks once, `Infinity` sets no limit. */
export function checkTimeout(name: string, value: unknown): number {
  return value === Number.POSITIVE_INFINITY ? value : checkDuration(name, value, 0);
}

export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw invalidType(name, 'a function', value);
}

/** Only a real one has the getter work; what imitates one, or stands before it, throws. */
function isSignal(value: unknown): value is AbortSignal {
  try {
    return value instanceof AbortSignal && typeof value.aborted === 'boolean';
  } catch {
    return false;
  }
}

export function checkSignal(value: unknown): AbortSignal | undefined {
  if (value === undefined) return undefined;
  if (!isSignal(value)) throw invalidType('options.signal', 'an instance of AbortSignal', value);
  return value;
}

export function checkOneOf<T extends string>(
  name: string,
  value: unknown,
  allowed: readonly T[],
): T {
  const found = allowed.find((item) => item === value);
  if (found !== undefined) return found;
  const list = allowed.map((item) => `'${item}'`).join(', ');
  if (typeof value !== 'string') throw invalidType(name, `one of ${list}`, value);
  throw invalidValue(name, `must be one of ${list}`, value);
}

function keysOf(value: unknown): string[] {
  try {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return Object.keys(value);
    }
  } catch {
    // A proxy that was revoked, or that refuses to tell.
  }
  throw invalidType('options', 'an object', value);
}

/** The options object, every key of which must be known: a misspelt one is not passed over. */
export function checkOptions<T extends object>(
  value: unknown,
  known: readonly (keyof T & string)[],
): Partial<T> {
  if (value === undefined) return {};
  for (const key of keysOf(value)) {
    if ((known as readonly string[]).includes(key)) continue;
    const expected = `is not an option here; known are ${known.join(', ')}`;
    throw invalidValue(`options.${key}`, expected, key);
  }
  return value as Partial<T>;
}
