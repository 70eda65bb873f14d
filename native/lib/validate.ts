/** Checks of arguments: a wrong one is a TypeError or RangeError that names it, in Node's shape. */

import { types } from 'node:util';
import { type SocketType, types as socketTypes } from './constants.js';
import { binding } from './reactor.js';

/** The name of a thing, if it has a plain one. Proxies and getters may throw, or give anything. */
function nameOf(thing: unknown, key: 'name' | 'constructor'): string {
  try {
    const value = (thing as Record<string, unknown>)[key];
    const name = key === 'name' ? value : (value as { name?: unknown } | null)?.name;
    return typeof name === 'string' && name !== '' ? name : 'Object';
  } catch {
    return 'Object';
  }
}

function show(value: unknown): string {
  if (typeof value === 'function') return `function ${nameOf(value, 'name')}`;
  if (typeof value === 'string') {
    const short = value.length > 28 ? `${value.slice(0, 25)}...` : value;
    return `type string ('${short}')`;
  }
  if (typeof value === 'object' && value !== null) {
    return `an instance of ${nameOf(value, 'constructor')}`;
  }
  return value === null || value === undefined
    ? String(value)
    : `type ${typeof value} (${String(value)})`;
}

export function invalidType(name: string, expected: string, value: unknown): TypeError {
  const message = `The "${name}" argument must be ${expected}. Received ${show(value)}`;
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
}

export function invalidValue(name: string, expected: string, value: unknown): TypeError {
  const message = `The "${name}" argument ${expected}. Received ${show(value)}`;
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' });
}

export function outOfRange(name: string, range: string, value: unknown): RangeError {
  const received = `Received ${String(value)}`;
  const message = `The value of "${name}" is out of range. It must be ${range}. ${received}`;
  return Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
}

export function checkInteger(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number') throw invalidType(name, 'a number', value);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw outOfRange(name, `an integer >= ${min} and <= ${max}`, value);
  }
  return value;
}

/** Of something per second: above 0, fractions allowed. */
export function checkRate(name: string, value: unknown): number {
  if (typeof value !== 'number') throw invalidType(name, 'a number', value);
  if (value > 0 && value <= Number.MAX_SAFE_INTEGER) return value;
  throw outOfRange(name, `> 0 and <= ${Number.MAX_SAFE_INTEGER}`, value);
}

export function checkPort(value: unknown, min = 0): number {
  return checkInteger('port', value, min, 65535);
}

/** The longest time that a timer can count: about 24.8 days. */
export const timeoutMaxMs = 2 ** 31 - 1;

/** A span of time of at least `minMs`, which ends. */
export function checkDuration(name: string, value: unknown, minMs: number): number {
  if (typeof value !== 'number') throw invalidType(name, 'a number', value);
  if (value >= minMs && value <= timeoutMaxMs) return value;
  throw outOfRange(name, `>= ${minMs} and <= ${timeoutMaxMs}`, value);
}

/** A span of time of at least `minMs`; `Infinity` has no end. */
export function checkTime(name: string, value: unknown, minMs: number): number {
  if (typeof value !== 'number') throw invalidType(name, 'a number', value);
  if ((value >= minMs && value <= timeoutMaxMs) || value === Number.POSITIVE_INFINITY) return value;
  throw outOfRange(name, `>= ${minMs} and <= ${timeoutMaxMs}, or Infinity`, value);
}

/** A setting in milliseconds, where 0 would mean nothing; `Infinity` sets no limit. */
export function checkSetting(name: string, value: unknown): number {
  if (value === 0) throw outOfRange(name, `> 0 and <= ${timeoutMaxMs}, or Infinity`, value);
  return checkTime(name, value, 0);
}

/** A wait: 0 looks once, `undefined` and `Infinity` set no limit. */
export function checkTimeout(value: unknown, name = 'timeout'): number {
  return value === undefined ? Number.POSITIVE_INFINITY : checkTime(name, value, 0);
}

/** Only a real one has the getter work; what imitates one, or stands before it, throws. */
function isSignal(value: unknown): value is AbortSignal {
  try {
    return value instanceof AbortSignal && typeof value.aborted === 'boolean';
  } catch {
    return false;
  }
}

