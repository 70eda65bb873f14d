/**
 * Checks of arguments, in the shape of `@sock/core`'s: a wrong one is a TypeError or RangeError
 * that names it.
 */
import { inspect } from 'node:util';

/** The longest time that a timer can count: about 24.8 days. */
export const timeMaxMs = 2 ** 31 - 1;

function show(value: unknown): string {
  try {
    const options = { depth: -1, maxStringLength: 28, maxArrayLength: 4, customInspect: false };
    return inspect(value, options);
  } catch {
    // A proxy may refuse to tell even what it is.
    return 'an object';
  }
}

export function invalidType(name: string, expected: string, value: unknown): TypeError {
  const message = `The "${name}" argument must be ${expected}. Received ${show(value)}`;
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
}

export function invalidValue(name: string, expected: string, value: unknown): TypeError {
  const message = `The "${name}" argument ${expected}. Received ${show(value)}`;
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' });
}

function outOfRange(name: string, range: string, value: unknown): RangeError {
  const message = `The value of "${name}" is out of range. It must be ${range}.`;
  const received = `Received ${String(value)}`;
  return Object.assign(new RangeError(`${message} ${received}`), { code: 'ERR_OUT_OF_RANGE' });
}

export function checkInteger(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number') throw invalidType(name, 'a number', value);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw outOfRange(name, `an integer >= ${min} and <= ${max}`, value);
  }
  return value;
}

export function checkPort(value: unknown, min = 0): number {
  return checkInteger('port', value, min, 65535);
}

/** A span of time that is at least `minMs`; `Infinity` is none. */
export function checkTime(name: string, value: unknown, minMs: number): number {
  if (typeof value !== 'number') throw invalidType(name, 'a number', value);
  if (value === Number.POSITIVE_INFINITY) return value;
  if (!(value >= minMs && value <= timeMaxMs)) {
    throw outOfRange(name, `>= ${minMs} and <= ${timeMaxMs}, or Infinity`, value);
  }
  return value;
}

/** A setting in milliseconds, where 0 would mean nothing. */
export function checkSetting(name: string, value: unknown): number {
  if (value === 0) throw outOfRange(name, `> 0 and <= ${timeMaxMs}, or Infinity`, value);
  return checkTime(name, value, 0);
}

export function checkSignal(value: unknown): AbortSignal | undefined {
  if (value === undefined) return undefined;
  try {
    if (value instanceof AbortSignal && typeof value.aborted === 'boolean') return value;
  } catch {
    // What imitates one, or stands before one, is none.
  }
  throw invalidType('signal', 'an instance of AbortSignal', value);
}

export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw invalidType(name, 'a boolean', value);
  return value;
}

/** The elements of an array, as they are now. */
export function checkArray(name: string, value: unknown, expected: string): unknown[] {
  try {
    if (Array.isArray(value)) return Array.from(value);
  } catch {
    // A proxy that was revoked, or that refuses to tell.
  }
  throw invalidType(name, expected, value);
}

export function checkFunction<T>(name: string, value: T): T {
  if (typeof value !== 'function') throw invalidType(name, 'a function', value);
  return value;
}

export function checkOneOf<T>(name: string, value: unknown, allowed: readonly T[]): T {
  if (allowed.includes(value as T)) return value as T;
  throw invalidValue(name, `must be one of ${allowed.map(show).join(', ')}`, value);
}

function keysOf(value: unknown, name: string): string[] {
  try {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return Object.keys(value);
    }
  } catch {
    // A proxy that was revoked, or that refuses to tell.
  }
  throw invalidType(name, 'an object', value);
}

/** The options object, every key of which must be known: a misspelt one is not passed over. */
export function checkOptions<T extends object>(
  value: unknown,
  known: readonly (keyof T & string)[],
  name = 'options',
): Partial<T> {
  if (value === undefined) return {};
  for (const key of keysOf(value, name)) {
    if ((known as readonly string[]).includes(key)) continue;
    const list = known.join(', ');
    throw invalidValue(`${name}.${key}`, `is not an option here; known are ${list}`, key);
  }
  return value as Partial<T>;
}

/** Any object: its other keys are for somebody else. */
export function checkObject<T extends object>(name: string, value: unknown): Partial<T> {
  keysOf(value, name);
  return value as Partial<T>;
}
