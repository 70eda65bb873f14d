/** Both pools with connections over which TLS is spoken. */
import { connect, listen, type Socket } from '@sock/core';
import { ClientPool, SocketPool } from '@sock/pool';
import { FakeClock, failureOf, until, useCleanup, within } from '@sock/testing';
import { Authority } from '@sock/testing/authority';
import { connectTls, listenTls, TlsContext, type TlsListener, type TlsSocket } from '@sock/tls';

const cleanup = useCleanup();

let server: TlsContext;
let client: TlsContext;
beforeAll(async () => {
  const authority = await Authority.create();
  server = TlsContext.server(await authority.issue());
  client = TlsContext.client({ ca: authority.cert });
});

function openServer(): TlsListener {
  return cleanup.add(listenTls({ host: '127.0.0.1', context: server }));
}

function dial({ localPort }: TlsListener, signal?: AbortSignal): Promise<TlsSocket> {
  const where = { host: 'localhost', port: localPort as number, context: client };
  return connectTls(signal === undefined ? where : { ...where, signal });
}

/** How a stream ends: by the peer's word, or cut off. */
async function endOf(socket: TlsSocket): Promise<string | undefined> {
  for (;;) {
    const code = await within(5_000, socket.recv()).then(
      () => null,
      (error: { code?: string }) => error.code,
    );
    if (code !== null) return code;
  }
}

describe('a socket pool of TLS connections', () => {
  function makePool(max = 10) {
    const clock = new FakeClock();
    const options = { maxConnections: max, idleTimeout: 1_000, clock };
    const pool = cleanup.add(new SocketPool<unknown, TlsSocket>(options));
    const listener = openServer();
    const enter = async () => {
      const dialed = dial(listener);
      const connection = await pool.acceptLimited(listener);
      return { connection, peer: cleanup.add(await dialed) };
    };
    return { clock, pool, listener, enter };
  }

  it('has what was decrypted in its buffers', async () => {
    const { pool, enter } = makePool();
    const { connection, peer } = await enter();
    expect(pool.get(connection.socket)).toBe(connection);
    await peer.sendAll('a question');
    connection.input.write(await connection.socket.recv());
    connection.output.write(`answer to ${connection.input.read(100)}`);
    await connection.socket.sendAll(connection.output.read(100));
    expect(String(await peer.recv())).toBe('answer to a question');
    const { input } = connection;
    connection.socket.close();
    expect([pool.count, input.isEmpty, pool.stats.spareBuffers]).toEqual([0, true, 1]);
  });

  it('tells those that are idle goodbye, and not those who talk', async () => {
    const { clock, pool, enter } = makePool();
    const [idle, busy] = [await enter(), await enter()];
    for (let at = 0; at < 16; at++) {
      await busy.peer.sendAll('x');
      await busy.connection.socket.recv();
      await clock.advance(100);
    }
    expect([idle.connection.isActive, busy.connection.isActive]).toEqual([false, true]);
    expect(await endOf(idle.peer)).toBe('ERR_SOCK_EOF');
    expect(pool.stats.removed.idle).toBe(1);
  });

  it('has its limits on the way in', async () => {
    const { pool, listener, enter } = makePool();
    pool.setMaxPerIp(2);
    const first = await enter();
    await enter();
    const next = pool.acceptLimited(listener);
    // Before the handshake, which is what costs.
    expect(await failureOf(dial(listener))).toMatchObject({ code: 'ECONNRESET' });
    expect([pool.stats.rejected['per-ip'], pool.ipCount('127.0.0.1')]).toEqual([1, 2]);
    first.peer.close();
    await failureOf(first.connection.socket.recv());
    first.connection.socket.close();
    cleanup.add(await dial(listener));
    expect((await next).isActive).toBe(true);
  });

  it('keeps those used last when made smaller, and waits for them when it drains', async () => {
    const { clock, pool, listener, enter } = makePool();
    const [first, second] = [await enter(), await enter()];
    await clock.advance(10);
    await first.peer.sendAll('still here');
    await first.connection.socket.recv();
    expect(pool.resize(1)).toBe(1);
    expect([first.connection.isActive, await endOf(second.peer)]).toEqual([true, 'ERR_SOCK_EOF']);
    // Who shakes hands while every place is taken comes in when there is one.
    const waiting = pool.acceptLimited(listener);
    const third = cleanup.add(await dial(listener));
    first.connection.socket.close();
    const { socket } = await waiting;
    const drained = pool.drain();
    expect(pool.signal.aborted).toBe(true);
    const ended = socket.end();
    expect(await endOf(third)).toBe('ERR_SOCK_EOF');
    third.close();
    await ended;
    expect(await drained).toBe(0);
  });
});

