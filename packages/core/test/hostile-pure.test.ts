/** What needs no socket, called with hostile values in every place. */
import { Arena, cidrMatch, parseIp, RateLimiter, RingBuffer } from '@sock/core';
import { chooseSeed } from '@sock/testing';
import { anything, expectAllowed, type Maker, oneOf, options } from '@sock/testing/hostile';
import fc from 'fast-check';

type Arguments = readonly fc.Arbitrary<Maker>[];
type Call = (args: readonly never[]) => unknown;

const isLarge = (value: unknown): boolean => typeof value === 'number' && value > 2 ** 20;

const odd = anything();
const size = anything(isLarge);
const address = fc.oneof(odd, oneOf('::1', '10.0.0.1', '::ffff:10.0.0.1'));

const limiterMethods = ['tryAcquire', 'waitTimeMs', 'acquire', 'configure'] as const;
const ringMethods = ['write', 'read', 'peek', 'consume', 'reserve', 'commit'] as const;

function expectLimiterError(error: unknown): void {
  expectAllowed(error, 'RateLimiter.acquire');
}

function withArena(use: (arena: Arena) => unknown): void {
  using arena = new Arena();
  use(arena);
}

const functions: Record<string, readonly [Arguments, Call]> = {
  parseIp: [[address], ([text]) => parseIp(text as never)],
  'new Arena': [[options({ zeroOnRelease: odd })], ([arg]) => new Arena(arg).dispose()],
  'Arena.alloc': [
    [size, odd],
    (args) => withArena((arena) => Reflect.apply(arena.alloc, arena, args)),
  ],
  'Arena.calloc': [
    [size, size],
    (args) => withArena((arena) => Reflect.apply(arena.calloc, arena, args)),
  ],
  'new RingBuffer': [
    [size, options({ arena: fc.oneof(odd, oneOf(undefined)) })],
    ([capacity, arg]) => new RingBuffer(capacity as never, arg),
  ],
  ...Object.fromEntries(
    ringMethods.map((name) => [
      `RingBuffer.${name}`,
      [
        [size],
        (args) => {
          const ring = new RingBuffer(64);
          ring.write('something');
          Reflect.apply(ring[name], ring, args);
          expect(ring.available).toBeGreaterThanOrEqual(0);
          expect(ring.available + ring.space).toBe(ring.capacity);
        },
      ] as const,
    ]),
  ),
  'new RateLimiter': [[odd, odd], ([rate, burst]) => new RateLimiter(rate as never, burst).close()],
  'RateLimiter.from': [[odd], ([shared]) => RateLimiter.from(shared as never)],
  ...Object.fromEntries(
    limiterMethods.map((name) => [
      `RateLimiter.${name}`,
      [
        [odd, options({ timeout: odd, signal: odd })],
        (args) => {
          using limiter = new RateLimiter(5, 5);
          const result: unknown = Reflect.apply(limiter[name], limiter, args);
          if (result instanceof Promise) result.catch(expectLimiterError);
          expect(limiter.available).toBeGreaterThanOrEqual(0);
        },
      ] as const,
    ]),
  ),
  cidrMatch: [[address, address], ([ip, cidr]) => cidrMatch(ip as never, cidr as never)],
};

describe('hostile values', () => {
  it.each(Object.entries(functions))('harm nobody in %s', (name, [args, call]) => {
    fc.assert(
      fc.property(fc.tuple(...args), (makers) => {
        const values = makers.map((make) => make() as never);
        try {
          call(values);
        } catch (error) {
          expectAllowed(error, name);
        }
      }),
      { numRuns: 400, seed: chooseSeed() },
    );
  });
});
