/** All that is counted and told, operation by operation: so much, and nothing else. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { connect, listen, Socket } from '@sock/core';
import { DatagramSocket } from '@sock/dgram';
import { connectHappyEyeballs, Resolver } from '@sock/dns';
import { Metric, metrics } from '@sock/metrics';
import { AsyncIO, PollEvents, SocketPoll } from '@sock/poll';
import { SocketPool } from '@sock/pool';
import { ReconnectingSocket } from '@sock/reconnect';
import { describeWithPeers, missingPeers, until, useCleanup } from '@sock/testing';
import { Authority } from '@sock/testing/authority';
import { TlsContext, TlsSocket } from '@sock/tls';

const channels = [
  ...['core:accept', 'core:connect', 'core:connect-error', 'core:close', 'core:log'],
  ...['dgram:bind', 'dgram:close', 'poll:wakeup'],
  ...['dns:submit', 'dns:complete', 'dns:error', 'dns:cancel', 'dns:timeout', 'dns:attempt'],
  ...['dns:log', 'tls:handshake', 'tls:handshake-error', 'tls:log'],
  ...['reconnect:state', 'reconnect:log', 'pool:add', 'pool:remove', 'pool:reject', 'pool:log'],
];

const seen = new Set<string>();

/** By how much each counter grows, and how many messages each channel has, while `use` runs. */
async function observe(use: () => unknown): Promise<Record<string, number>> {
  const told: Record<string, number> = {};
  const listeners = channels.map((name) => {
    const listener = () => {
      told[name] = (told[name] ?? 0) + 1;
    };
    subscribe(`sock:${name}`, listener);
    return [`sock:${name}`, listener] as const;
  });
  metrics.reset();
  try {
    await use();
  } finally {
    for (const [name, listener] of listeners) unsubscribe(name, listener);
  }
  const counted = Object.entries(metrics.snapshot()).filter(([, by]) => by !== 0);
  const all = { ...told, ...Object.fromEntries(counted) };
  for (const name of Object.keys(all)) seen.add(name);
  return all;
}

const cleanup = useCleanup();

/** Who connected, and who accepted. */
async function tcpPair(): Promise<[Socket, Socket]> {
  const server = cleanup.add(listen({ host: '127.0.0.1' }));
  const near = cleanup.add(await connect({ host: '127.0.0.1', port: server.localPort }));
  return [near, cleanup.add(await server.accept())];
}

function unusedPort(): number | undefined {
  using server = listen({ host: '127.0.0.1' });
  return server.localPort;
}

describe('streams', () => {
  it('tell and count who connects and who accepts', async () => {
    expect(await observe(tcpPair)).toEqual({
      'core:connect': 1,
      'core:accept': 1,
      socket_connect_success: 1,
      accepts: 1,
    });
  });

  it('count what goes over them, once on each side', async () => {
    const [near, far] = await tcpPair();
    const exchange = async () => {
      await near.sendAll('hello');
      await far.recvAll(5);
    };
    expect(await observe(exchange)).toEqual({ bytes_sent: 5, bytes_received: 5 });
    expect(await observe(() => near.shutdown('write'))).toEqual({ socket_shutdown_calls: 1 });
    const close = () => [near, far].map((socket) => socket.close());
    expect(await observe(close)).toEqual({ 'core:close': 2, closes: 2 });
  });

  it('tell and count an attempt that fails', async () => {
    const port = unusedPort();
    const attempt = () => connect({ host: '127.0.0.1', port }).catch(() => {});
    expect(await observe(attempt)).toEqual({
      'core:connect-error': 1,
      'core:log': 1,
      socket_connect_failure: 1,
      closes: 1,
    });
  });
});

describe('datagram sockets', () => {
  it('tell of binding and closing, and count each datagram', async () => {
    const sockets = ['ipv4', 'ipv4'].map(() => new DatagramSocket({ family: 'ipv4' }));
    const [near, far] = sockets as [DatagramSocket, DatagramSocket];
    expect(await observe(() => far.bind('127.0.0.1', 0))).toEqual({ 'dgram:bind': 1 });
    await near.connect('127.0.0.1', far.localPort as number);
    const exchange = async () => {
      for (const text of ['hello', 'you']) {
        await near.send(text);
        await far.recv();
      }
    };
    expect(await observe(exchange)).toEqual({
      datagrams_sent: 2,
      datagrams_received: 2,
      bytes_sent: 8,
      bytes_received: 8,
    });
    const close = () => sockets.map((socket) => socket.close());
    expect(await observe(close)).toEqual({ 'dgram:close': 2, closes: 2 });
  });
});

describe('lookups', () => {
  async function lookUp(host: string, limits: { timeout?: number; signal?: AbortSignal } = {}) {
    const resolver = new Resolver();
    await resolver.resolve(host, 80, limits).catch(() => {});
    resolver.close();
  }
  const submitted = { 'dns:submit': 1, dns_request_submitted: 1 };

  it('are told and counted when they begin, and by how they end', async () => {
    expect(await observe(() => lookUp('localhost'))).toEqual({
      ...submitted,
      'dns:complete': 1,
      dns_request_completed: 1,
    });
    expect(await observe(() => lookUp('nobody.invalid'))).toEqual({
      ...submitted,
      'dns:error': 1,
      'dns:log': 1,
      dns_request_failed: 1,
    });
    expect(await observe(() => lookUp('localhost', { timeout: 0 }))).toEqual({
      ...submitted,
      'dns:timeout': 1,
      'dns:log': 1,
      dns_request_timeout: 1,
    });
    const signal = AbortSignal.timeout(0);
    const cancelled = async () => {
      const done = lookUp('localhost', { signal });
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      await done;
    };
    expect(await observe(cancelled)).toEqual({
      ...submitted,
      'dns:cancel': 1,
      dns_request_cancelled: 1,
    });
  });

  it('that are followed by a race tell of each address', async () => {
    const server = cleanup.add(listen({ host: '127.0.0.1' }));
    const to = { host: 'localhost', port: server.localPort, race: connectHappyEyeballs };
    const found = await observe(async () => cleanup.add(await connect(to)));
    expect(found).toMatchObject({ 'core:connect': 1, socket_connect_success: 1 });
    // A start and an end of each. Where `localhost` is ::1 too, that one refuses.
    expect(found['dns:attempt']).toBe(2 + 2 * (found['core:connect-error'] ?? 0));
  });
});

