import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Socket } from '@sock/core';
import { type LimiterOptions, type PooledSocket, SocketPool } from '@sock/pool';
import { chooseSeed, FakeClock, useCleanup } from '@sock/testing';
import * as fc from 'fast-check';
import { FakeStore, type StoreClient } from './fake-store.js';

const cleanup = useCleanup();

/** A process, as far as limits go. */
interface Process {
  readonly pool: SocketPool<unknown, PooledSocket>;
  readonly client: StoreClient;
  /** Whether a connection from there comes in. */
  come(ip?: string): boolean;
  /** How many of so many come in. */
  rush(count: number, ip?: string): number;
  /** Ends the connection that came last from there. */
  leave(ip?: string): void;
}

const guest = '192.0.2.1';

class Rig {
  readonly clock = new FakeClock();
  readonly store: FakeStore;

  constructor(points = 100, durationMs = 1_000) {
    this.store = new FakeStore(this.clock, points, durationMs);
  }

  process(options?: LimiterOptions, maxPerIp = Number.POSITIVE_INFINITY): Process {
    const { clock } = this;
    const pool = cleanup.add(
      new SocketPool<unknown, PooledSocket>({ maxConnections: 10_000, clock }),
    );
    const client = this.store.client();
    pool.setMaxPerIp(maxPerIp);
    pool.setLimiter(client, options);
    const come = (ip = guest): boolean => {
      const [socket, peer] = Socket.pair();
      peer.close();
      Object.defineProperty(socket, 'remoteAddress', { value: ip });
      if (pool.add(socket) !== null) return true;
      socket.close();
      return false;
    };
    const rush = (count: number, ip = guest): number => {
      let letIn = 0;
      for (let at = 0; at < count; at++) if (come(ip)) letIn++;
      return letIn;
    };
    const leave = (ip = guest): void => {
      const all = [...pool].filter(({ socket }) => socket.remoteAddress === ip);
      all.at(-1)?.socket.close();
    };
    return { pool, client, come, rush, leave };
  }

  /** Processes that begin at the same time learn the number of the epoch a moment later. */
  begin(): Promise<void> {
    return this.clock.advance(1_000);
  }

  /** Lets what is under way settle. */
  settle(): Promise<void> {
    return this.clock.advance(0);
  }
}

async function logged(during: () => Promise<void>): Promise<string[]> {
  const lines: string[] = [];
  const listener = (event: unknown) => lines.push((event as { message: string }).message);
  subscribe('sock:pool:log', listener);
  try {
    await during();
  } finally {
    unsubscribe('sock:pool:log', listener);
  }
  return lines.filter((line) => line.includes('store'));
}

const stats = ({ pool }: Process) => pool.stats.limiter;

