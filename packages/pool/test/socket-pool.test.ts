import { channel } from 'node:diagnostics_channel';
import { connect, listen, PoolError, Socket, serve } from '@sock/core';
import { metrics } from '@sock/metrics';
import { type Connection, type PooledSocket, SocketPool } from '@sock/pool';
import { FakeClock, failureOf, thrownBy, until, useCleanup } from '@sock/testing';

const cleanup = useCleanup();

function makePool<Data = unknown>(
  options: Partial<ConstructorParameters<typeof SocketPool>[0]> = {},
): SocketPool<Data> {
  const pool = new SocketPool<Data>({ maxConnections: 4, ...options });
  cleanup.add({ close: () => pool.close() });
  return pool;
}

function pair(): [Socket, Socket] {
  const sockets = Socket.pair();
  for (const socket of sockets) cleanup.add(socket);
  return sockets;
}

function enter<Data>(pool: SocketPool<Data>): { connection: Connection<Data>; peer: Socket } {
  const [socket, peer] = pair();
  const connection = pool.add(socket);
  if (connection === null) throw new Error('refused');
  return { connection, peer };
}

describe('a socket pool', () => {
  it.each<[string, unknown, string]>([
    ['no options', undefined, 'options'],
    ['no size', {}, 'options.maxConnections'],
    ['no places', { maxConnections: 0 }, 'options.maxConnections'],
    ['too many places', { maxConnections: 2 ** 20 + 1 }, 'options.maxConnections'],
    ['buffers that are too small', { maxConnections: 1, bufferSize: 511 }, 'options.bufferSize'],
    [
      'buffers that are too large',
      { maxConnections: 1, bufferSize: 2 ** 21 },
      'options.bufferSize',
    ],
    ['an arena that is none', { maxConnections: 1, arena: {} }, 'options.arena'],
    ['an idle time of nothing', { maxConnections: 1, idleTimeout: 0 }, 'options.idleTimeout'],
    ['a clock that is none', { maxConnections: 1, clock: {} }, 'options.clock.now'],
    ['a misspelt option', { maxConnection: 1 }, 'options.maxConnection'],
  ])('refuses %s', (_, options, name) => {
    expect(() => new SocketPool(options as never)).toThrow(`"${name}"`);
  });

  it('refuses arguments that make no sense, by their name', () => {
    const pool = makePool();
    expect(() => pool.add({} as never)).toThrow('"socket.send"');
    expect(() => pool.cleanup(-1)).toThrow('"idle"');
    expect(() => pool.resize(0)).toThrow('"maxConnections"');
    expect(() => pool.prewarm(101)).toThrow('"percent"');
    expect(() => pool.setBufferSize(1)).toThrow('"size"');
    expect(() => pool.setReconnectPolicy({ jitter: 2 })).toThrow('"policy.jitter"');
    expect(() => pool.close({ keep: true } as never)).toThrow('"options.keep"');
  });

  it('takes no closed socket', () => {
    const pool = makePool();
    const [socket] = pair();
    socket.close();
    expect(thrownBy(() => pool.add(socket))).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
  });

  it('hands buffers on, empty, the last ones first', () => {
    const pool = makePool({ bufferSize: 1024 });
    const first = enter(pool).connection;
    const second = enter(pool).connection;
    const inputs = [first.input, second.input];
    first.input.write('secret');
    second.input.write('secret');
    const [memory] = inputs.map((input) => input.readView().subarray());
    pool.remove(second.socket);
    pool.remove(first.socket);
    expect(String(memory)).toBe('\0'.repeat(6));
    expect(enter(pool).connection.input).toBe(inputs[0]);
    expect(enter(pool).connection.input).toBe(inputs[1]);
    expect(inputs.map(({ available }) => available)).toEqual([0, 0]);
    expect(pool.stats).toMatchObject({ added: 4, reused: 2, removed: { removed: 2 } });
  });

  it('hands no buffer on that has grown, or is of a former size', () => {
    const pool = makePool({ bufferSize: 512 });
    const grown = enter(pool).connection;
    grown.input.reserve(5_000);
    const former = enter(pool).connection;
    former.input.write('x');
    pool.setBufferSize(600);
    pool.remove(grown.socket);
    pool.remove(former.socket);
    expect(pool.stats.spareBuffers).toBe(0);
    expect(enter(pool).connection.output.capacity).toBe(600);
  });

  it('has buffers ready for as many places as it was told to', () => {
    const pool = makePool({ maxConnections: 10 });
    enter(pool);
    expect(pool.prewarm(50)).toBe(5);
    expect(pool.prewarm(50)).toBe(0);
    expect(pool.prewarm(100)).toBe(4);
    expect(pool.stats.spareBuffers).toBe(9);
    pool.resize(3);
    expect(pool.stats.spareBuffers).toBe(2);
    for (let at = 0; at < 2; at++) enter(pool).connection.input.write('x');
    pool.resize(1);
    expect(pool.stats).toMatchObject({ count: 1, spareBuffers: 0 });
  });

  it('closes by itself what was idle for too long, and nothing else', async () => {
    const clock = new FakeClock();
    const pool = makePool({ clock, idleTimeout: 1_000 });
    const idle = enter(pool);
    const busy = enter(pool);
    for (let at = 0; at < 20; at++) {
      busy.peer.sendAllSync('x');
      busy.connection.socket.recvSync();
      await clock.advance(100);
      if (at === 8) expect(idle.connection.isActive).toBe(true);
    }
    expect([idle.connection.isActive, idle.connection.socket.fd]).toEqual([false, -1]);
    expect(pool.count).toBe(1);
    await clock.advance(1_600);
    expect([pool.count, pool.stats.removed.idle, clock.pending]).toEqual([0, 2, 0]);
  });

  it('closes all of them where it is told to, however busy they are', async () => {
    let nowMs = 0;
    const clock = {
      ...new FakeClock(),
      now: () => (nowMs += 10),
      setTimeout() {},
      clearTimeout() {},
    };
    const pool = cleanup.add(new SocketPool({ maxConnections: 3, clock }));
    for (let at = 0; at < 3; at++) {
      const [socket, peer] = Socket.pair();
      cleanup.add(peer);
      pool.add(socket);
      await socket.sendAll('a sign of life');
    }
    expect([pool.cleanup(0), pool.count]).toEqual([3, 0]);
  });

  it('drains: waits for those that are there, and takes nobody', async () => {
    const pool = makePool();
    const { connection } = enter(pool);
    const drained = pool.drain();
    expect(pool.signal.aborted).toBe(true);
    expect(pool.add(pair()[0])).toBeNull();
    expect(pool.stats.rejected.draining).toBe(1);
    await expect(pool.connect('127.0.0.1', 1)).rejects.toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    connection.socket.close();
    expect(await drained).toBe(0);
    expect(() => pool.add(pair()[0])).toThrow(PoolError);
  });

  it('cuts off what is left when the time to drain is over', async () => {
    const clock = new FakeClock();
    const pool = makePool({ clock });
    const { socket } = enter(pool).connection;
    const waiting = failureOf(socket.recv());
    const drained = pool.drain({ timeout: 500 });
    await clock.advance(500);
    expect([await drained, socket.fd]).toEqual([1, -1]);
    expect(await waiting).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    expect(await pool.drain()).toBe(0);
  });

  it('lets go of its sockets at the end where it is told to', () => {
    const pool = makePool();
    const kept = enter(pool).connection;
    pool.close({ keepSockets: true });
    pool.close();
    expect([kept.isActive, kept.socket.fd >= 0]).toEqual([false, true]);
  });

  it('stands beside a server that watches the same sockets', async () => {
    const pool = makePool();
    await using server = serve({ host: '127.0.0.1', port: 0 }, (socket) => {
      pool.add(socket);
    });
    const client = await connect({ host: '127.0.0.1', port: server.localPort as number });
    await until(5_000, () => pool.count === 1);
    expect(server.connections).toBe(1);
    for (const { socket } of pool) socket.close();
    expect([pool.count, server.connections]).toEqual([0, 0]);
    client.close();
  });

  it('connects, keeping a place meanwhile', async () => {
    const pool = makePool({ maxConnections: 1 });
    const listener = listen({ host: '127.0.0.1', port: 0 });
    cleanup.add(listener);
    const port = listener.localPort as number;
    const connecting = pool.connect('127.0.0.1', port);
    expect(pool.add(pair()[0])).toBeNull();
    await expect(pool.connect('127.0.0.1', port)).rejects.toMatchObject({
      code: 'ERR_SOCK_POOL_FULL',
      retryable: true,
    });
    const { socket } = await connecting;
    expect(socket.remotePort).toBe(port);
    pool.remove(socket);
    socket.close();
    listener.close();
    await expect(pool.connect('127.0.0.1', port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    const { socket: prepared, addresses } = await pool.prepareConnection(
      { resolve: async () => [{ address: '127.0.0.1', port, family: 'ipv4' }] },
      'some.host',
      port,
    );
    expect([prepared.family, addresses]).toEqual([
      'ipv4',
      [{ address: '127.0.0.1', port, family: 'ipv4' }],
    ]);
    prepared.close();
  });

  it('closes a connection that comes when the pool is closed', async () => {
    const pool = makePool();
    const [socket] = pair();
    let arrive = (_: Socket): void => {};
    const make = () => new Promise<Socket>((resolve) => (arrive = resolve));
    const failure = failureOf(pool.connect('x', 1, { connect: make }));
    pool.close();
    arrive(socket);
    expect(await failure).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    expect(socket.fd).toBe(-1);
  });

  it('keeps the place of a connection that comes back', async () => {
    const pool = makePool<string>();
    const made: Socket[] = [];
    const { connection, peer } = enter(pool);
    connection.data = 'session';
    connection.input.write('half a mess');
    const before = connection.socket;
    pool.setReconnectPolicy({ initialDelay: 1, maxAttempts: 2 });
    let isDown = false;
    const connectAgain = async () => {
      if (isDown) throw new Error('down');
      const [near, far] = pair();
      made.push(far);
      return near;
    };
    pool.enableReconnect(connection, 'x', 1, { connect: connectAgain });
    expect(connection.hasReconnect).toBe(true);
    before.close();
    await until(5_000, () => connection.socket !== before);
    const { socket } = connection;
    expect([pool.has(before), pool.get(socket)]).toEqual([false, connection]);
    expect([String(connection.input.read()), connection.data]).toEqual(['half a mess', 'session']);
    await made[0]?.sendAll('hello');
    expect(String(await connection.socket.recv())).toBe('hello');
    isDown = true;
    socket.close();
    await until(5_000, () => !connection.isActive);
    expect(pool.stats.removed['given-up']).toBe(1);
    expect(thrownBy(() => pool.disableReconnect(connection))).toMatchObject({
      code: 'ERR_SOCK_NOT_POOLED',
    });
    expect(pool.reconnectTimeoutMs()).toBe(Number.POSITIVE_INFINITY);
    peer.close();
  });

  it('notices at a sweep that a socket of anothers making is closed', () => {
    const pool = new SocketPool<unknown, PooledSocket>({ maxConnections: 2 });
    const [socket] = pair();
    const view: PooledSocket = new Proxy(socket, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key, target);
        if (key === 'whenClosed' || key === 'notWhenClosed') return undefined;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const connection = pool.add(view);
    socket.close();
    expect(connection?.isActive).toBe(true);
    expect(pool.cleanup(Number.POSITIVE_INFINITY)).toBe(0);
    expect([connection?.isActive, pool.stats.removed.closed]).toEqual([false, 1]);
  });

  it('tells of what happens, and counts it', () => {
    const told: string[] = [];
    const names = ['add', 'remove', 'reject'];
    for (const name of names) {
      const hear = (message: unknown): void => {
        const { remoteAddress, reason, count } = message as Record<string, unknown>;
        told.push(`${name} ${remoteAddress} ${reason} ${count}`);
      };
      const events = channel(`sock:pool:${name}`);
      events.subscribe(hear);
      cleanup.add({ close: () => events.unsubscribe(hear) });
    }
    const before = metrics.snapshot();
    const pool = makePool({ maxConnections: 1 });
    const first = enter(pool).connection;
    first.input.write('x');
    pool.add(first.socket);
    pool.add(pair()[0]);
    pool.remove(first.socket);
    enter(pool).connection.socket.close();
    enter(pool).connection.input.write('x');
    pool.cleanup(0);
    const after = metrics.snapshot();
    expect(told).toEqual([
      'add undefined undefined 1',
      'reject undefined full 1',
      'remove undefined removed 0',
      'add undefined undefined 1',
      'remove undefined closed 0',
      'add undefined undefined 1',
      'remove undefined idle 0',
    ]);
    const deltas = (
      [
        'pool_connections_added',
        'pool_connections_removed',
        'pool_connections_reused',
        'accept_rejects',
      ] as const
    ).map((name) => after[name] - before[name]);
    expect(deltas).toEqual([3, 3, 1, 1]);
  });
});
