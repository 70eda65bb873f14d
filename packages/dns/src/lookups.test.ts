import { AbortError, ResolveError, SocketError, TimeoutError } from '@sock/core';
import { FakeClock, failureOf, isPending } from '@sock/testing';
import { Cache, type CacheLimits } from './cache.js';
import type { Failure, Outcome, Settle } from './engine.js';
import { Lookups, zeroCounters } from './lookups.js';
import { lingering } from './waiter.js';

const infinite = Number.POSITIVE_INFINITY;
const unlimited = { signal: undefined, timeoutMs: infinite };
const within = (timeoutMs: number) => ({ signal: undefined, timeoutMs });
const answer = (...values: string[]) => ({ answer: { values, ttlMs: infinite } });
const failure = (code: string): { failure: Failure } => ({
  failure: { code, gaiCode: -3, syscall: 'getaddrinfo', text: 'no' },
});

interface Asked {
  readonly name: string;
  readonly settle: Settle<string>;
  isGivenUp: boolean;
}

/** An engine that answers when the test says so. */
function open(limits?: Partial<CacheLimits>) {
  const clock = new FakeClock();
  const counters = { ...zeroCounters };
  const all = { max: 10, ttlMs: 1000, negativeTtlMs: 100, staleMs: 0, ...limits };
  const cache = limits && new Cache<Outcome<string>>(all, () => clock.now());
  const lookups = new Lookups<string>(clock, counters, cache);
  const asked: Asked[] = [];
  const engine = { isFull: false };
  const ask = (
    name: string,
    limitsOfOne = unlimited as { signal: AbortSignal | undefined; timeoutMs: number },
  ) =>
    lookups.ask(
      {
        key: name,
        kind: 'addresses',
        hostname: name,
        family: undefined,
        start: (settle) => {
          if (engine.isFull) return null;
          const one = { name, settle, isGivenUp: false };
          asked.push(one);
          const giveUp = (): void => {
            one.isGivenUp = true;
          };
          return { giveUp, watch: () => {} };
        },
      },
      limitsOfOne,
    );
  /** The only one that was asked since the last time. */
  const only = (): Asked => {
    expect(asked).toHaveLength(1);
    return asked.splice(0)[0] as Asked;
  };
  return { clock, counters, lookups, asked, engine, ask, only };
}