describe('a rate that processes share', () => {
  it('is spent from what was taken ahead, so that nobody waits for the store', async () => {
    const rig = new Rig(100);
    const one = rig.process({ lease: 10 });
    await rig.settle();
    expect(stats(one)).toMatchObject({ state: 'up', tokens: 10 });
    const before = one.client.calls.length;
    expect(one.rush(15)).toBe(10);
    expect(one.pool.stats.rejected.rate).toBe(5);
    // What was missing was asked for once, when half of it was spent.
    expect(one.client.calls.slice(before)).toEqual(['consume rate 5']);
    await rig.settle();
    expect(stats(one)?.tokens).toBe(10);
  });

  it('leases a tenth of the points, whether or not the store tells them', async () => {
    for (const tellsPoints of [true, false]) {
      const rig = new Rig(95);
      rig.store.tellsPoints = tellsPoints;
      const one = rig.process();
      await rig.settle();
      expect(stats(one)?.tokens).toBe(10);
    }
  });

  it('lets in what the store has, to the last point, and no more than a lease beyond', async () => {
    const rig = new Rig(100);
    const [one, other] = [rig.process({ lease: 15 }), rig.process({ lease: 15 })];
    await rig.settle();
    let letIn = 0;
    for (let at = 0; at < 30; at++) {
      letIn += one.rush(10) + other.rush(3);
      await rig.settle();
    }
    expect(letIn).toBe(100);
    expect(rig.store.pointsOf('rate')).toBe(100);
    const calls = one.client.calls.length;
    expect(one.rush(10)).toBe(0);
    await rig.clock.advance(900);
    expect(one.client.calls).toHaveLength(calls);
    // The next window's tokens are there before anybody has asked.
    await rig.clock.advance(100);
    expect([one.rush(100), other.rush(100)]).toEqual([15, 15]);
  });

  it('goes into a window with what is left, and drops it when the next has come', async () => {
    const rig = new Rig(20);
    const one = rig.process({ lease: 10 });
    await rig.settle();
    await rig.clock.advance(5_000);
    expect(one.rush(3)).toBe(3);
    await rig.settle();
    expect(stats(one)?.tokens).toBe(10);
    expect(rig.store.pointsOf('rate')).toBe(10);
  });

  it('gets back what is left of a lease when a pool drains', async () => {
    const rig = new Rig(100, 10_000);
    const one = rig.process({ lease: 40 });
    await rig.settle();
    one.rush(5);
    expect(rig.store.pointsOf('rate')).toBe(40);
    one.pool.cleanup(0);
    await one.pool.drain();
    expect(rig.store.pointsOf('rate')).toBe(5);
    // Not into a window that has just begun, where it would be too much.
    const other = rig.process({ lease: 40 });
    await rig.settle();
    await rig.clock.advance(9_999);
    other.pool.close();
    await rig.clock.advance(10);
    expect(rig.store.pointsOf('rate')).toBe(0);
  });

  it('is left alone where only counts are shared', async () => {
    const rig = new Rig(1);
    const one = rig.process({ rate: false });
    await rig.settle();
    expect(one.rush(20)).toBe(20);
    expect(one.client.calls.filter((call) => call.startsWith('consume'))).toEqual([]);
  });
});

