/** Values that nobody should pass, and what a well-behaved library may say about them. */
import { AbortError, isSocketError } from '@sock/core';
import fc from 'fast-check';

/** What getters and traps of hostile objects throw: passing that on is all that can be done. */
export class Mine extends Error {}

function throwMine(): never {
  throw new Mine('thrown by a hostile object');
}

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function detached(): Uint8Array {
  const view = new Uint8Array(8);
  structuredClone(view.buffer, { transfer: [view.buffer] });
  return view;
}

/** A view that looks at more memory than there is left. */
function outOfBounds(): Uint8Array {
  const memory = Reflect.construct(ArrayBuffer, [64, { maxByteLength: 64 }]) as ArrayBuffer & {
    resize(length: number): void;
  };
  const view = new Uint8Array(memory, 32, 32);
  memory.resize(8);
  return view;
}

const traps: ProxyHandler<object> = {
  get: throwMine,
  has: throwMine,
  ownKeys: throwMine,
  getPrototypeOf: throwMine,
  getOwnPropertyDescriptor: throwMine,
};

/**
 * Makes a value when it is needed. The generator never sees the value itself: it would trip over it
 * as much as anybody else.
 */
export type Maker = () => unknown;

const oddities: readonly Maker[] = [
  () => Number.NaN,
  () => -0,
  () => -1,
  () => 0.5,
  () => 2 ** 32,
  () => 2 ** 53,
  () => Number.POSITIVE_INFINITY,
  () => Number.NEGATIVE_INFINITY,
  () => 10n ** 30n,
  () => '',
  () => 'a\0b',
  () => '\ud800',
  () => 'x'.repeat(100_000),
  () => Symbol('hostile'),
  () => Symbol.iterator,
  () => throwMine,
  () => class Hostile {},
  () => null,
  () => [],
  () => new Date(Number.NaN),
  () => new Number(5),
  () => new Map([[1, 2]]),
  () => Promise.resolve(1),
  () => /x/,
  () => revoked({}),
  () => revoked([]),
  () => revoked(throwMine),
  () => new Proxy({}, traps),
  () => new Proxy(new Uint8Array(4), {}),
  () => Object.create(null),
  () => Object.create(Uint8Array.prototype),
  () => Object.create(AbortSignal.prototype),
  () => Object.defineProperty({}, 'constructor', { get: throwMine }),
  () => Object.defineProperty({}, 'timeout', { get: throwMine, enumerable: true }),
  () => Object.defineProperty(() => {}, 'name', { value: Symbol('x') }),
  () => ({ valueOf: throwMine, toString: throwMine, [Symbol.toPrimitive]: throwMine }),
  () => ({ aborted: false }),
  () => ({ aborted: true, reason: 1 }),
  () => Object.defineProperty({}, 'then', { value: throwMine }),
  () => detached(),
  () => outOfBounds(),
  () => new Uint8Array(0),
  () => new Uint8Array(new SharedArrayBuffer(16)),
  () => new Uint16Array(4),
  () => new Float64Array(1),
  () => new DataView(new ArrayBuffer(4)),
  () => new ArrayBuffer(4),
  () => new SharedArrayBuffer(4),
  () => Buffer.from('fine'),
];

/** A maker that shows what it makes, where a counterexample is printed. */
export function maker(make: Maker, text: string): Maker {
  return Object.assign(() => make(), { [fc.toStringMethod]: () => text });
}

/** Any value but those that `isHarmful` names: they would be taken, and reach beyond the test. */
export function anything(isHarmful: (value: unknown) => boolean = () => false) {
  const odd = fc.constantFrom(...oddities.map((make) => maker(make, String(make))));
  const plain = fc
    .anything({ withBigInt: true, withTypedArray: true, withNullPrototype: true, maxDepth: 1 })
    .map((value) => maker(() => value, fc.stringify(value)));
  return fc
    .oneof({ weight: 3, arbitrary: odd }, { weight: 2, arbitrary: plain })
    .filter((make) => !isHarmful(make()));
}

/** One of these. */
export function oneOf(...values: readonly unknown[]): fc.Arbitrary<Maker> {
  return fc.constantFrom(...values.map((value) => maker(() => value, fc.stringify(value))));
}

/** Hostile in place of options, and options that are hostile. */
export function options(fields: Record<string, fc.Arbitrary<Maker>>): fc.Arbitrary<Maker> {
  const known = fc.record(fields, { requiredKeys: [] });
  const unknown = fc.record({ ...fields, unheardOf: anything() }, { requiredKeys: ['unheardOf'] });
  const made = fc.oneof({ weight: 4, arbitrary: known }, unknown).map((makers) => {
    const make = (): unknown =>
      Object.fromEntries(Object.entries(makers).map(([name, value]) => [name, value?.()]));
    return maker(make, fc.stringify(makers));
  });
  return fc.oneof({ weight: 3, arbitrary: made }, anything());
}

/** Hostile in place of an array, and arrays with hostile elements. */
export function list(element: fc.Arbitrary<Maker>): fc.Arbitrary<Maker> {
  const made = fc
    .array(element, { maxLength: 3 })
    .map((makers) => maker(() => makers.map((make) => make()), fc.stringify(makers)));
  return fc.oneof(made, anything());
}

const errnoNames = new Set([
  'EBADF',
  'EPERM',
  'ESRCH',
  'ETOOMANYREFS',
  'EACCES',
  'EAFNOSUPPORT',
  'EADDRINUSE',
  'EADDRNOTAVAIL',
  'EALREADY',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EDESTADDRREQ',
  'EHOSTUNREACH',
  'EINVAL',
  'EISCONN',
  'EMSGSIZE',
  'ENETUNREACH',
  'ENODEV',
  'ENOENT',
  'ENOPROTOOPT',
  'ENOTCONN',
  'ENOTSUP',
  'EPIPE',
  'EBADF',
  'EOPNOTSUPP',
  'EAI_FAIL',
  'ENOTFOUND',
]);

const ownCodes = new Set([
  'ERR_SOCK_BUFFER_DETACHED',
  'ERR_SOCK_BUSY',
  'ERR_SOCK_CLOSED',
  'ERR_SOCK_EOF',
  'ERR_SOCK_FILE_TOO_SHORT',
  'ERR_SOCK_QUEUE_FULL',
  'ERR_SOCK_SEND_ABANDONED',
  'ERR_SOCK_TIMEOUT',
]);

const argumentCodes = new Set([
  'ERR_INVALID_ARG_TYPE',
  'ERR_INVALID_ARG_VALUE',
  'ERR_OUT_OF_RANGE',
]);

/** Whether this may be raised: an argument that is named, a known failure, an abort. */
export function isAllowed(error: unknown): boolean {
  if (error instanceof Mine || error instanceof AbortError) return true;
  const { code = '', name, message } = error as NodeJS.ErrnoException;
  if (isSocketError(error)) return errnoNames.has(code) || ownCodes.has(code);
  const isArgumentError = name === 'TypeError' || name === 'RangeError';
  return isArgumentError && argumentCodes.has(code) && /"[a-z].*"/is.test(message);
}

/** Fails a test with what was raised, where it may not be. */
export function expectAllowed(error: unknown, where: string): void {
  if (isAllowed(error)) return;
  const shown = error instanceof Error ? error.stack : String(error);
  throw new Error(`${where} raised what it may not: ${shown}`, { cause: error });
}
