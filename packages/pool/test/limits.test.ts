import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { cidrMatch, connect, type ListeningSocket, listen, RateLimiter, Socket } from '@sock/core';
import { readCounters } from '@sock/native';
import { IpTracker, type PooledSocket, type PoolRejectEvent, SocketPool } from '@sock/pool';
import { chooseSeed, failureOf, runScript, thrownBy, until, useCleanup } from '@sock/testing';
import * as fc from 'fast-check';

const cleanup = useCleanup();

function makePool(
  options: Partial<ConstructorParameters<typeof SocketPool>[0]> = {},
): SocketPool<unknown, PooledSocket> {
  return cleanup.add(new SocketPool<unknown, PooledSocket>({ maxConnections: 100, ...options }));
}

/** A socket whose peer is said to be there. */
function from(remoteAddress: string | undefined): PooledSocket {
  const [socket, peer] = Socket.pair();
  cleanup.add(socket);
  cleanup.add(peer);
  Object.defineProperty(socket, 'remoteAddress', { value: remoteAddress });
  return socket;
}

function server(): ListeningSocket {
  return cleanup.add(listen({ host: '127.0.0.1', port: 0 }));
}

async function dial(listener: ListeningSocket): Promise<Socket> {
  return cleanup.add(await connect({ host: '127.0.0.1', port: listener.localPort as number }));
}

/** How somebody who is turned away hears of it: at once, or with the first receive. */
async function refusalOf(listener: ListeningSocket, host = '127.0.0.1'): Promise<Error> {
  const port = listener.localPort as number;
  const client =
    listener.family === 'unix' ? { path: listener.localAddress as string } : { host, port };
  return await failureOf(connect(client).then((socket) => cleanup.add(socket).recv()));
}