describe('counts that processes share', () => {
  const counts = { rate: false, lifetime: 8_000, ahead: 3 };

  it('hold for all together, and are given back', async () => {
    const rig = new Rig();
    const [one, other] = [rig.process(counts, 5), rig.process(counts, 5)];
    await rig.begin();
    expect(one.rush(3)).toBe(3);
    await rig.settle();
    expect(other.come()).toBe(true);
    await rig.settle();
    expect(other.rush(3)).toBe(1);
    await rig.settle();
    expect([one.come(), other.come(), one.come('192.0.2.2')]).toEqual([true, false, true]);
    await rig.settle();
    // That was one too many, as far as the first knew: it keeps it, and gets no more.
    expect([one.come(), other.come(), rig.store.counted]).toEqual([false, false, 7]);
    for (let at = 0; at < 3; at++) one.leave();
    await rig.clock.advance(1_000);
    // What is known of the others is looked after when it keeps somebody out.
    expect(other.come()).toBe(false);
    await rig.settle();
    expect(other.come()).toBe(true);
  });

  it('let so many come in ahead of the answer, and count what has come and gone once', async () => {
    const rig = new Rig();
    const one = rig.process(counts, 50);
    await rig.begin();
    one.client.calls.length = 0;
    expect(one.rush(10)).toBe(3);
    one.leave();
    await rig.settle();
    expect(one.client.calls).toEqual([
      `penalty counts:${rig.store.pointsOf('counts:epoch')}:c0000201 2`,
    ]);
    expect(one.rush(10)).toBe(3);
    expect(one.pool.stats.rejected['per-ip']).toBe(14);
  });

  it('stay as long as the connections, and no longer than a lifetime and a quarter', async () => {
    const rig = new Rig();
    const [one, dies] = [rig.process(counts, 4), rig.process(counts, 4)];
    await rig.begin();
    dies.rush(3);
    await rig.settle();
    one.come();
    await rig.settle();
    for (let lifetimes = 0; lifetimes < 5; lifetimes++) {
      await rig.clock.advance(8_000);
      expect(rig.store.counted).toBe(4);
      expect(one.come()).toBe(false);
    }
    // It dies in the last quarter, having renewed what it had.
    await rig.clock.advance(7_000);
    dies.client.fault = () => new Promise(() => {});
    await rig.clock.advance(2_000);
    expect(rig.store.counted).toBe(4);
    await rig.clock.advance(8_000);
    expect(rig.store.counted).toBe(1);
    expect(one.come()).toBe(false);
    await rig.settle();
    expect(one.rush(3)).toBe(3);
  });

  it('go on where the process dies that was to begin the next epoch', async () => {
    const rig = new Rig();
    const [one, other] = [rig.process(counts, 3), rig.process(counts, 3)];
    await rig.begin();
    one.come();
    other.come();
    const first = rig.store.pointsOf('counts:epoch');
    await rig.clock.advance(6_500);
    rig.store.keys.delete('counts:lifetime');
    rig.store.add('counts:lifetime', 1, { customDuration: 8 });
    for (let at = 0; at < 20; at++) {
      await rig.clock.advance(1_000);
      expect(rig.store.counted).toBe(2);
    }
    expect(rig.store.pointsOf('counts:epoch')).toBe(first + 2);
  });

  it('come back when the store has lost everything', async () => {
    const rig = new Rig();
    const [one, other] = [rig.process(counts, 5), rig.process(counts, 5)];
    await rig.begin();
    one.rush(2);
    other.rush(2);
    await rig.settle();
    rig.store.keys.clear();
    await rig.clock.advance(9_000);
    expect(rig.store.counted).toBe(4);
    one.leave();
    one.leave();
    await rig.settle();
    expect(rig.store.counted).toBe(2);
  });

  it('include those who are there when they begin, and are taken out when they end', async () => {
    const rig = new Rig();
    const one = rig.process(counts, 9);
    const other = rig.process(counts, 9);
    await rig.begin();
    expect([one.rush(3), other.rush(2)]).toEqual([3, 2]);
    expect(other.pool.trackIp('2001:db8::1')).toBe(true);
    await rig.settle();
    expect(rig.store.counted).toBe(6);
    const taking = rig.store.client();
    one.pool.setLimiter(taking, counts);
    await rig.settle();
    expect([rig.store.counted, stats(one)?.addresses]).toEqual([6, 1]);
    one.pool.setLimiter(null);
    await rig.settle();
    expect([rig.store.counted, stats(one)]).toEqual([3, null]);
    other.pool.releaseIp('2001:db8::1');
    other.pool.cleanup(0);
    await other.pool.drain();
    expect(rig.store.counted).toBe(0);
  });

  it('are told with so many calls at a time, and no more', async () => {
    const rig = new Rig();
    const one = rig.process({ ...counts, maxCalls: 3 }, 5);
    await rig.begin();
    const held: (() => void)[] = [];
    one.client.fault = (answer) => new Promise((resolve) => held.push(() => resolve(answer())));
    for (let at = 1; at <= 50; at++) expect(one.come(`192.0.2.${at}`)).toBe(true);
    for (let round = 0; round < 60; round++) {
      await rig.settle();
      held.shift()?.();
    }
    expect([one.client.pendingMost, rig.store.counted]).toEqual([3, 50]);
  });
});

type Fault = StoreClient['fault'];

/** All that is no answer. */
const nonsense: unknown[] = [
  ...[undefined, null, 'OK', 7, [], {}, { consumedPoints: 1 }],
  { consumedPoints: Number.NaN, remainingPoints: 1, msBeforeNext: 1 },
  { consumedPoints: 1.5, remainingPoints: 1, msBeforeNext: 1 },
  { consumedPoints: 1, remainingPoints: 1, msBeforeNext: Number.POSITIVE_INFINITY },
  new Proxy(Object.create(null), {
    get: (_, name) => (name === 'then' ? undefined : thrown('a trap')),
  }),
];

