import { FakeClock, failureOf, isPending, thrownBy, within } from '@sock/testing';
import { Bucket } from './bucket.js';
import { limiterOf, RateLimiter } from './rate-limiter.js';

function make(rate: number, burst: number) {
  const clock = new FakeClock();
  return { clock, limiter: limiterOf(new Bucket(rate, burst, clock.now()), clock) };
}

/** Notes when each of the promises resolves. */
function log(clock: FakeClock) {
  const events: [string, number][] = [];
  const note = (name: string, promise: Promise<void>): void => {
    void promise.then(
      () => events.push([name, clock.now()]),
      (error: { code: string }) => events.push([`${name} ${error.code}`, clock.now()]),
    );
  };
  return { events, note };
}

describe('a rate limiter', () => {
  it('begins full, and gives all or nothing', () => {
    const { limiter } = make(10, 5);
    expect([limiter.rate, limiter.burst, limiter.available]).toEqual([10, 5, 5]);
    expect(limiter.tryAcquire(6)).toBe(false);
    expect(limiter.tryAcquire(5)).toBe(true);
    expect(limiter.tryAcquire()).toBe(false);
    expect(limiter.tryAcquire(0)).toBe(true);
  });

  it('gives 750 of 1500 a second in half a second, polled every millisecond', async () => {
    const { clock, limiter } = make(1_500, 1_500);
    limiter.tryAcquire(1_500);
    let got = 0;
    for (let ms = 0; ms < 500; ms++) {
      await clock.advance(1);
      while (limiter.tryAcquire()) got++;
    }
    expect(got).toBe(750);
  });

  it('makes them wait who come too early, first come, first served', async () => {
    const { clock, limiter } = make(10, 5);
    const { events, note } = log(clock);
    note('first', limiter.acquire(5));
    note('second', limiter.acquire(3));
    note('third', limiter.acquire(1));
    note('nothing', limiter.acquire(0));
    await clock.advance(1_000);
    expect(events).toEqual([
      ['nothing', 0],
      ['first', 0],
      ['second', 300],
      ['third', 400],
    ]);
    expect(clock.pending).toBe(0);
  });

  it('lets nobody past those who wait', async () => {
    const { clock, limiter } = make(10, 5);
    limiter.tryAcquire(5);
    const waiting = limiter.acquire(5);
    await clock.advance(200);
    expect(limiter.available).toBe(0);
    expect(limiter.tryAcquire(1)).toBe(false);
    await clock.advance(300);
    await waiting;
  });

  it('tells how long it takes, those who wait included', async () => {
    const { clock, limiter } = make(10, 5);
    expect(limiter.waitTimeMs(5)).toBe(0);
    limiter.tryAcquire(5);
    expect(limiter.waitTimeMs(1)).toBe(100);
    const waiting = limiter.acquire(5);
    expect(limiter.waitTimeMs(1)).toBe(600);
    expect(limiter.waitTimeMs(0)).toBe(0);
    expect(limiter.waitTimeMs(6)).toBe(Number.POSITIVE_INFINITY);
    await clock.advance(500);
    await waiting;
    expect(limiter.waitTimeMs(1)).toBe(100);
  });

  it('takes nothing for one that gave up, and serves those behind it', async () => {
    const { clock, limiter } = make(10, 5);
    limiter.tryAcquire(5);
    const controller = new AbortController();
    const failure = failureOf(limiter.acquire(5, { signal: controller.signal }));
    const behind = limiter.acquire(1);
    await clock.advance(100);
    expect(await isPending(behind)).toBe(true);
    controller.abort('enough');
    expect(await failure).toMatchObject({ name: 'AbortError', cause: 'enough' });
    await behind;
    expect(clock.pending).toBe(0);
  });

  it('rejects at once where the signal is aborted already', async () => {
    const { limiter } = make(10, 5);
    const failure = await failureOf(limiter.acquire(1, { signal: AbortSignal.abort() }));
    expect(failure).toMatchObject({ code: 'ABORT_ERR' });
    expect(limiter.available).toBe(5);
  });

  it('rejects when the time is over, and not before', async () => {
    using limiter = new RateLimiter(0.001, 1);
    await limiter.acquire(1, { timeout: 0 });
    const start = performance.now();
    const failure = await failureOf(limiter.acquire(1, { timeout: 20 }));
    expect(performance.now() - start).toBeGreaterThanOrEqual(20);
    expect(failure).toMatchObject({ name: 'TimeoutError', timeout: 20 });
    const looked = failureOf(limiter.acquire(1, { timeout: 0 }));
    expect(await within(1_000, looked)).toMatchObject({ code: 'ERR_SOCK_TIMEOUT' });
  });

  it('gives what it promises on the real clock, and no earlier', async () => {
    using limiter = new RateLimiter(1_000, 1);
    const start = performance.now();
    for (let i = 0; i < 51; i++) await limiter.acquire();
    expect(performance.now() - start).toBeGreaterThanOrEqual(49.9);
  });

  it('serves those who wait at the new rate', async () => {
    const { clock, limiter } = make(1, 5);
    const { events, note } = log(clock);
    limiter.tryAcquire(5);
    note('first', limiter.acquire(5));
    await clock.advance(1_000);
    limiter.configure(100);
    await clock.advance(100);
    expect(events).toEqual([['first', 1_040]]);
    expect([limiter.rate, limiter.burst]).toEqual([100, 5]);
  });

  it('rejects those for whom the burst has become too small', async () => {
    const { clock, limiter } = make(10, 5);
    const { events, note } = log(clock);
    limiter.tryAcquire(5);
    note('first', limiter.acquire(5));
    note('second', limiter.acquire(2));
    limiter.configure(undefined, 2);
    await clock.advance(1_000);
    expect(events).toEqual([
      ['first ERR_SOCK_RATE_LIMIT', 0],
      ['second', 200],
    ]);
  });

  it('is full again after a reset', async () => {
    const { limiter } = make(10, 5);
    limiter.tryAcquire(5);
    const waiting = limiter.acquire(2);
    limiter.reset();
    await waiting;
    expect(limiter.available).toBe(3);
  });

  it('rejects everybody when it is closed, and everything after that', async () => {
    const { clock, limiter } = make(10, 5);
    limiter.tryAcquire(5);
    const failure = failureOf(limiter.acquire(5));
    limiter.close();
    limiter.close();
    const closed = { name: 'RateLimitError', code: 'ERR_SOCK_CLOSED' };
    expect(await failure).toMatchObject(closed);
    expect(clock.pending).toBe(0);
    expect(await failureOf(limiter.acquire())).toMatchObject(closed);
    const calls = [
      () => limiter.tryAcquire(),
      () => limiter.waitTimeMs(),
      () => limiter.configure(1, 1),
      () => limiter.reset(),
      () => limiter.share(),
    ];
    for (const call of calls) expect(thrownBy(call)).toMatchObject(closed);
    expect([limiter.available, limiter.rate, limiter.burst]).toEqual([0, 10, 5]);
  });

  it('has a burst of a second where it is told none', () => {
    expect(new RateLimiter(7.5).burst).toBe(8);
    expect(new RateLimiter(0.1).burst).toBe(1);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, '5'])('refuses a rate of %p', (rate) => {
    const error = thrownBy(() => new RateLimiter(rate as number, 5));
    expect(error.message).toContain('"tokensPerSecond"');
    const { limiter } = make(10, 5);
    expect(thrownBy(() => limiter.configure(rate as number)).message).toContain('tokensPerSecond');
    expect(limiter.rate).toBe(10);
  });

  it.each([0, -1, 1.5, Number.POSITIVE_INFINITY, 2 ** 52])('refuses a burst of %p', (burst) => {
    const error = thrownBy(() => new RateLimiter(5, burst));
    expect(error).toMatchObject({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
    expect(error.message).toContain('"burst"');
  });

  it('refuses to wait for what it can never hold', () => {
    const { limiter } = make(10, 5);
    const error = thrownBy(() => limiter.acquire(6));
    expect(error).toMatchObject({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
    expect(error.message).toContain('"n"');
  });
});

describe('a rate limiter that is shared', () => {
  it('has the tokens that it had', () => {
    const limiter = new RateLimiter(0.001, 10);
    limiter.tryAcquire(4);
    const shared = limiter.share();
    expect(limiter.share()).toBe(shared);
    const other = RateLimiter.from(shared);
    expect([other.rate, other.burst, other.available]).toEqual([0.001, 10, 6]);
    expect(other.tryAcquire(5)).toBe(true);
    expect([limiter.available, limiter.tryAcquire(2), limiter.tryAcquire(1)]).toEqual([
      1,
      false,
      true,
    ]);
  });

  it('has one rate, whoever changes it, however often', () => {
    const limiter = new RateLimiter(0.001, 10);
    const other = RateLimiter.from(limiter.share());
    for (let i = 1; i <= 40; i++) {
      (i % 2 === 0 ? limiter : other).configure(i / 1000, 10 + i);
      expect([limiter.rate, limiter.burst]).toEqual([i / 1000, 10 + i]);
      expect([other.rate, other.burst, other.available]).toEqual([i / 1000, 10 + i, 10]);
    }
  });

  it('goes on when one of its limiters is closed', async () => {
    const limiter = new RateLimiter(1_000, 10);
    const other = RateLimiter.from(limiter.share());
    limiter.close();
    for (let i = 0; i < 3; i++) await other.acquire(10);
  });

  it('hears of a change by another thread while somebody waits', async () => {
    const limiter = new RateLimiter(0.001, 10);
    const other = RateLimiter.from(limiter.share());
    limiter.tryAcquire(10);
    const waiting = limiter.acquire(5);
    other.reset();
    await within(5_000, waiting);
  });

  it.each([
    ['nothing', undefined],
    ['memory that is not shared', new ArrayBuffer(288)],
    ['memory of another size', new SharedArrayBuffer(8)],
    ['memory of something else', new SharedArrayBuffer(288)],
  ])('cannot be made from %s', (_, shared) => {
    const error = thrownBy(() => RateLimiter.from(shared as SharedArrayBuffer));
    expect(error.name).toBe('TypeError');
    expect(error.message).toContain('"shared"');
  });
});