export function checkSignal(value: unknown, name = 'signal'): AbortSignal | undefined {
  if (value === undefined) return undefined;
  if (!isSignal(value)) throw invalidType(name, 'an instance of AbortSignal', value);
  return value;
}

export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw invalidType(name, 'a boolean', value);
  return value;
}

export function checkFunction<T>(name: string, value: T): T {
  if (typeof value !== 'function') throw invalidType(name, 'a function', value);
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

/** One of the values allowed, strings as a rule. */
export function checkOneOf<T>(name: string, value: unknown, allowed: readonly T[]): T {
  if (allowed.includes(value as T)) return value as T;
  const list = allowed
    .map((item) => (typeof item === 'string' ? `'${item}'` : String(item)))
    .join(', ');
  if (!allowed.some((item) => typeof item === typeof value)) {
    throw invalidType(name, `one of ${list}`, value);
  }
  throw invalidValue(name, `must be one of ${list}`, value);
}

/** A host: not empty, at most 255 characters, and no NUL that C would stop at. */
export function checkHost(value: unknown, name = 'host'): string {
  if (typeof value !== 'string') throw invalidType(name, 'a string', value);
  if (value === '' || value.length > 255 || value.includes('\0')) {
    throw invalidValue(name, 'must have 1 to 255 characters, none of them NUL', value);
  }
  return value;
}

/** An address, not a name: what cannot wait cannot look names up. */
export function checkLiteral(value: unknown, name = 'host'): string {
  const host = checkHost(value, name);
  if (binding.addressFamily(host) === 0) {
    throw invalidValue(name, 'must be an IP address; resolve names first, with @sock/dns', host);
  }
  return host;
}

/** sun_path of unix(7) less its terminator, in bytes; macOS and the BSDs have four bytes less. */
export const pathBytesMax = process.platform === 'linux' ? 107 : 103;

/** A Unix path, or `@name` in Linux's abstract namespace; refused before the kernel sees it. */
export function checkPath(value: unknown, name = 'path'): string {
  if (typeof value !== 'string') throw invalidType(name, 'a string', value);
  if (value === '' || value === '@' || value.includes('\0')) {
    throw invalidValue(name, 'must not be empty and have no NUL', value);
  }
  const bytes = Buffer.byteLength(value);
  if (bytes > pathBytesMax) {
    throw outOfRange(name, `at most ${pathBytesMax} bytes long`, `${bytes} bytes`);
  }
  if (value.startsWith('@') && process.platform !== 'linux') {
    throw invalidValue(name, 'names the abstract namespace, which only Linux has', value);
  }
  return value;
}

/** The type of a Unix socket; whatever has no path is a stream. */
export function checkUnixType(value: unknown, path: unknown): SocketType {
  const type = checkOneOf('options.type', value ?? 'stream', socketTypes);
  if (type !== 'stream' && path === undefined) {
    throw invalidValue('options.type', `can be '${type}' only with a path`, type);
  }
  return type;
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

/** Any object but an array, whose other keys are nobody's business. */
export function checkObject<T extends object>(name: string, value: unknown): Partial<T> {
  keysOf(value, name);
  return value as Partial<T>;
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
    throw invalidValue(
      `${name}.${key}`,
      `is not an option here; known are ${known.join(', ')}`,
      key,
    );
  }
  return value as Partial<T>;
}

/** A view whose memory was taken away looks empty: sending nothing instead would lose bytes. */
export function checkAttached(name: string, view: Uint8Array): void {
  try {
    view.at(0);
  } catch {
    throw invalidValue(name, 'must not be detached or out of bounds', view);
  }
}

/** Bytes to send: a Uint8Array as it is, a string as UTF-8. */
export function toBytes(data: unknown, name = 'data'): Uint8Array {
  // The two checks of the first line are inlined by V8; the third is for other realms.
  if ((ArrayBuffer.isView(data) && data instanceof Uint8Array) || types.isUint8Array(data)) {
    if (data.length === 0) checkAttached(name, data);
    return data;
  }
  if (typeof data === 'string') return Buffer.from(data);
  throw invalidType(name, 'a string or an instance of Buffer or Uint8Array', data);
}
