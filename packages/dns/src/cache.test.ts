import { FakeClock } from '@sock/testing';
import { Cache, type CacheLimits } from './cache.js';

const infinite = Number.POSITIVE_INFINITY;

function open(limits: Partial<CacheLimits> = {}) {
  const clock = new FakeClock();
  const all = { max: 3, ttlMs: 1000, negativeTtlMs: 100, staleMs: 0, ...limits };
  return { clock, cache: new Cache<string>(all, () => clock.now()) };
}

describe('a cache', () => {
  it('knows an answer until its time is over', async () => {
    const { clock, cache } = open();
    cache.keep('a', 'one', infinite);
    expect(cache.fresh('a')).toMatchObject({ value: 'one', isNegative: false });
    await clock.advance(999);
    expect(cache.fresh('a')).toMatchObject({ value: 'one' });
    await clock.advance(1);
    expect(cache.fresh('a')).toBeUndefined();
    expect(cache.size).toBe(0);
  });

  it('takes the time that the answer itself says, if that is shorter', async () => {
    const { clock, cache } = open();
    cache.keep('a', 'one', 10);
    await clock.advance(10);
    expect(cache.fresh('a')).toBeUndefined();
  });

  it('does not keep what holds for no time', () => {
    const { cache } = open();
    cache.keep('a', 'one', 0);
    expect(cache.size).toBe(0);
  });

  it('keeps failures for a time of their own, and never offers them stale', async () => {
    const { clock, cache } = open({ staleMs: 1000 });
    cache.keepNegative('a', 'no such name');
    expect(cache.fresh('a')).toMatchObject({ value: 'no such name', isNegative: true });
    expect(cache.stale('a')).toBeUndefined();
    await clock.advance(100);
    expect(cache.fresh('a')).toBeUndefined();
    expect(cache.stale('a')).toBeUndefined();
  });

  it('keeps no failures when their time is 0', () => {
    const { cache } = open({ negativeTtlMs: 0 });
    cache.keepNegative('a', 'no such name');
    expect(cache.size).toBe(0);
  });

  it('offers an answer that is over its time as stale, for as long as allowed', async () => {
    const { clock, cache } = open({ staleMs: 500 });
    cache.keep('a', 'one', infinite);
    await clock.advance(1499);
    expect(cache.fresh('a')).toBeUndefined();
    expect(cache.stale('a')).toBe('one');
    await clock.advance(1);
    expect(cache.stale('a')).toBeUndefined();
    expect(cache.size).toBe(0);
  });

  it('lets the least recently used go when it is full, and counts them', () => {
    const { cache } = open({ max: 3 });
    for (const key of ['a', 'b', 'c']) cache.keep(key, key, infinite);
    cache.fresh('a');
    cache.keep('d', 'd', infinite);
    cache.keepNegative('e', 'e');
    expect(['a', 'b', 'c', 'd', 'e'].filter((key) => cache.fresh(key))).toEqual(['a', 'd', 'e']);
    expect(cache).toMatchObject({ size: 3, evicted: 2 });
  });

  it('replaces an entry in place, which drops nobody', () => {
    const { cache } = open({ max: 2 });
    cache.keep('a', 'one', infinite);
    cache.keep('b', 'two', infinite);
    cache.keep('a', 'three', infinite);
    expect(cache.fresh('a')).toMatchObject({ value: 'three' });
    expect(cache).toMatchObject({ size: 2, evicted: 0 });
  });

  it('keeps for ever when told so', async () => {
    const { clock, cache } = open({ ttlMs: infinite, staleMs: infinite });
    cache.keep('a', 'one', infinite);
    await clock.advance(1e12);
    expect(cache.fresh('a')).toMatchObject({ value: 'one' });
  });
});
