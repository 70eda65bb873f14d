import { channel } from 'node:diagnostics_channel';
import { connect, listen, Socket } from '@sock/core';
import { Resolver } from '@sock/dns';
import { Duration, durations, type Histogram, TcpSampler } from '@sock/metrics';
import { runScript } from '@sock/testing';

const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0);

/** How many there are of each, as `success/failure`. */
function numbers() {
  const entries = Object.entries(durations.snapshot());
  return Object.fromEntries(
    entries.map(([name, { success, failure }]) => [
      name,
      { success: sum(success.counts), failure: sum(failure.counts) },
    ]),
  );
}

/** What `use` has added to them. */
async function added(use: () => unknown) {
  const before = numbers();
  await use();
  const now = numbers();
  const grown = Object.keys(now).flatMap((name) =>
    (['success', 'failure'] as const).flatMap((outcome) => {
      const by = (now[name]?.[outcome] ?? 0) - (before[name]?.[outcome] ?? 0);
      return by === 0 ? [] : [[`${name} ${outcome}`, by]];
    }),
  );
  return Object.fromEntries(grown);
}

async function exchange(): Promise<void> {
  using server = listen({ host: '127.0.0.1' });
  using _near = await connect({ host: '127.0.0.1', port: server.localPort });
  using _far = await server.accept();
}

async function refused(): Promise<void> {
  const server = listen({ host: '127.0.0.1' });
  const port = server.localPort;
  server.close();
  await expect(connect({ host: '127.0.0.1', port })).rejects.toThrow();
}

/** In which bucket `duration` has been counted, and with which sum. */
function bucketOf(duration: number): readonly [bucket: number, sumMs: number] {
  const read = (): Histogram => durations.snapshot().tls_handshake.success;
  const before = read();
  channel('sock:tls:handshake').publish({ duration });
  const now = read();
  const bucket = now.counts.findIndex((count, index) => count > (before.counts[index] ?? 0));
  return [bucket, (now.sums[bucket] ?? 0) - (before.sums[bucket] ?? 0)];
}

describe('durations', () => {
  beforeEach(() => durations.start());
  afterEach(() => durations.stop());

  it('are measured once for each connection and each attempt, made or refused', async () => {
    expect(await added(exchange)).toEqual({ 'connect success': 1, 'connection success': 2 });
    expect(await added(refused)).toEqual({ 'connect failure': 1 });
  });

  it('leave out an attempt that was called off', async () => {
    const signal = AbortSignal.abort();
    const abandon = () => connect({ host: '127.0.0.1', port: 9, signal }).catch(() => {});
    expect(await added(abandon)).toEqual({});
  });

  it('of lookups leave out what the cache answers', async () => {
    const lookup = async () => {
      const resolver = new Resolver();
      await resolver.resolve('localhost', 80);
      resolver.close();
    };
    expect(await added(lookup)).toEqual({ 'dns_lookup success': 1 });
    const answer = (cached: boolean) => () =>
      channel('sock:dns:complete').publish({ duration: 1, cached });
    expect(await added(answer(false))).toEqual({ 'dns_lookup success': 1 });
    expect(await added(answer(true))).toEqual({});
  });

  it('fall into the bucket whose bound they do not exceed, with their sum', () => {
    expect(bucketOf(0)).toEqual([0, 0]);
    expect(bucketOf(0.5)[0]).toBe(0);
    expect(bucketOf(0.501)[0]).toBe(1);
    const [bucket, sumMs] = bucketOf(30_000);
    expect(bucket).toBe(14);
    expect(sumMs).toBeCloseTo(30_000);
    expect(bucketOf(30_001)[0]).toBe(15);
    const { bounds, counts } = durations.snapshot()[Duration.Connection].success;
    expect(counts).toHaveLength(bounds.length + 1);
    expect([...bounds].sort((a, b) => a - b)).toEqual(bounds);
  });

  it('are not measured once they are stopped, nor twice when started twice', async () => {
    durations.start();
    expect(await added(refused)).toEqual({ 'connect failure': 1 });
    durations.stop();
    expect(channel('sock:core:connect-error').hasSubscribers).toBe(false);
    expect(await added(refused)).toEqual({});
  });

  it('are merged over the threads, those that have ended included', async () => {
    const { code, stdout, stderr } = await runScript(`
      const { once } = require('node:events');
      const { Worker } = require('node:worker_threads');
      const { durations } = require('@sock/metrics');
      const script = \`
        const { connect, listen } = require('@sock/core');
        require('@sock/metrics').durations.start();
        (async () => {
          const server = listen({ host: '127.0.0.1' });
          for (let i = 0; i < 3; i++) {
            const near = await connect({ host: '127.0.0.1', port: server.localPort });
            (await server.accept()).close();
            near.close();
          }
          server.close();
        })();\`;
      await Promise.all([1, 2].map(() => once(new Worker(script, { eval: true }), 'exit')));
      const { connect, connection } = durations.snapshot();
      const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);
      console.log(sum(connect.success.counts), sum(connection.success.counts));
    `);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '6 12\n', stderr: '' });
  });
});

describe('a sampler of connections', () => {
  it('asks for those that are open, by name, and forgets the others', async () => {
    const sampler = new TcpSampler();
    using server = listen({ host: '127.0.0.1' });
    const near = await connect({ host: '127.0.0.1', port: server.localPort });
    using far = await server.accept();
    const [unix, other] = Socket.pair();
    sampler.add('near', near);
    sampler.add('far', far);
    sampler.add('unix', unix);
    expect(sampler.sample()).toMatchObject([
      { name: 'near', info: { state: 'established', rtt: expect.any(Number) } },
      { name: 'far', info: { totalRetransmits: 0 } },
    ]);
    near.close();
    expect(sampler.sample().map(({ name }) => name)).toEqual(['far']);
    sampler.add('far', near);
    expect(sampler.sample()).toEqual([]);
    expect(sampler.delete('far')).toBe(false);
    for (const socket of [unix, other]) socket.close();
  });

  it('refuses what has no name, and what cannot be asked', () => {
    const sampler = new TcpSampler();
    expect(() => sampler.add(7 as never, {} as never)).toThrow(/"name"/);
    expect(() => sampler.add('x', undefined as never)).toThrow(/socket\.tcpInfo/);
  });
});