describe('an IP tracker', () => {
  it('counts addresses by what they are, not by how they are written', () => {
    const tracker = new IpTracker(2);
    expect(tracker.track('192.0.2.1')).toBe(true);
    expect(tracker.track('::ffff:192.0.2.1')).toBe(true);
    expect(tracker.track('::FFFF:c000:0201')).toBe(false);
    expect(tracker.track('192.0.2.2')).toBe(true);
    expect(tracker.track('2001:db8::1')).toBe(true);
    expect(tracker.track('2001:0DB8:0:0:ffff::')).toBe(true);
    expect(tracker.track('2001:db8:0:0::3%eth0')).toBe(false);
    expect(tracker.track('2001:db8:0:1::1')).toBe(true);
    expect([tracker.total, tracker.uniqueIps, tracker.count('2001:db8::9')]).toEqual([6, 4, 2]);
  });

  it('gives room again when one is released, and forgets who has none', () => {
    const tracker = new IpTracker(1);
    tracker.track('192.0.2.1');
    tracker.release('192.0.2.1');
    tracker.release('192.0.2.1');
    expect([tracker.total, tracker.uniqueIps, tracker.track('192.0.2.1')]).toEqual([0, 0, true]);
  });

  it('keeps what it has counted when its limit changes', () => {
    const tracker = new IpTracker();
    for (let at = 0; at < 5; at++) tracker.track('192.0.2.1');
    tracker.max = 3;
    expect(tracker.track('192.0.2.1')).toBe(false);
    for (let at = 0; at < 3; at++) tracker.release('192.0.2.1');
    expect([tracker.track('192.0.2.1'), tracker.track('192.0.2.1')]).toEqual([true, false]);
    tracker.clear();
    expect(tracker.count('192.0.2.1')).toBe(0);
  });

  it('has room for so many addresses and no more', () => {
    const tracker = new IpTracker(5, { uniqueMax: 2 });
    const seen = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.1'];
    expect(seen.map((ip) => tracker.track(ip))).toEqual([true, true, false, true]);
  });

  it('forgets addresses that came and left, however many, and none that stays', () => {
    const tracker = new IpTracker(5, { uniqueMax: 100 });
    for (let at = 0; at < 90; at++) tracker.track(`198.51.100.${at}`);
    for (let at = 0; at < 5_000; at++) {
      const ip = `10.0.${at >> 8}.${at & 255}`;
      expect(tracker.track(ip)).toBe(true);
      tracker.release(ip);
    }
    expect([tracker.total, tracker.uniqueIps]).toEqual([90, 90]);
    expect([tracker.count('198.51.100.7'), tracker.count('10.0.3.3')]).toEqual([1, 0]);
    expect(new Set(Array.from({ length: 12 }, (_, at) => tracker.track(`10.1.0.${at}`)))).toEqual(
      new Set([true, false]),
    );
    expect(tracker.uniqueIps).toBe(100);
    const shared = IpTracker.from(tracker.share());
    expect([shared.total, shared.uniqueIps]).toEqual([100, 100]);
  });

  it.each<[() => unknown, string]>([
    [() => new IpTracker(0), 'max'],
    [() => new IpTracker(-1), 'max'],
    [() => new IpTracker(1, { ipv4Prefix: 33 }), 'options.ipv4Prefix'],
    [() => new IpTracker(1, { ipv6Prefix: 0 }), 'options.ipv6Prefix'],
    [() => new IpTracker(1, { uniqueMax: 0 }), 'options.uniqueMax'],
    [() => new IpTracker().track('some.host'), 'ip'],
    [() => new IpTracker().track(null as never), 'ip'],
    [() => new IpTracker().track('1'.repeat(64)), 'ip'],
    [() => IpTracker.from(new SharedArrayBuffer(4096)), 'shared'],
    [() => IpTracker.from({} as never), 'shared'],
  ])('refuses what makes no sense: %s', (make, name) => {
    expect(make).toThrow(`"${name}"`);
  });

  it('shared or not, counts as a plain map does', () => {
    const ips = ['192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8:0:1::1', '198.51.100.7'];
    const step = fc.tuple(fc.constantFrom(...ips), fc.boolean());
    const property = fc.property(
      fc.array(step, { maxLength: 120 }),
      fc.integer({ min: 1, max: 4 }),
      fc.nat(120),
      (steps, max, sharedFrom) => {
        const tracker = new IpTracker(max, { uniqueMax: 64 });
        const model = new Map<string, number>();
        for (const [at, [ip, isTrack]] of steps.entries()) {
          if (at === sharedFrom) tracker.share();
          const count = model.get(ip) ?? 0;
          if (isTrack) expect(tracker.track(ip)).toBe(count < max);
          else tracker.release(ip);
          model.set(ip, Math.max(0, Math.min(max, count + (isTrack ? 1 : -1))));
          expect(tracker.count(ip)).toBe(model.get(ip));
        }
        const counts = [...model.values()];
        expect(tracker.total).toBe(counts.reduce((sum, count) => sum + count, 0));
        expect(tracker.uniqueIps).toBe(counts.filter((count) => count > 0).length);
      },
    );
    fc.assert(property, { seed: chooseSeed(), numRuns: 40 });
  });

  it('shared with threads that race, lets in as many as it may, and no more', async () => {
    // Another process: the addon of this one must not be loaded by a thread that is terminated.
    const { stdout, stderr } = await runScript(`
      const { Worker } = require('node:worker_threads');
      const { IpTracker } = require('@sock/pool');
      const tracker = new IpTracker(100, { uniqueMax: 256 });
      tracker.track('192.0.2.1');
      const shared = tracker.share();
      const body = \`
        const { workerData, parentPort } = require('node:worker_threads');
        const { IpTracker } = require('@sock/pool');
        const tracker = IpTracker.from(workerData.shared);
        const letIn = new Int32Array(workerData.letIn);
        let got = 0;
        const track = () => {
          if (!tracker.track('192.0.2.1')) return false;
          if (Atomics.add(letIn, 0, 1) >= 99) throw new Error('too many');
          return ++got;
        };
        for (let at = 0; at < 3000; at++) {
          track();
          if (at % 3 !== 0 || got === 0) continue;
          Atomics.sub(letIn, 0, 1);
          tracker.release('192.0.2.1');
          got--;
        }
        while (track()) {}
        parentPort.postMessage(got);
        setInterval(() => {}, 1000);
      \`;
      const workerData = { shared, letIn: new SharedArrayBuffer(4) };
      const workers = [1, 2].map(() => new Worker(body, { eval: true, workerData }));
      const answer = (worker) => new Promise((resolve) => worker.once('message', resolve));
      Promise.all(workers.map(answer)).then(async (got) => {
        console.log(got[0] + got[1] + 1 <= 100, tracker.count('192.0.2.1') === got[0] + got[1] + 1);
        for (const worker of workers) {
          const { threadId } = worker;
          await worker.terminate();
          tracker.forgetThread(threadId);
        }
        console.log(tracker.count('192.0.2.1'), tracker.total);
      });
    `);
    expect({ stdout, stderr }).toEqual({ stdout: 'true true\n1 1\n', stderr: '' });
  });
});

