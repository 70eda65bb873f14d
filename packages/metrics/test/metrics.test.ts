import { connect, listen, Socket } from '@sock/core';
import { DatagramSocket } from '@sock/dgram';
import { Resolver } from '@sock/dns';
import { Metric, metrics } from '@sock/metrics';
import { counterNames } from '@sock/native';
import { PollEvents, SocketPoll } from '@sock/poll';
import { ReconnectingSocket } from '@sock/reconnect';
import { runScript, until } from '@sock/testing';

describe('metrics', () => {
  it('has a name for each counter of the addon, and no other', () => {
    expect(Object.values(Metric)).toEqual([...counterNames]);
    expect(Object.keys(metrics.snapshot())).toEqual([...counterNames]);
    expect(metrics.count).toBe(27);
    expect(metrics.name(Metric.DnsRequestFailed)).toBe('dns.request_failed');
    expect(metrics.name('toString')).toBe('unknown');
  });

  it('gives snapshots that cannot be changed', () => {
    expect(Object.isFrozen(metrics.snapshot())).toBe(true);
  });

  it('begins at zero after a reset, while the counters go on', () => {
    metrics.increment(Metric.PoolConnectionsReused, 3);
    metrics.reset();
    expect(metrics.snapshot().pool_connections_reused).toBe(0);
    metrics.increment(Metric.PoolConnectionsReused);
    expect(metrics.snapshot().pool_connections_reused).toBe(1);
  });

  it('sums over threads, those that have ended included', async () => {
    const { code, stdout, stderr } = await runScript(`
      const { once } = require('node:events');
      const { Worker } = require('node:worker_threads');
      const { metrics } = require('@sock/metrics');
      metrics.increment('reconnects');
      metrics.reset();
      const script = "require('@sock/metrics').metrics.increment('reconnects', 5)";
      await Promise.all([1, 2].map(() => once(new Worker(script, { eval: true }), 'exit')));
      console.log(metrics.snapshot().reconnects);
    `);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '10\n', stderr: '' });
  });

  it.each([
    [() => metrics.increment('nonsense' as Metric), /metric/],
    [() => metrics.increment(Metric.Accepts, -1), /by/],
    [() => metrics.increment(Metric.Accepts, 0.5), /by/],
  ])('refuses %s', (call, message) => {
    expect(call).toThrow(message);
  });
});

async function pairOverTcp(use: (near: Socket, far: Socket) => Promise<void>): Promise<void> {
  using server = listen({ host: '127.0.0.1' });
  using near = await connect({ host: '127.0.0.1', port: server.localPort });
  using far = await server.accept();
  await use(near, far);
}

async function refused(): Promise<void> {
  const server = listen({ host: '127.0.0.1' });
  const port = server.localPort;
  server.close();
  await expect(connect({ host: '127.0.0.1', port })).rejects.toThrow();
}

async function datagram(): Promise<void> {
  const [near, far] = DatagramSocket.pair();
  await near.send('hello');
  await far.recv();
  near.close();
  far.close();
}

async function lookup(host: string, signal?: AbortSignal): Promise<void> {
  const resolver = new Resolver();
  await resolver.resolve(host, 80, { signal }).catch(() => {});
  resolver.close();
}

function pollOnce(): void {
  const poll = new SocketPoll();
  const [near, far] = Socket.pair();
  poll.add(near, PollEvents.Write);
  poll.addTimer(0, () => {});
  poll.waitSync(1_000);
  for (const closeable of [poll, near, far]) closeable.close();
}

async function reconnectOnce(): Promise<void> {
  using server = listen({ host: '127.0.0.1' });
  const socket = new ReconnectingSocket('127.0.0.1', server.localPort ?? 0, { initialDelay: 1 });
  try {
    await socket.connect();
    (await server.accept()).close();
    using _again = await server.accept();
    await until(5_000, () => metrics.snapshot().reconnects > 0);
  } finally {
    // One that goes on trying would tell the channels of other files of its process.
    socket.close();
  }
}

const hello = (near: Socket, far: Socket) => near.sendAll('hello').then(() => far.recvAll(5));

const provoked: readonly (readonly [Metric, () => unknown])[] = [
  [Metric.SocketConnectSuccess, () => pairOverTcp(async () => {})],
  [Metric.SocketConnectFailure, refused],
  [Metric.SocketShutdownCalls, () => pairOverTcp((near) => near.shutdown('write'))],
  [Metric.DnsRequestSubmitted, () => lookup('localhost')],
  [Metric.DnsRequestCompleted, () => lookup('localhost')],
  [Metric.DnsRequestFailed, () => lookup('nobody.invalid')],
  [
    Metric.DnsRequestCancelled,
    () => {
      const abort = new AbortController();
      const done = lookup('localhost', abort.signal);
      abort.abort();
      return done;
    },
  ],
  [Metric.PollWakeups, pollOnce],
  [Metric.PollEventsDispatched, pollOnce],
  [Metric.TimersFired, pollOnce],
  [Metric.Accepts, () => pairOverTcp(async () => {})],
  [Metric.Closes, () => pairOverTcp(async () => {})],
  [Metric.BytesReceived, () => pairOverTcp(async (near, far) => void (await hello(near, far)))],
  [Metric.BytesSent, () => pairOverTcp(async (near, far) => void (await hello(near, far)))],
  [Metric.DatagramsReceived, datagram],
  [Metric.DatagramsSent, datagram],
  [Metric.Reconnects, reconnectOnce],
];

describe('what the packages count of real traffic', () => {
  it.each(provoked)('%s grows', async (metric, provoke) => {
    metrics.reset();
    await provoke();
    expect(metrics.snapshot()[metric]).toBeGreaterThan(0);
  });
});