function thrown(message: string): never {
  throw new Error(message);
}

const faults: [string, Fault][] = [
  ['rejects', () => Promise.reject(new Error('ECONNREFUSED'))],
  ['throws', () => thrown('not connected')],
  ['never answers', () => new Promise(() => {})],
  ['returns no promise', () => undefined],
  ['answers nonsense', () => Promise.resolve(nonsense.at(calls++ % nonsense.length))],
  ['rejects with nonsense', () => Promise.reject(nonsense.at(calls++ % nonsense.length))],
];
let calls = 0;

describe('a store that fails', () => {
  const options = { lease: 10, timeout: 200, ahead: 2 };

  it.each(faults)('and %s, leaves the limits to the process until it is back', async (_, fault) => {
    const rig = new Rig(100, 60_000);
    const one = rig.process(options, 6);
    one.pool.setConnectionRate(0.001, 3);
    await rig.settle();
    expect(one.rush(3)).toBe(2);
    await rig.settle();
    const lines = await logged(async () => {
      one.client.fault = fault;
      one.come();
      // Ahead of the answer that will not come, as far as anybody knows.
      await rig.clock.advance(200);
      expect(stats(one)).toMatchObject({ state: 'down', outages: 1, localDecisions: 0 });
      expect([one.rush(9, '192.0.2.2'), one.pool.stats.rejected.rate]).toEqual([3, 6]);
      expect(stats(one)?.localDecisions).toBe(9);
      await rig.clock.advance(60_000);
      expect(stats(one)).toMatchObject({ state: 'down', outages: 1, localDecisions: 9 });
      one.client.fault = null;
      await rig.clock.advance(7_000);
      expect(stats(one)).toMatchObject({ state: 'up', outages: 1, tokens: 10 });
    });
    expect(lines).toEqual([
      'the store of limits fails: local limits count',
      'the store of limits is back',
    ]);
    // What has come meanwhile is known there, and what comes now is limited there.
    expect(rig.store.counted).toBe(6);
    expect(one.rush(9, '192.0.2.3')).toBe(2);
  });

  it('is asked less and less often, whatever it says', async () => {
    const rig = new Rig();
    const one = rig.process(options, 6);
    await rig.settle();
    for (const nothing of nonsense) {
      one.client.calls.length = 0;
      one.client.fault = () => Promise.resolve(nothing);
      one.come();
      await rig.clock.advance(60_000);
      expect(stats(one)?.state).toBe('down');
      expect(one.client.calls.length).toBeGreaterThan(8);
      expect(one.client.calls.length).toBeLessThan(30);
      one.client.fault = null;
      await rig.clock.advance(20_000);
      expect(stats(one)?.state).toBe('up');
    }
    // One that can be read and not written is not there.
    one.client.calls.length = 0;
    one.client.fault = (answer) =>
      one.client.calls.at(-1)?.startsWith('get') ? answer() : Promise.reject(new Error('READONLY'));
    one.come();
    await rig.clock.advance(60_000);
    expect([stats(one)?.state, one.client.calls.length < 30]).toEqual(['down', true]);
  });

  it('from the beginning, does not keep a pool from working', async () => {
    const rig = new Rig();
    const one = rig.process(options, 5);
    expect([one.rush(9), stats(one)?.state]).toEqual([5, 'starting']);
    expect(stats(one)?.localDecisions).toBe(9);
    one.client.fault = () => new Promise(() => {});
    await rig.clock.advance(10_000);
    one.pool.cleanup(0);
    await one.pool.drain();
  });

  it('answers late, and gets back what nobody waits for any more', async () => {
    const rig = new Rig(100, 60_000);
    const one = rig.process(options, 9);
    await rig.settle();
    const held: (() => void)[] = [];
    one.client.fault = (answer) => new Promise((resolve) => held.push(() => resolve(answer())));
    for (const ip of ['192.0.2.1', '192.0.2.2', '192.0.2.3']) expect(one.rush(6, ip)).toBe(2);
    await rig.clock.advance(200);
    expect([stats(one)?.state, stats(one)?.tokens]).toEqual(['down', 4]);
    one.client.fault = null;
    await rig.clock.advance(5_000);
    expect([stats(one)?.state, held.length > 3]).toEqual(['up', true]);
    for (const answer of held.splice(0)) answer();
    await rig.settle();
    // Whatever was told twice is taken back.
    expect(rig.store.counted).toBe(one.pool.count);
    expect(rig.store.pointsOf('rate')).toBe(one.pool.count + 10);
    expect(stats(one)).toMatchObject({ state: 'up', tokens: 10 });
  });

  it('answers after the end, and is left with nothing', async () => {
    const rig = new Rig(100, 60_000);
    const one = rig.process(options, 9);
    await rig.settle();
    const held: (() => void)[] = [];
    one.rush(2);
    await rig.settle();
    one.client.fault = (answer) => new Promise((resolve) => held.push(() => resolve(answer())));
    one.rush(6, '192.0.2.2');
    await rig.settle();
    one.pool.close();
    one.client.fault = null;
    await rig.clock.advance(100);
    for (const answer of held.splice(0)) answer();
    await rig.settle();
    expect([rig.store.counted, one.client.pending]).toEqual([0, 0]);
    expect(rig.clock.pending).toBe(0);
  });
});

