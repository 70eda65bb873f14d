/** Pools whose peers mean no good, or whose process is out of descriptors. */
import { type ListeningSocket, listen, Socket } from '@sock/core';
import { type Connection, SocketPool } from '@sock/pool';
import { chooseSeed, failureOf, Random, runScript, until, useCleanup } from '@sock/testing';

const cleanup = useCleanup();

/** A connection from an address of its own. */
async function dialFrom(host: string, listener: ListeningSocket): Promise<Socket> {
  const socket = cleanup.add(new Socket({ family: 'ipv4' }));
  socket.bind(host, 0);
  const port = listener.localPort as number;
  await socket.connectTo([{ address: '127.0.0.1', family: 'ipv4', port }]);
  return socket;
}

function server(): ListeningSocket {
  return cleanup.add(listen({ host: '127.0.0.1' }));
}

describe('a pool beside slow clients', () => {
  it('serves honest ones while others send a byte now and then', async () => {
    const pool = cleanup.add(new SocketPool({ maxConnections: 12, idleTimeout: 300 }));
    pool.setMaxPerIp(4);
    const listener = server();
    const serve = async ({ socket }: Connection) => {
      try {
        for (;;) await socket.sendAll(await socket.recvAll(8, { timeout: 600 }));
      } catch {
        socket.close();
      }
    };
    const welcoming = (async () => {
      for (;;) void serve(await pool.acceptLimited(listener));
    })().catch(() => {});

    let isOver = false;
    const dribble = async (host: string): Promise<void> => {
      while (!isOver) {
        const socket = await dialFrom(host, listener).catch(() => null);
        try {
          // A byte well before it would be idle, and a request that never ends.
          while (!isOver && socket !== null) {
            await socket.sendAll('.');
            await failureOf(socket.recv(1, { timeout: 50 })).then((error) => {
              if (error.name !== 'TimeoutError') throw error;
            });
          }
        } catch {
          // Cut off, or turned away: it comes again.
        }
        socket?.close();
      }
    };
    // Two addresses with more clients than they may have, and one that says nothing at all.
    const slow = ['127.0.0.2', '127.0.0.3'].flatMap((host) =>
      Array.from({ length: 7 }, () => dribble(host)),
    );
    await until(5_000, () => pool.ipCount('127.0.0.2') + pool.ipCount('127.0.0.3') === 8);
    const silent = await dialFrom('127.0.0.4', listener);
    for (let turn = 0; turn < 8; turn++) {
      const honest = await dialFrom('127.0.0.5', listener);
      await honest.sendAll('question');
      expect(String(await honest.recvAll(8, { timeout: 5_000 }))).toBe('question');
      honest.close();
      expect(pool.ipCount('127.0.0.2')).toBeLessThanOrEqual(4);
    }
    await failureOf(silent.recv());
    await until(5_000, () => pool.stats.removed.idle > 0 && pool.stats.removed.closed > 8);
    expect(pool.stats.rejected['per-ip']).toBeGreaterThan(0);
    expect(pool.stats.rejected.full).toBe(0);
    isOver = true;
    await Promise.all(slow);
    pool.close();
    await welcoming;
    expect(pool.ipCount('127.0.0.2') + pool.ipCount('127.0.0.5')).toBe(0);
  });
});

describe('a pool under load', () => {
  it('is resized and drained while clients come and go, and loses count of none', async () => {
    const random = new Random(chooseSeed());
    const pool = cleanup.add(new SocketPool({ maxConnections: 20 }));
    pool.setMaxPerIp(15);
    const listener = server();
    const welcoming = (async () => {
      for (;;) {
        const { socket } = await pool.acceptLimited(listener);
        void (async () => {
          for await (const chunk of socket) await socket.sendAll(chunk);
        })()
          .catch(() => {})
          .finally(() => socket.close());
      }
    })().catch(() => {});

    let isOver = false;
    let answered = 0;
    const visit = async (host: string): Promise<void> => {
      while (!isOver) {
        try {
          const socket = await dialFrom(host, listener);
          await socket.sendAll('x');
          await socket.recv(1, { timeout: 2_000 });
          answered++;
          socket.close();
        } catch {
          // Turned away, or closed by a resize.
        }
      }
    };
    const guests = ['127.0.0.2', '127.0.0.3'].flatMap((host) =>
      Array.from({ length: 6 }, () => visit(host)),
    );
    for (let turn = 0; turn < 40; turn++) {
      const max = random.integer(1, 20);
      pool.resize(max);
      expect(pool.count).toBeLessThanOrEqual(max);
      const ips = pool.ipCount('127.0.0.2') + pool.ipCount('127.0.0.3');
      expect(ips).toBe(pool.count);
      const before = answered;
      await until(5_000, () => answered > before);
    }
    const drained = pool.drain({ timeout: 2_000 });
    expect(pool.acceptAllowed('127.0.0.2')).toBe(false);
    isOver = true;
    listener.close();
    await drained;
    await Promise.all([...guests, welcoming]);
    const { added, removed } = pool.stats;
    expect(Object.values(removed).reduce((sum, count) => sum + count, 0)).toBe(added);
    expect([pool.count, pool.ipCount('127.0.0.2'), pool.ipCount('127.0.0.3')]).toEqual([0, 0, 0]);
  });
});

describe('a pool whose process is out of descriptors', () => {
  it('keeps what it has, refuses nobody for it, and takes the others in afterwards', async () => {
    const { stdout, stderr } = await runScript(`
      const { execFileSync } = require('node:child_process');
      const { closeSync, openSync, readdirSync } = require('node:fs');
      const { connect, listen } = require('@sock/core');
      const { SocketPool } = require('@sock/pool');
      const warnings = [];
      process.on('warning', ({ code }) => warnings.push(code));
      const open = () => readdirSync('/proc/self/fd').length - 1;
      const wait = async (holds) => {
        while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
      };
      (async () => {
        execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=200:200']);
        const pool = new SocketPool({ maxConnections: 100 });
        pool.setMaxPerIp(100);
        const listener = listen({ host: '127.0.0.1' });
        const before = open();
        // All have connected before one is accepted: none of them competes for a descriptor.
        const clients = [];
        for (let at = 0; at < 20; at++) {
          clients.push(await connect({ host: '127.0.0.1', port: listener.localPort }));
        }
        // What numbers are taken is not known: fill them all, then make room for 8 connections.
        const fillers = [];
        try {
          for (;;) fillers.push(openSync('/dev/null'));
        } catch ({ code }) {
          console.log(code);
        }
        for (const fd of fillers.splice(0, 8)) closeSync(fd);
        (async () => {
          for (;;) await pool.acceptLimited(listener);
        })().catch(() => {});
        await wait(() => warnings.length > 0);
        console.log(pool.count, pool.ipCount('127.0.0.1'), JSON.stringify(pool.stats.rejected));
        for (const fd of fillers) closeSync(fd);
        await wait(() => pool.count === clients.length);
        console.log(pool.ipCount('127.0.0.1') === clients.length, warnings.length);
        for (const client of clients) client.close();
        pool.cleanup(0);
        console.log(pool.count, pool.ipCount('127.0.0.1'), open() - before);
        pool.close();
        listener.close();
      })();
    `);
    const none = { full: 0, draining: 0, denied: 0, 'per-ip': 0, 'per-prefix': 0, rate: 0 };
    expect(stdout.split('\n')).toEqual([
      'EMFILE',
      `8 8 ${JSON.stringify(none)}`,
      'true 1',
      '0 0 0',
      '',
    ]);
    expect(stderr).toContain('accepting goes on as soon as it can');
  });
});