describe('lookups', () => {
  it('answer', async () => {
    const { ask, only, counters, clock, lookups } = open();
    const asking = ask('a', within(100));
    expect(lookups.pending).toBe(1);
    only().settle(answer('192.0.2.1'));
    expect(await asking).toEqual(['192.0.2.1']);
    expect(counters).toMatchObject({ lookups: 1, answered: 1, failed: 0 });
    expect({ timers: clock.pending, pending: lookups.pending }).toEqual({ timers: 0, pending: 0 });
  });

  it('fail, each with an error of its own', async () => {
    const { ask, only, counters } = open();
    const both = [failureOf(ask('a')), failureOf(ask('a'))];
    await isPending(both[0] as Promise<unknown>);
    only().settle(failure('EAI_AGAIN'));
    const [first, second] = await Promise.all(both);
    expect(first).toBeInstanceOf(ResolveError);
    expect(first).toMatchObject({
      code: 'EAI_AGAIN',
      gaiCode: -3,
      syscall: 'getaddrinfo',
      hostname: 'a',
      retryable: true,
      message: 'getaddrinfo EAI_AGAIN a: no',
    });
    expect(second).not.toBe(first);
    expect(counters).toMatchObject({ lookups: 2, failed: 2, coalesced: 1 });
  });

  it('that are alike are one, and those that are not are not', async () => {
    const { ask, asked, counters } = open();
    const three = [ask('a'), ask('a'), ask('b')];
    await isPending(three[0] as Promise<unknown>);
    expect(asked.map(({ name }) => name)).toEqual(['a', 'b']);
    for (const { name, settle } of asked) settle(answer(name));
    expect(await Promise.all(three)).toEqual([['a'], ['a'], ['b']]);
    expect(counters).toMatchObject({ lookups: 3, coalesced: 1, answered: 3 });
  });

  it('end when their time is over and not before, and are given up by the last', async () => {
    const { ask, only, clock, counters, lookups } = open();
    const short = failureOf(ask('a', within(100)));
    const long = failureOf(ask('a', within(200)));
    await clock.advance(99);
    const one = only();
    expect(await isPending(short)).toBe(true);
    await clock.advance(1);
    const error = await short;
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ timeout: 100, message: 'looking up a timed out after 100 ms' });
    expect(one.isGivenUp).toBe(false);
    expect(await isPending(long)).toBe(true);
    await clock.advance(100);
    expect(await long).toMatchObject({ code: 'ERR_SOCK_TIMEOUT', timeout: 200 });
    expect(one.isGivenUp).toBe(true);
    expect(lookups.pending).toBe(0);
    expect(counters).toMatchObject({ timedOut: 2, failed: 2 });
  });

  it('that are aborted end at once, and the others with them go on', async () => {
    const { ask, only, counters } = open();
    const controller = new AbortController();
    const aborted = failureOf(ask('a', { signal: controller.signal, timeoutMs: infinite }));
    const other = ask('a');
    await isPending(other);
    controller.abort(new Error('enough'));
    const error = await aborted;
    expect(error).toBeInstanceOf(AbortError);
    expect(error).toMatchObject({ code: 'ABORT_ERR', cause: controller.signal.reason });
    const one = only();
    expect(one.isGivenUp).toBe(false);
    one.settle(answer('192.0.2.1'));
    expect(await other).toEqual(['192.0.2.1']);
    expect(counters).toMatchObject({ cancelled: 1, answered: 1 });
  });

  it('are asked anew after the last one left', async () => {
    const { ask, asked } = open();
    const controller = new AbortController();
    const aborted = failureOf(ask('a', { signal: controller.signal, timeoutMs: infinite }));
    await isPending(aborted);
    controller.abort();
    await aborted;
    const again = ask('a');
    await isPending(again);
    expect(asked.map(({ isGivenUp }) => isGivenUp)).toEqual([true, false]);
    asked[1]?.settle(answer('192.0.2.2'));
    expect(await again).toEqual(['192.0.2.2']);
  });

  it('with a signal that is aborted already ask nobody', async () => {
    const { ask, asked, counters } = open();
    const error = await failureOf(ask('a', { signal: AbortSignal.abort(), timeoutMs: infinite }));
    expect(error).toBeInstanceOf(AbortError);
    expect(asked).toEqual([]);
    expect(counters.lookups).toBe(0);
  });

  it('leave no listener on a signal when they are over', async () => {
    const { ask, only } = open();
    const { signal } = new AbortController();
    const removed = jest.spyOn(signal, 'removeEventListener');
    const asking = ask('a', { signal, timeoutMs: infinite });
    await isPending(asking);
    only().settle(answer('a'));
    await asking;
    expect(removed).toHaveBeenCalledTimes(1);
  });

  it('are refused when too many are waiting', async () => {
    const { ask, engine, counters, lookups } = open();
    engine.isFull = true;
    const error = await failureOf(ask('a'));
    expect(error).toBeInstanceOf(SocketError);
    expect(error).toMatchObject({ code: 'ERR_SOCK_QUEUE_FULL', retryable: true });
    expect(error).toMatchObject({ message: expect.stringContaining('queue full') });
    expect(counters).toMatchObject({ refused: 1, failed: 1 });
    expect(lookups.pending).toBe(0);
  });

  it('with a time of 0 ask nobody', async () => {
    const { ask, asked } = open();
    expect(await failureOf(ask('a', within(0)))).toMatchObject({ code: 'ERR_SOCK_TIMEOUT' });
    expect(asked).toEqual([]);
  });

  it('that wait are rejected by closing, and given up; later ones are refused', async () => {
    const { ask, asked, lookups, counters, clock } = open();
    const waiting = [failureOf(ask('a', within(5))), failureOf(ask('a')), failureOf(ask('b'))];
    await isPending(waiting[0] as Promise<unknown>);
    lookups.close();
    for (const error of [...(await Promise.all(waiting)), await failureOf(ask('c'))]) {
      expect(error).toMatchObject({ name: 'SocketClosedError', code: 'ERR_SOCK_CLOSED' });
    }
    expect(asked.every(({ isGivenUp }) => isGivenUp)).toBe(true);
    expect(counters).toMatchObject({ lookups: 3, cancelled: 3 });
    expect(clock.pending).toBe(0);
  });
});

