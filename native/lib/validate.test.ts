import { thrownBy } from '@sock/testing';
import {
  checkDuration,
  checkHost,
  checkInteger,
  checkLiteral,
  checkOneOf,
  checkOptions,
  checkPath,
  checkPort,
  checkSetting,
  checkSignal,
  checkTime,
  checkTimeout,
  invalidType,
  timeoutMaxMs,
  toBytes,
} from './validate.js';

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

const outOfRange = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' };
const wrongType = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' };
const wrongValue = { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' };

describe('an argument check', () => {
  it.each([0, 1, 65535])('lets the port %p pass', (port) => {
    expect(checkPort(port)).toBe(port);
  });

  it.each([
    [-1, outOfRange],
    [65536, outOfRange],
    [1.5, outOfRange],
    [Number.NaN, outOfRange],
    [Number.POSITIVE_INFINITY, outOfRange],
    ['80', wrongType],
    [80n, wrongType],
    [null, wrongType],
    [undefined, wrongType],
    [[80], wrongType],
    [new Number(80), wrongType],
  ])('refuses the port %p', (port, expected) => {
    const error = thrownBy(() => checkPort(port));
    expect(error).toMatchObject(expected);
    expect(error.message).toContain('"port"');
  });

  it.each([
    [undefined, Number.POSITIVE_INFINITY],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
    [0, 0],
    [0.5, 0.5],
    [timeoutMaxMs, timeoutMaxMs],
  ])('takes the timeout %p', (value, expected) => {
    expect(checkTimeout(value)).toBe(expected);
  });

  it.each([-1, -0.001, Number.NaN, timeoutMaxMs + 1, Number.NEGATIVE_INFINITY])(
    'refuses the timeout %p rather than to cut it off',
    (value) => {
      expect(thrownBy(() => checkTimeout(value))).toMatchObject(outOfRange);
    },
  );

  it('lets a setting be without end, but not zero', () => {
    expect(checkSetting('idle', Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
    expect(checkSetting('idle', 0.5)).toBe(0.5);
    expect(thrownBy(() => checkSetting('idle', 0))).toMatchObject(outOfRange);
    expect(thrownBy(() => checkSetting('idle', undefined))).toMatchObject(wrongType);
  });

  it('lets a duration be as short as it says, and wants it to end', () => {
    expect(checkDuration('delay', 10, 10)).toBe(10);
    expect(thrownBy(() => checkDuration('delay', 9.9, 10))).toMatchObject(outOfRange);
    expect(thrownBy(() => checkDuration('delay', Number.POSITIVE_INFINITY, 10))).toMatchObject(
      outOfRange,
    );
    expect(checkTime('wait', Number.POSITIVE_INFINITY, 10)).toBe(Number.POSITIVE_INFINITY);
    expect(thrownBy(() => checkTime('wait', Number.NaN, 10))).toMatchObject(outOfRange);
  });

  it('knows one of several values that are not all strings', () => {
    expect(checkOneOf('family', undefined, [undefined, 'ipv4'])).toBeUndefined();
    expect(thrownBy(() => checkOneOf('family', 5, [0, 4, 6]))).toMatchObject(wrongValue);
    expect(thrownBy(() => checkOneOf('family', '4', [0, 4, 6])).message).toBe(
      `The "family" argument must be one of 0, 4, 6. Received type string ('4')`,
    );
  });

  it.each(['', 'a\0b', 'x'.repeat(256)])('refuses the host %p', (host) => {
    expect(thrownBy(() => checkHost(host))).toMatchObject(wrongValue);
  });

  it.each(['127.0.0.1', '::1', 'fe80::1%lo'])('takes the address %p', (host) => {
    expect(checkLiteral(host)).toBe(host);
  });

  it.each(['localhost', '127.1', '1.2.3.4.5', '127.0.0.1 ', '[::1]'])(
    'refuses %p where only addresses are taken, and says what to do',
    (host) => {
      const error = thrownBy(() => checkLiteral(host));
      expect(error).toMatchObject(wrongValue);
      expect(error.message).toContain('resolve names first');
    },
  );

  it.each(['', '@', 'a\0b', '\0abstract'])('refuses the path %p', (path) => {
    expect(thrownBy(() => checkPath(path))).toMatchObject(wrongValue);
  });

  it.each([
    [{}],
    [{ aborted: false }],
    [{ aborted: false, addEventListener() {} }],
    [new EventTarget()],
    [null],
    ['signal'],
  ])('refuses what only looks like a signal: %p', (value) => {
    expect(thrownBy(() => checkSignal(value))).toMatchObject(wrongType);
  });

  it('refuses an option that it does not know, and names those it does', () => {
    const error = thrownBy(() => checkOptions<{ port: number }>({ prot: 1 }, ['port']));
    expect(error).toMatchObject(wrongValue);
    expect(error.message).toContain('"options.prot"');
    expect(error.message).toContain('port');
  });

  it.each([null, 5, 'x', true, () => {}, [], Symbol('s')])('refuses %p for options', (value) => {
    expect(thrownBy(() => checkOptions(value, []))).toMatchObject(wrongType);
  });

  it.each([
    [{ name: 'a revoked proxy', value: revoked({}) }],
    [{ name: 'a revoked array', value: revoked([]) }],
    [
      {
        name: 'a proxy that tells nothing',
        value: new Proxy(
          {},
          {
            ownKeys() {
              throw new Error('mine');
            },
          },
        ),
      },
    ],
  ])('names the options that cannot even be looked at: $name', ({ value }) => {
    const error = thrownBy(() => checkOptions(value, []));
    expect(error).toMatchObject(wrongType);
    expect(error.message).toContain('"options"');
  });

  it('lists what it would have taken', () => {
    expect(thrownBy(() => checkOneOf('how', 'up', ['read', 'write']))).toMatchObject(wrongValue);
    expect(thrownBy(() => checkOneOf('how', 1, ['read', 'write'])).message).toBe(
      `The "how" argument must be one of 'read', 'write'. Received type number (1)`,
    );
    expect(thrownBy(() => checkInteger('n', 5, 1, 4)).message).toContain('>= 1 and <= 4');
  });

  it.each([
    ['a getter that throws', Object.defineProperty({}, 'constructor', { get: () => fail() })],
    ['a name that is no string', Object.defineProperty(() => {}, 'name', { value: Symbol('x') })],
    ['no prototype', Object.create(null)],
    ['a revoked proxy', revoked({})],
    ['a revoked function', revoked(() => {})],
    ['a very long string', 'x'.repeat(1e6)],
    ['a symbol', Symbol('x')],
    ['a bigint', 2n ** 70n],
  ])('can speak of %s without failing itself', (_name, value) => {
    const { message } = invalidType('x', 'something else', value);
    expect(message).toMatch(/^The "x" argument must be something else\. Received /);
    expect(message.length).toBeLessThan(200);
  });

  it('refuses bytes that were taken away, which look empty', () => {
    const memory = Reflect.construct(ArrayBuffer, [8, { maxByteLength: 8 }]) as ArrayBuffer & {
      resize(length: number): void;
    };
    const shrunk = new Uint8Array(memory, 4, 4);
    memory.resize(2);
    const gone = new Uint8Array(8);
    structuredClone(gone.buffer, { transfer: [gone.buffer] });
    for (const view of [shrunk, gone]) {
      expect(thrownBy(() => toBytes(view))).toMatchObject(wrongValue);
    }
    expect(toBytes(new Uint8Array(0))).toHaveLength(0);
  });

  it('takes bytes and strings to send, and nothing else', () => {
    const bytes = new Uint8Array(2);
    expect(toBytes(bytes)).toBe(bytes);
    expect(toBytes('é')).toEqual(Buffer.from([0xc3, 0xa9]));
    for (const wrong of [
      new ArrayBuffer(1),
      new Uint16Array(1),
      new DataView(new ArrayBuffer(1)),
      [1],
    ]) {
      expect(thrownBy(() => toBytes(wrong))).toMatchObject(wrongType);
    }
  });
});

function fail(): never {
  throw new Error('a getter of the user’s');
}