describe('the limits of a pool', () => {
  it('hold for each address, on the way in by add, and are given back on every way out', () => {
    const pool = makePool();
    pool.setMaxPerIp(2);
    const first = from('192.0.2.1');
    const second = from('::ffff:192.0.2.1');
    expect([pool.add(first), pool.add(second)]).not.toContain(null);
    expect([pool.add(from('192.0.2.1')), pool.acceptAllowed('192.0.2.1')]).toEqual([null, false]);
    expect([pool.ipCount('192.0.2.1'), pool.getMaxPerIp()]).toEqual([2, 2]);
    pool.remove(first);
    expect(pool.add(from('192.0.2.1'))).not.toBeNull();
    second.close();
    expect(pool.add(from('192.0.2.1'))).not.toBeNull();
    pool.cleanup(0);
    expect(pool.ipCount('192.0.2.1')).toBe(0);
    for (let at = 0; at < 2; at++) pool.add(from('192.0.2.1'));
    pool.resize(1);
    expect(pool.ipCount('192.0.2.1')).toBe(1);
    pool.setMaxPerIp(Number.POSITIVE_INFINITY);
    pool.resize(10);
    for (let at = 0; at < 5; at++) expect(pool.add(from('192.0.2.1'))).not.toBeNull();
    pool.close();
    expect(pool.ipCount('192.0.2.1')).toBe(0);
    expect(pool.stats.rejected['per-ip']).toBe(1);
  });

  it('hold for networks, those that were there included', () => {
    const pool = makePool();
    for (let at = 1; at <= 3; at++) pool.add(from(`192.0.2.${at}`));
    pool.setPrefixLimits({ ipv4: { prefix: 24, max: 3 }, ipv6: { prefix: 32, max: 1 } });
    expect(pool.add(from('192.0.2.4'))).toBeNull();
    expect(pool.ipCount('192.0.2.4')).toBe(0);
    expect(pool.add(from('192.0.3.4'))).not.toBeNull();
    expect(pool.add(from('2001:db8:1::1'))).not.toBeNull();
    expect(pool.add(from('2001:db8:2::1'))).toBeNull();
    expect(pool.stats.rejected['per-prefix']).toBe(2);
    pool.cleanup(0);
    expect(pool.add(from('2001:db8:2::1'))).not.toBeNull();
    pool.setPrefixLimits({});
    expect(pool.add(from('2001:db8:3::1'))).not.toBeNull();
    const bad = { ipv4: { prefix: 33, max: 1 } };
    expect(() => pool.setPrefixLimits(bad)).toThrow('"limits.ipv4.prefix"');
  });

  it('let lists decide, denied before allowed', () => {
    const pool = makePool();
    pool.allow = ['192.0.2.0/24', '2001:db8::/32'];
    pool.deny = ['192.0.2.128/25'];
    const come = (ip: string | undefined) => pool.add(from(ip)) !== null;
    expect(
      [
        '192.0.2.1',
        '192.0.2.200',
        '198.51.100.1',
        '2001:db8::1',
        '::ffff:192.0.2.7',
        undefined,
      ].map(come),
    ).toEqual([true, false, false, true, true, false]);
    expect(pool.stats.rejected.denied).toBe(3);
    expect(() => {
      pool.deny = ['192.0.2.0/24', 'nonsense'];
    }).toThrow('"deny[1]"');
    expect(pool.deny).toEqual(['192.0.2.128/25']);
    pool.allow = [];
    expect([come(undefined), come('192.0.2.200')]).toEqual([true, false]);
  });

  it('find in a list what cidrMatch finds', () => {
    const byte = fc.nat(255);
    const ipv4 = fc.tuple(byte, byte, byte, byte).map((bytes) => bytes.join('.'));
    const ipv6 = fc
      .array(fc.nat(3), { minLength: 8, maxLength: 8 })
      .map((words) => words.join(':'));
    const ip = fc.oneof(
      ipv4,
      ipv6,
      ipv4.map((text) => `::ffff:${text}`),
    );
    const cidr = fc.oneof(
      fc.tuple(ipv4, fc.nat(32)).map((parts) => parts.join('/')),
      fc
        .tuple(
          ip.filter((text) => text.includes(':')),
          fc.nat(128),
        )
        .map((parts) => parts.join('/')),
      ip,
    );
    const property = fc.property(
      ip,
      fc.array(cidr, { minLength: 1, maxLength: 5 }),
      (text, cidrs) => {
        const pool = makePool();
        pool.allow = cidrs;
        const expected = cidrs.some((one) => cidrMatch(text, one));
        expect([text, cidrs, pool.acceptAllowed(text)]).toEqual([text, cidrs, expected]);
      },
    );
    fc.assert(property, { seed: chooseSeed(), numRuns: 80 });
  });

  it('let in as many as the rate does, and spend no token on who is refused otherwise', () => {
    const pool = makePool();
    pool.setConnectionRate(0.001, 2);
    expect(pool.getConnectionRate()).toEqual({ perSecond: 0.001, burst: 2 });
    pool.deny = ['198.51.100.0/24'];
    const come = (ip: string) => pool.add(from(ip)) !== null;
    expect(['198.51.100.1', '192.0.2.1', '192.0.2.2', '192.0.2.3'].map(come)).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect([pool.ipCount('192.0.2.3'), pool.acceptAllowed('192.0.2.3')]).toEqual([0, false]);
    expect(pool.stats.rejected).toMatchObject({ denied: 1, rate: 1 });
    pool.setConnectionRate(Number.POSITIVE_INFINITY);
    expect(come('192.0.2.3')).toBe(true);
  });

  it('can be those that other pools have, too', () => {
    const rateLimiter = cleanup.add(new RateLimiter(0.001, 3));
    const ipTracker = new IpTracker(2);
    const [one, other] = [1, 2].map(() => makePool({ rateLimiter, ipTracker }));
    one?.add(from('192.0.2.1'));
    other?.add(from('192.0.2.1'));
    expect(one?.add(from('192.0.2.1'))).toBeNull();
    one?.add(from('192.0.2.2'));
    expect(other?.add(from('192.0.2.3'))).toBeNull();
    expect([one?.stats.rejected['per-ip'], other?.stats.rejected.rate]).toEqual([1, 1]);
  });
});