describe('lookups with a cache', () => {
  it('ask once for as long as the answer holds', async () => {
    const { ask, only, asked, clock, counters } = open({});
    const asking = ask('a');
    await isPending(asking);
    only().settle(answer('192.0.2.1'));
    await asking;
    await clock.advance(999);
    expect(await ask('a', within(0))).toEqual(['192.0.2.1']);
    expect(counters).toMatchObject({ lookups: 2, cacheHits: 1, cacheMisses: 1, answered: 2 });
    await clock.advance(1);
    const again = ask('a');
    await isPending(again);
    expect(asked).toHaveLength(1);
    only().settle(answer('192.0.2.2'));
    expect(await again).toEqual(['192.0.2.2']);
  });

  it.each(['ENOTFOUND', 'ENODATA'])('know for a while that there is nothing: %s', async (code) => {
    const { ask, only, counters, clock } = open({});
    const asking = failureOf(ask('a'));
    await isPending(asking);
    only().settle(failure(code));
    const first = await asking;
    const second = await failureOf(ask('a'));
    expect(second).toMatchObject({ code });
    expect(second).not.toBe(first);
    expect(counters).toMatchObject({ cacheNegativeHits: 1, failed: 2 });
    await clock.advance(100);
    void ask('a');
    await clock.advance(0);
    only();
  });

  it('do not keep other failures', async () => {
    const { ask, only } = open({});
    const asking = failureOf(ask('a'));
    await isPending(asking);
    only().settle(failure('EAI_AGAIN'));
    await asking;
    const again = ask('a');
    await isPending(again);
    only().settle(answer('b'));
    expect(await again).toEqual(['b']);
  });

  async function withStale() {
    const opened = open({ staleMs: 500 });
    const asking = opened.ask('a');
    await isPending(asking);
    opened.only().settle(answer('old'));
    await asking;
    await opened.clock.advance(1000);
    return opened;
  }

  it('give an answer over its time when the name server fails', async () => {
    const { ask, only, counters } = await withStale();
    const asking = ask('a');
    await isPending(asking);
    only().settle(failure('EAI_AGAIN'));
    expect(await asking).toEqual(['old']);
    expect(counters).toMatchObject({ cacheStaleHits: 1, answered: 2, failed: 0 });
  });

  it('give it when the time is over, when the queue is full, and without asking', async () => {
    const { ask, engine, clock, counters } = await withStale();
    const asking = ask('a', within(50));
    await clock.advance(50);
    expect(await asking).toEqual(['old']);
    expect(await ask('a', within(0))).toEqual(['old']);
    engine.isFull = true;
    expect(await ask('a')).toEqual(['old']);
    expect(counters).toMatchObject({ cacheStaleHits: 3, timedOut: 2, refused: 1, failed: 0 });
  });

  it('do not give it when the name is gone, nor later than allowed', async () => {
    const { ask, only } = await withStale();
    const asking = failureOf(ask('a'));
    await isPending(asking);
    only().settle(failure('ENOTFOUND'));
    expect(await asking).toMatchObject({ code: 'ENOTFOUND' });

    const other = await withStale();
    await other.clock.advance(500);
    expect(await failureOf(other.ask('a', within(0)))).toMatchObject({ code: 'ERR_SOCK_TIMEOUT' });
  });

  it('never let an abort pass for an answer', async () => {
    const { ask } = await withStale();
    const controller = new AbortController();
    const asking = failureOf(ask('a', { signal: controller.signal, timeoutMs: infinite }));
    await isPending(asking);
    controller.abort();
    expect(await asking).toMatchObject({ code: 'ABORT_ERR' });
  });
});

describe('a lookup that everybody has left', () => {
  const leaving = (lookup: ReturnType<typeof open>) => {
    const controller = new AbortController();
    const { signal } = controller;
    const left = failureOf(lookup.ask('a', { signal, timeoutMs: infinite }));
    return { left, leave: (reason?: unknown) => controller.abort(reason) };
  };

  it('goes on for a second to fill the cache, when they say that it is of use', async () => {
    const lookup = open({});
    const { left, leave } = leaving(lookup);
    const one = lookup.only();
    leave(lingering);
    expect(await left).toMatchObject({ code: 'ABORT_ERR' });
    await lookup.clock.advance(900);
    expect(one.isGivenUp).toBe(false);
    one.settle(answer('192.0.2.1'));
    expect(await lookup.ask('a')).toEqual(['192.0.2.1']);
    expect(lookup.counters).toMatchObject({ cacheHits: 1, cancelled: 1, answered: 1 });
    expect(lookup.clock.pending).toBe(0);
  });

  it('is given up after that second', async () => {
    const lookup = open({});
    const { leave } = leaving(lookup);
    const one = lookup.only();
    leave(lingering);
    await lookup.clock.advance(999);
    expect({ isGivenUp: one.isGivenUp, pending: lookup.lookups.pending }).toEqual({
      isGivenUp: false,
      pending: 1,
    });
    await lookup.clock.advance(1);
    expect({ isGivenUp: one.isGivenUp, pending: lookup.lookups.pending }).toEqual({
      isGivenUp: true,
      pending: 0,
    });
  });

  it('can be joined meanwhile, and is not given up then', async () => {
    const lookup = open({});
    const { leave } = leaving(lookup);
    const one = lookup.only();
    leave(lingering);
    const joined = lookup.ask('a');
    await lookup.clock.advance(2_000);
    expect(one.isGivenUp).toBe(false);
    one.settle(answer('192.0.2.1'));
    expect(await joined).toEqual(['192.0.2.1']);
    expect(lookup.counters.coalesced).toBe(0);
  });

  it.each<[string, Partial<CacheLimits> | undefined, unknown]>([
    ['without a cache', undefined, lingering],
    ['for any other reason', {}, undefined],
  ])('is given up at once %s', async (_what, limits, reason) => {
    const lookup = open(limits);
    const { leave } = leaving(lookup);
    const one = lookup.only();
    leave(reason);
    expect(one.isGivenUp).toBe(true);
    expect(lookup.clock.pending).toBe(0);
  });
});