describe('a client pool of TLS connections', () => {
  function makePool(options: Partial<ConstructorParameters<typeof ClientPool<TlsSocket>>[0]> = {}) {
    const listener = openServer();
    const clock = new FakeClock();
    /** The far ends, as they come. */
    const far: TlsSocket[] = [];
    (async () => {
      for await (const socket of listener) {
        far.push(cleanup.add(socket));
        socket.sendAll('hello').catch(() => {});
      }
    })().catch(() => {});
    const pool = cleanup.add(
      new ClientPool<TlsSocket>({
        host: 'localhost',
        port: listener.localPort as number,
        connect: (_, __, { signal }) => dial(listener, signal),
        clock,
        ...options,
      }),
    );
    const borrow = async (): Promise<TlsSocket> => within(5_000, pool.acquire());
    return { clock, far, pool, borrow };
  }

  it('lends the same one out again, and says goodbye to what is idle', async () => {
    const { clock, far, pool } = makePool({ idleTimeout: 1_000 });
    const greet = (socket: TlsSocket) => socket.recvAll(5);
    expect(String(await pool.use(greet))).toBe('hello');
    await pool.use((socket) => socket.sendAll('again'));
    expect(pool.stats).toMatchObject({ created: 1, acquired: 2, idle: 1 });
    await clock.advance(2_000);
    expect(pool.stats).toMatchObject({ open: 0, destroyed: 1 });
    expect(await endOf(far[0] as TlsSocket)).toBe('ERR_SOCK_EOF');
  });

  it.each(['close', 'shutdown'] as const)(
    'does not lend out one whose peer is gone (%s)',
    async (how) => {
      const { far, pool, borrow } = makePool();
      const first = await borrow();
      await first.recvAll(5);
      pool.release(first);
      await until(5_000, () => far.length === 1);
      const [peer] = far as [TlsSocket];
      if (how === 'close') peer.close();
      else await peer.shutdown('write');
      const second = await borrow();
      expect([second === first, pool.stats.created]).toEqual([false, 2]);
      await second.recvAll(5);
    },
  );

  it('asks whether one is good, over TLS', async () => {
    const asked: TlsSocket[] = [];
    const { far, pool, borrow } = makePool({
      validate: async (socket) => {
        asked.push(socket);
        await socket.sendAll('ping');
        return String(await socket.recv()) === 'pong';
      },
    });
    const first = await borrow();
    await first.recvAll(5);
    pool.release(first);
    await until(5_000, () => far.length === 1);
    const answer = async (text: string) => {
      const [peer] = far as [TlsSocket];
      await peer.recvAll(4);
      await peer.sendAll(text);
    };
    const answered = answer('pong');
    expect(await borrow()).toBe(first);
    await answered;
    pool.release(first);
    void answer('what?');
    expect(await borrow()).not.toBe(first);
    expect([asked, first.fd]).toEqual([[first, first], -1]);
  });

  it('drains: what is lent out is waited for, and told goodbye', async () => {
    const { far, pool, borrow } = makePool();
    const socket = await borrow();
    await socket.recvAll(5);
    const drained = pool.drain();
    expect(await failureOf(pool.acquire())).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    await socket.sendAll('the last words');
    pool.release(socket);
    expect(await drained).toBe(0);
    const [peer] = far as [TlsSocket];
    expect(String(await peer.recv())).toBe('the last words');
    expect(await endOf(peer)).toBe('ERR_SOCK_EOF');
  });
});

it('a client pool of plain connections lends out none that has said its last words', async () => {
  const listener = cleanup.add(listen({ host: '127.0.0.1' }));
  const dialTcp = () => connect({ host: '127.0.0.1', port: listener.localPort as number });
  const pool = cleanup.add(new ClientPool<Socket>({ host: 'x', port: 1, connect: dialTcp }));
  const first = await pool.acquire();
  pool.release(first);
  const peer = await listener.accept();
  await peer.sendAll('bye');
  peer.close();
  expect(await pool.acquire()).not.toBe(first);
});