describe('a pool that accepts', () => {
  it('closes whom it does not let in, and waits on', async () => {
    const pool = makePool();
    const listener = server();
    pool.setMaxPerIp(1);
    const accepted = pool.acceptLimited(listener);
    const client = await dial(listener);
    const { socket } = await accepted;
    expect(socket.remoteAddress).toBe('127.0.0.1');
    const next = pool.acceptLimited(listener);
    const refused = await Promise.all(Array.from({ length: 150 }, () => refusalOf(listener)));
    for (const error of refused) expect(error).toMatchObject({ code: 'ECONNRESET' });
    expect(pool.stats.rejected['per-ip']).toBe(150);
    client.close();
    socket.close();
    await dial(listener);
    expect((await next).isActive).toBe(true);
  });

  it('leaves in the backlog those for whom there is no place', async () => {
    const pool = makePool({ maxConnections: 1 });
    const listener = server();
    await dial(listener);
    const { socket } = await pool.acceptLimited(listener);
    const patient = await dial(listener);
    await patient.sendAll('first words');
    const next = pool.acceptLimited(listener);
    expect(pool.tryAcceptLimited(listener)).toBeNull();
    expect(thrownBy(() => pool.acceptLimitedSync(listener))).toMatchObject({
      code: 'ERR_SOCK_POOL_FULL',
    });
    socket.close();
    expect(String(await (await next).socket.recv())).toBe('first words');
    expect(pool.stats.rejected.full).toBe(0);
  });

  it('takes in a batch, up to its places and its limits', async () => {
    const pool = makePool({ maxConnections: 5 });
    const listener = server();
    await Promise.all(Array.from({ length: 8 }, () => dial(listener)));
    expect(pool.acceptBatch(listener, 2)).toHaveLength(2);
    pool.setMaxPerIp(3);
    expect(pool.acceptBatch(listener, 10)).toHaveLength(1);
    expect(pool.stats.rejected['per-ip']).toBe(5);
    pool.setMaxPerIp(10);
    await Promise.all(Array.from({ length: 4 }, () => dial(listener)));
    expect(pool.acceptBatch(listener, 10)).toHaveLength(2);
    expect(pool.acceptBatch(listener, 10)).toHaveLength(0);
    expect(() => pool.acceptBatch(listener, 0)).toThrow('"max"');
    expect(() => pool.acceptBatch({} as never, 1)).toThrow('"server.accept"');
  });

  it('blocks for one that may come in', async () => {
    const pool = makePool();
    const listener = server();
    await dial(listener);
    expect(pool.acceptLimitedSync(listener).isActive).toBe(true);
    const error = thrownBy(() => pool.acceptLimitedSync(listener, { timeout: 5 }));
    expect(error).toMatchObject({ code: 'ERR_SOCK_TIMEOUT' });
  });

  it('stops accepting by its limits, and when it drains', async () => {
    const pool = makePool({ maxConnections: 1 });
    const listener = server();
    const abort = new AbortController();
    const waits = [
      failureOf(pool.acceptLimited(listener, { timeout: 20 })),
      failureOf(pool.acceptLimited(listener, { signal: abort.signal })),
    ];
    abort.abort();
    const drained = failureOf(pool.acceptLimited(listener));
    expect((await Promise.all(waits)).map((error) => (error as { code?: string }).code)).toEqual([
      'ERR_SOCK_TIMEOUT',
      'ABORT_ERR',
    ]);
    void pool.drain();
    expect(await drained).toMatchObject({ name: 'PoolError', code: 'ERR_SOCK_CLOSED' });
    expect(await failureOf(pool.acceptLimited(listener))).toMatchObject({
      code: 'ERR_SOCK_CLOSED',
    });
  });
});

