import fc from 'fast-check';
import { Bucket } from './bucket.js';
import { SharedBucket } from './shared-bucket.js';

const make = {
  'a bucket': (rate: number, burst: number, nowMs: number) => new Bucket(rate, burst, nowMs),
  'a shared bucket': (rate: number, burst: number, nowMs: number) =>
    SharedBucket.share(new Bucket(rate, burst, nowMs), nowMs),
};

describe.each(Object.entries(make))('%s', (_, bucketOf) => {
  it('gives no more than its burst and what came since, and all of that', () => {
    const step = fc.record({ waitMs: fc.nat(200), most: fc.integer({ min: 1, max: 50 }) });
    fc.assert(
      fc.property(
        fc.double({ min: 0.5, max: 20_000, noNaN: true }),
        fc.integer({ min: 1, max: 100 }),
        fc.array(step, { maxLength: 100 }),
        (rate, burst, steps) => {
          let nowMs = 86_400_000;
          const startMs = nowMs;
          const bucket = bucketOf(rate, burst, nowMs);
          let taken = 0;
          let level = burst;
          for (const { waitMs, most } of steps) {
            nowMs += waitMs;
            level = Math.min(burst, level + (waitMs * rate) / 1000);
            const got = bucket.take(1, most, nowMs);
            taken += got;
            level -= got;
            expect(level).toBeGreaterThan(-0.01);
            // What is left is less than a token, or more than was wanted.
            if (got < most) expect(level).toBeLessThan(1.01);
          }
          expect(taken).toBeLessThanOrEqual(((nowMs - startMs) * rate) / 1000 + burst + 0.01);
        },
      ),
    );
  });

  it('keeps fractions of tokens, however often it is asked', () => {
    for (const everyMs of [0.01, 0.1, 1, 7]) {
      const bucket = bucketOf(1_500, 1_500, 1e9);
      bucket.take(1_500, 1_500, 1e9);
      let taken = 0;
      for (let ms = everyMs; ms <= 500.0001; ms += everyMs)
        taken += bucket.take(1, 1_000, 1e9 + ms);
      taken += bucket.take(1, 1_000, 1e9 + 500);
      // The C library came to 511.
      expect(taken).toBeGreaterThanOrEqual(749);
      expect(taken).toBeLessThanOrEqual(750);
    }
  });

  it('fills up to its burst in a pause, and no further', () => {
    const bucket = bucketOf(10, 1_000, 0);
    expect(bucket.take(1, 2_000, 0)).toBe(1_000);
    expect(bucket.available(50_000)).toBe(500);
    expect(bucket.available(1e9)).toBe(1_000);
  });

  it('takes nothing when there is less than the least', () => {
    const bucket = bucketOf(10, 10, 0);
    expect(bucket.take(4, 4, 0)).toBe(4);
    expect(bucket.take(7, 9, 0)).toBe(0);
    expect(bucket.take(6, 9, 0)).toBe(6);
  });

  it('tells a wait that is long enough, and no more than a millisecond too long', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.5, max: 5_000, noNaN: true }),
        fc.integer({ min: 1, max: 1_000 }),
        (rate, count) => {
          const bucket = bucketOf(rate, 1_000, 0);
          expect(bucket.take(1_000, 1_000, 5_000)).toBe(1_000);
          const waitMs = bucket.waitMs(count, 5_000);
          expect(Number.isInteger(waitMs)).toBe(true);
          expect(bucket.exactly(5_000 + waitMs - 1)).toBeLessThan(count);
          expect(bucket.take(count, count, 5_000 + waitMs)).toBe(count);
        },
      ),
    );
  });

  it('is settled at the old rate when the rate changes', () => {
    const bucket = bucketOf(100, 1_000, 0);
    bucket.take(1_000, 1_000, 0);
    bucket.configure(10_000, 1_000, 1_000);
    expect(bucket.available(1_000)).toBe(100);
    expect(bucket.available(1_010)).toBe(200);
  });

  it('loses what a smaller burst cannot hold, and gets nothing from a larger one', () => {
    const bucket = bucketOf(1, 100, 0);
    bucket.configure(1, 30, 0);
    expect(bucket.available(0)).toBe(30);
    bucket.configure(1, 200, 0);
    expect(bucket.available(0)).toBe(30);
    expect([bucket.rate, bucket.burst]).toEqual([1, 200]);
  });

  it('takes back what was not used', () => {
    const bucket = bucketOf(100, 100, 0);
    expect(bucket.take(1, 80, 0)).toBe(80);
    bucket.settle(80, 30, 0);
    expect(bucket.available(0)).toBe(70);
  });

  it('holds no more than its burst where something is given back late', () => {
    const bucket = bucketOf(100, 100, 0);
    bucket.take(1, 80, 0);
    // Full again by then, and what was used is paid from that.
    bucket.settle(80, 30, 10_000);
    expect(bucket.available(10_000)).toBe(70);
  });
});