describe('limits that processes share, whatever happens', () => {
  const max = 4;
  const ahead = 2;
  const ips = ['192.0.2.1', '198.51.100.2', '2001:db8::1'];
  const action = fc.record({
    what: fc.constantFrom('come', 'come', 'come', 'leave', 'wait', 'wait long', 'die', 'fail'),
    who: fc.nat(2),
    ip: fc.constantFrom(...ips),
  });

  it('are kept but for what is ahead, and leave nothing behind', async () => {
    const property = fc.asyncProperty(fc.array(action, { maxLength: 60 }), async (actions) => {
      const rig = new Rig(50, 5_000);
      const options = { ahead, lease: 5, lifetime: 4_000, timeout: 100 };
      const make = () => rig.process(options, max);
      const processes = [make(), make(), make()];
      await rig.begin();
      for (const { what, who, ip } of actions) {
        const one = processes[who] as Process;
        if (what === 'come') one.come(ip);
        if (what === 'leave') one.leave(ip);
        if (what === 'fail')
          one.client.fault =
            one.client.fault === null ? () => Promise.reject(new Error('no')) : null;
        if (what === 'die') {
          one.client.fault = () => new Promise(() => {});
          for (const { socket } of one.pool) socket.close();
          processes[who] = make();
        }
        if (what.startsWith('wait')) await rig.clock.advance(what === 'wait' ? 50 : 3_000);
        const isShared = processes.every((process) => stats(process)?.outages === 0);
        for (const address of isShared ? ips : []) {
          const all = processes.reduce((sum, { pool }) => sum + pool.ipCount(address), 0);
          expect(all).toBeLessThanOrEqual(max + ahead * processes.length);
        }
      }
      for (const { client } of processes) client.fault = null;
      await rig.clock.advance(20_000);
      const here = processes.reduce((sum, { pool }) => sum + pool.count, 0);
      expect([rig.store.counted, processes.map((process) => stats(process)?.state)]).toEqual([
        here,
        ['up', 'up', 'up'],
      ]);
      for (const { pool } of processes) pool.cleanup(0);
      await Promise.all(processes.map(({ pool }) => pool.drain()));
      expect(rig.store.counted).toBe(0);
    });
    await fc.assert(property, { seed: chooseSeed(), numRuns: 25 });
  });
});