describe('a pool that turns somebody away', () => {
  /** What a channel tells, from now to the end of the test. */
  function hear<T>(name: string): T[] {
    const told: T[] = [];
    const listener = (message: unknown) => void told.push(message as T);
    subscribe(name, listener);
    cleanup.add({ close: () => unsubscribe(name, listener) });
    return told;
  }

  it('makes no socket of it, counts it, and tells of it, however it accepts', async () => {
    const pool = makePool();
    const listener = server();
    pool.deny = ['127.0.0.0/8'];
    const accepted = hear('sock:core:accept');
    const told = hear<PoolRejectEvent>('sock:pool:reject');
    const { accepts, accept_rejects: rejects, closes } = readCounters();
    const refused = Array.from({ length: 4 }, () => dial(listener));
    await Promise.allSettled(refused);
    expect(pool.tryAcceptLimited(listener)).toBeNull();
    await until(5_000, () => pool.stats.rejected.denied === 4);
    const waiting = failureOf(pool.acceptLimited(listener));
    await refusalOf(listener);
    expect(thrownBy(() => pool.acceptLimitedSync(makeServerWithGuest(), { timeout: 30 }))).toEqual(
      expect.objectContaining({ code: 'ERR_SOCK_TIMEOUT' }),
    );
    await until(5_000, () => told.length === 6);
    expect(accepted).toEqual([]);
    expect(told[0]).toEqual({
      time: expect.any(Number),
      remoteAddress: '127.0.0.1',
      count: 0,
      reason: 'denied',
    });
    const after = readCounters();
    expect([after.accepts - accepts, after.accept_rejects - rejects]).toEqual([6, 6]);
    expect(after.closes - closes).toBeGreaterThanOrEqual(6);
    pool.close();
    await waiting;
  });

  /** Somebody waits there already. */
  function makeServerWithGuest(): ListeningSocket {
    const listener = server();
    const client = cleanup.add(new Socket({ family: 'ipv4' }));
    client.connectToSync([
      { address: '127.0.0.1', family: 'ipv4', port: listener.localPort as number },
    ]);
    return listener;
  }

  it('leaves alone who comes for another that accepts there', async () => {
    const pool = makePool();
    pool.deny = ['127.0.0.0/8'];
    const listener = server();
    const abort = new AbortController();
    const waiting = failureOf(pool.acceptLimited(listener, { signal: abort.signal }));
    await refusalOf(listener);
    const behind = listener.accept();
    await refusalOf(listener);
    abort.abort();
    await waiting;
    await dial(listener);
    expect(cleanup.add(await behind).remoteAddress).toBe('127.0.0.1');
    expect(pool.stats.rejected.denied).toBe(2);
  });

  it('goes by the address that the kernel has, of every family', async () => {
    const pool = makePool();
    const dual = cleanup.add(listen({ host: '::', port: 0 }));
    const port = dual.localPort as number;
    pool.deny = ['127.0.0.0/8'];
    const waiting = pool.acceptLimited(dual);
    await refusalOf(dual);
    expect(pool.stats.rejected.denied).toBe(1);
    cleanup.add(await connect({ host: '::1', port }));
    expect((await waiting).socket.remoteAddress).toBe('::1');
    pool.setMaxPerIp(1);
    const next = pool.acceptLimited(dual);
    await refusalOf(dual, '::1');
    expect([pool.stats.rejected['per-ip'], pool.ipCount('::1')]).toEqual([1, 1]);
    pool.cleanup(0);
    pool.allow = ['::1/128'];
    cleanup.add(await connect({ host: '::1', port }));
    await next;
    const unix = cleanup.add(listen({ path: `@sock-pool-${process.pid}` }));
    const last = failureOf(pool.acceptLimited(unix));
    await refusalOf(unix);
    expect(pool.stats.rejected.denied).toBe(2);
    pool.close();
    await last;
  });

  it('survives a subscriber that closes the listener', async () => {
    const pool = makePool();
    pool.deny = ['127.0.0.0/8'];
    const listener = server();
    const close = () => listener.close();
    subscribe('sock:pool:reject', close);
    cleanup.add({ close: () => unsubscribe('sock:pool:reject', close) });
    const waiting = failureOf(pool.acceptLimited(listener));
    await Promise.all(Array.from({ length: 5 }, () => refusalOf(listener)));
    expect(await waiting).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
  });
});

describe('a pool under a flood', () => {
  it('lets timers run, and loses no place, while 600 are turned away', async () => {
    const pool = makePool({ maxConnections: 5 });
    const listener = server();
    pool.setMaxPerIp(5);
    const welcoming = (async () => {
      for (;;) await pool.acceptLimited(listener);
    })().catch(() => {});
    let ticks = 0;
    const ticking = setInterval(() => ticks++, 1);
    cleanup.add({ close: () => clearInterval(ticking) });
    for (let wave = 0; wave < 3; wave++) {
      await Promise.all(Array.from({ length: 5 }, () => dial(listener)));
      await until(5_000, () => pool.count === 5);
      pool.deny = ['127.0.0.0/8'];
      pool.resize(6);
      await Promise.all(Array.from({ length: 200 }, () => refusalOf(listener)));
      expect(pool.stats.rejected.denied).toBe(200 * (wave + 1));
      pool.deny = [];
      pool.resize(5);
      pool.cleanup(0);
      expect([pool.count, pool.ipCount('127.0.0.1')]).toEqual([0, 0]);
    }
    expect(ticks).toBeGreaterThan(3);
    pool.close();
    await welcoming;
  });
});
