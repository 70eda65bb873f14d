import { seeded } from '@sock/testing';
import { Backoff, type BackoffOptions } from './backoff.js';

const plain: BackoffOptions = { jitter: 0 };

function delays(backoff: Backoff, count: number): number[] {
  return Array.from({ length: count }, () => backoff.next());
}

describe('a backoff', () => {
  it('begins with the initial delay, and doubles up to the cap', () => {
    const backoff = new Backoff({ ...plain, initialDelay: 100, maxDelay: 1_000 });
    expect(delays(backoff, 6)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  });

  it('counts the delays that it gave', () => {
    const backoff = new Backoff(plain);
    expect(backoff.attempt).toBe(0);
    delays(backoff, 3);
    expect(backoff.attempt).toBe(3);
  });

  it('begins again after a reset', () => {
    const backoff = new Backoff(plain);
    delays(backoff, 3);
    backoff.reset();
    expect(backoff.attempt).toBe(0);
    expect(backoff.next()).toBe(100);
  });

  it('moves a delay by its jitter, up and down', () => {
    const low = new Backoff({ initialDelay: 1_000, jitter: 0.25, random: () => 0 });
    const high = new Backoff({ initialDelay: 1_000, jitter: 0.25, random: () => 1 - 2 ** -53 });
    expect(low.next()).toBe(750);
    expect(high.next()).toBe(1_250);
  });

  it('is capped after the jitter, not before it', () => {
    const backoff = new Backoff({ initialDelay: 900, maxDelay: 1_000, random: () => 0.999 });
    expect(delays(backoff, 3)).toEqual([1_000, 1_000, 1_000]);
  });

  it('never grows beyond the cap, however many attempts there were', () => {
    const backoff = new Backoff({ ...plain, multiplier: 1_000 });
    expect(delays(backoff, 500).at(-1)).toBe(30_000);
  });

  it('gives whole milliseconds, at least one', () => {
    const backoff = new Backoff({ initialDelay: 1, jitter: 1, random: () => 0 });
    expect(backoff.next()).toBe(1);
    expect(new Backoff({ ...plain, initialDelay: 10.4 }).next()).toBe(10);
  });

  it('draws decorrelated delays between the first and three times the one before', () => {
    const random = [0.5, 1 - 2 ** -53, 0];
    const backoff = new Backoff({
      initialDelay: 100,
      jitter: 'decorrelated',
      random: () => random.shift() as number,
    });
    expect(delays(backoff, 3)).toEqual([200, 600, 100]);
  });

  it(
    'stays within its bounds, whatever the options',
    seeded(async (random) => {
      for (let run = 0; run < 200; run++) {
        const initialDelay = random.integer(1, 1_000);
        const maxDelay = initialDelay + random.integer(0, 10_000);
        const backoff = new Backoff({
          initialDelay,
          maxDelay,
          multiplier: 1 + random.integer(0, 40) / 10,
          jitter: random.pick(['decorrelated', 0, 0.25, 1] as const),
          random: () => random.integer(0, 999) / 1_000,
        });
        for (const delay of delays(backoff, 20)) {
          expect(Number.isInteger(delay)).toBe(true);
          expect(delay).toBeGreaterThanOrEqual(1);
          expect(delay).toBeLessThanOrEqual(maxDelay);
        }
      }
    }),
  );

  it.each<[string, BackoffOptions, string]>([
    ['a delay of nothing', { initialDelay: 0 }, 'ERR_OUT_OF_RANGE'],
    ['a negative delay', { initialDelay: -1 }, 'ERR_OUT_OF_RANGE'],
    ['a cap below the first delay', { initialDelay: 200, maxDelay: 100 }, 'ERR_OUT_OF_RANGE'],
    ['a multiplier below 1', { multiplier: 0.5 }, 'ERR_OUT_OF_RANGE'],
    ['a jitter above 1', { jitter: 1.5 }, 'ERR_OUT_OF_RANGE'],
    ['a jitter of another word', { jitter: 'full' as never }, 'ERR_INVALID_ARG_TYPE'],
    ['a misspelt option', { initalDelay: 1 } as never, 'ERR_INVALID_ARG_VALUE'],
  ])('refuses %s', (_, options, code) => {
    expect(() => new Backoff(options)).toThrow(expect.objectContaining({ code }));
  });
});