describe('polls', () => {
  it('tell and count a wait, its events and its timers', async () => {
    const poll = cleanup.add(new SocketPoll());
    const [near, far] = Socket.pair().map(cleanup.add) as [Socket, Socket];
    for (const socket of [near, far]) poll.add(socket, PollEvents.Write);
    poll.addTimer(0, () => {});
    expect(await observe(() => poll.waitSync(1_000))).toEqual({
      'poll:wakeup': 1,
      poll_wakeups: 1,
      poll_events_dispatched: 2,
      timers_fired: 1,
    });
  });
});

describeWithPeers(['io_uring'], 'requests', () => {
  it('are counted when io_uring has completed them', async () => {
    const io = new AsyncIO({ backend: 'io_uring' });
    const [near, far] = Socket.pair().map(cleanup.add) as [Socket, Socket];
    const exchange = async () => {
      await io.send(near, 'hello');
      await io.recv(far, 5);
    };
    expect(await observe(exchange)).toEqual({
      io_uring_completions: 2,
      bytes_sent: 5,
      bytes_received: 5,
    });
    await io[Symbol.asyncDispose]();
  });
});

describe('TLS', () => {
  async function contexts() {
    const authority = await Authority.create();
    const server = TlsContext.server(await authority.issue());
    return { server, client: TlsContext.client({ ca: authority.cert }) };
  }

  it('tells and counts handshakes, resumed ones and those that fail', async () => {
    const { server, client } = await contexts();
    const [near, far] = await tcpPair();
    const ours = TlsSocket.enable(near, client, { hostname: 'localhost' });
    const theirs = TlsSocket.enable(far, server);
    const shake = () => Promise.all([ours.handshake(), theirs.handshake()]);
    expect(await observe(shake)).toMatchObject({ 'tls:handshake': 2, tls_handshakes: 2 });
    await theirs.sendAll('welcome');
    await ours.recvAll(7);

    const [nearAgain, farAgain] = await tcpPair();
    const { session } = ours;
    const again = TlsSocket.enable(nearAgain, client, { hostname: 'localhost', session });
    const theirsAgain = TlsSocket.enable(farAgain, server);
    const resume = () => Promise.all([again.handshake(), theirsAgain.handshake()]);
    expect(await observe(resume)).toMatchObject({ tls_handshakes: 2, tls_resumptions: 2 });

    const [stranger, host] = await tcpPair();
    await stranger.sendAll('nonsense');
    const fail = () =>
      TlsSocket.enable(host, server)
        .handshake()
        .catch(() => {});
    expect(await observe(fail)).toMatchObject({
      'tls:handshake-error': 1,
      'tls:log': 1,
      tls_handshake_failures: 1,
    });
  });
});

describe('reconnecting sockets', () => {
  it('tell of their states, and count each comeback', async () => {
    const server = cleanup.add(listen({ host: '127.0.0.1' }));
    const socket = cleanup.add(
      new ReconnectingSocket('127.0.0.1', server.localPort ?? 0, { initialDelay: 1 }),
    );
    const comeBack = async () => {
      await socket.connect();
      (await server.accept()).close();
      cleanup.add(await server.accept());
      await until(5_000, () => metrics.snapshot().reconnects > 0);
    };
    const found = await observe(comeBack);
    expect(found).toMatchObject({ reconnects: 1, socket_connect_success: 2, accepts: 2 });
    expect(found['reconnect:state']).toBeGreaterThanOrEqual(4);
    expect(found['reconnect:log']).toBe(found['reconnect:state']);
  });
});

describe('pools', () => {
  it('tell and count who comes, goes, and is turned away', async () => {
    const pool = cleanup.add(new SocketPool({ maxConnections: 1 }));
    const [near, far] = Socket.pair().map(cleanup.add) as [Socket, Socket];
    const add = (socket: Socket) => () => pool.add(socket)?.input;
    expect(await observe(add(near))).toEqual({ 'pool:add': 1, pool_connections_added: 1 });
    expect(await observe(add(far))).toEqual({
      'pool:reject': 1,
      'pool:log': 1,
      accept_rejects: 1,
    });
    expect(await observe(() => pool.remove(near))).toEqual({
      'pool:remove': 1,
      pool_connections_removed: 1,
    });
    expect(await observe(add(far))).toEqual({
      'pool:add': 1,
      pool_connections_added: 1,
      pool_connections_reused: 1,
    });
  });
});

describe('the table', () => {
  it('has nothing that no operation above counts or tells', () => {
    // What TCP sends again takes a network that loses: the tests of core have one.
    const elsewhere: string[] = [Metric.TcpRetransmits];
    if (missingPeers(['io_uring']).length > 0) elsewhere.push(Metric.IoUringCompletions);
    const all = [...channels, ...Object.values(Metric)];
    expect(all.filter((name) => !seen.has(name)).sort()).toEqual(elsewhere.sort());
  });
});
