/** Sockets beside each other: busy ones and quiet ones, and those whose descriptors live on. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type * as Core from '@sock/core';
import { expectSockets, failureOf, isPending, openSockets, until, within } from '@sock/testing';

function coreOn(backend: string): typeof Core {
  const before = process.env.SOCK_BACKEND;
  let core: typeof Core | undefined;
  process.env.SOCK_BACKEND = backend;
  jest.isolateModules(() => {
    core = require('@sock/core') as typeof Core;
  });
  if (before === undefined) delete process.env.SOCK_BACKEND;
  else process.env.SOCK_BACKEND = before;
  if (core === undefined) throw new Error('there is no such backend');
  return core;
}

const host = '127.0.0.1';

describe.each(['epoll', 'poll'])('under pressure, on %s', (backend) => {
  const { connect, listen, Socket } = coreOn(backend);
  const closers: (() => void)[] = [];
  let socketsBefore: number;

  beforeEach(() => {
    socketsBefore = openSockets();
  });
  afterEach(async () => {
    for (const closer of closers.splice(0).reverse()) closer();
    await expectSockets(socketsBefore);
  });

  function keep<T extends { close(): void }>(closeable: T): T {
    closers.push(() => closeable.close());
    return closeable;
  }

  async function pairOverTcp(): Promise<readonly [Core.Socket, Core.Socket]> {
    const listener = listen({ host });
    try {
      const target = { host, port: listener.localPort };
      const [near, far] = await Promise.all([connect(target), listener.accept()]);
      return [keep(near), keep(far)];
    } finally {
      listener.close();
    }
  }

  /** Lets another process hold a duplicate of the descriptor, as one that was passed on is held. */
  function duplicate(socket: Core.Socket): ChildProcess {
    const child = spawn('sleep', ['60'], { stdio: [socket.fd, 'ignore', 'ignore'] });
    closers.push(() => child.kill('SIGKILL'));
    return child;
  }

  it('established traffic goes on beside a flood of new connections', async () => {
    const [near, far] = await pairOverTcp();
    const listener = keep(listen({ host }));
    let accepted = 0;
    let flooding = true;
    const accepting = (async () => {
      for await (const connection of listener) {
        accepted++;
        connection.close();
      }
    })();
    const flood = Array.from({ length: 8 }, async () => {
      while (flooding) (await connect({ host, port: listener.localPort })).close();
    });
    let slowestMs = 0;
    for (let round = 0; round < 50; round++) {
      const start = performance.now();
      await near.sendAll('ping');
      expect(String(await far.recvAll(4))).toBe('ping');
      slowestMs = Math.max(slowestMs, performance.now() - start);
    }
    await until(2_000, () => accepted > 100, 'the flood');
    flooding = false;
    await Promise.all(flood);
    listener.close();
    await accepting;
    expect(slowestMs).toBeLessThan(500);
  });

  it('new connections are accepted beside floods of bytes, and timers run', async () => {
    let flooding = true;
    const floods = Array.from({ length: 4 }, async () => {
      const [near, far] = Socket.pair().map(keep) as [Core.Socket, Core.Socket];
      const chunk = Buffer.alloc(64 * 1024);
      const sending = (async () => {
        while (flooding) await near.sendAll(chunk);
        near.close();
      })();
      for await (const _ of far.chunks({ reuse: true }));
      await sending;
    });
    const listener = keep(listen({ host }));
    const start = performance.now();
    for (let round = 0; round < 20; round++) {
      const target = { host, port: listener.localPort };
      const [near, far] = await Promise.all([connect(target), listener.accept()]);
      near.close();
      far.close();
    }
    await sleep(10);
    const elapsedMs = performance.now() - start;
    flooding = false;
    await within(5_000, Promise.all(floods), 'the end of the floods');
    expect(elapsedMs).toBeLessThan(4_000);
  });

  it('a loop over ever new sockets that never wait lets timers run', async () => {
    let isOver = false;
    let rounds = 0;
    const timer = setTimeout(() => {
      isOver = true;
    }, 20);
    // Without an end of its own, such a loop would hang the test for good.
    while (!isOver && rounds < 100_000) {
      const [near, far] = Socket.pair();
      await near.sendAll('x');
      await far.recv();
      near.close();
      far.close();
      rounds++;
    }
    clearTimeout(timer);
    expect(isOver).toBe(true);
  });

  it('a closed socket whose descriptor lives on elsewhere disturbs nobody', async () => {
    const [near, far] = await pairOverTcp();
    const waiting = failureOf(near.recv());
    await isPending(waiting);
    const { fd } = near;
    const holder = duplicate(near);
    near.close();
    expect(await waiting).toMatchObject({ code: 'ERR_SOCK_CLOSED' });

    // The next socket gets the same number, and perhaps the same slot.
    const [heir, other] = Socket.pair().map(keep) as [Core.Socket, Core.Socket];
    expect([heir.fd, other.fd]).toContain(fd);
    const received = heir.recv();
    const cpu = process.cpuUsage();
    // These are for the process that holds the duplicate; nobody here may hear of them.
    for (let round = 0; round < 20; round++) {
      await far.sendAll('for somebody else');
      await sleep(5);
    }
    const { user, system } = process.cpuUsage(cpu);
    expect(await isPending(received)).toBe(true);
    expect((user + system) / 1_000).toBeLessThan(90);
    await other.sendAll('for the heir');
    expect(String(await received)).toBe('for the heir');

    const ended = failureOf(far.recv());
    expect(await isPending(ended)).toBe(true);
    holder.kill('SIGKILL');
    expect(await within(2_000, ended, 'the end')).toMatchObject({
      code: expect.stringMatching(/^(ERR_SOCK_EOF|ECONNRESET)$/),
    });
  });

  it('a closed listener whose descriptor lives on elsewhere disturbs nobody', async () => {
    const listener = keep(listen({ host }));
    const port = listener.localPort as number;
    const waiting = failureOf(listener.accept());
    await isPending(waiting);
    const holder = duplicate(listener as unknown as Core.Socket);
    listener.close();
    expect(await waiting).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    // It is still there for the kernel, which would report these connections for ever.
    const clients = await Promise.all(
      [1, 2, 3].map(async () => keep(await connect({ host, port }))),
    );
    const cpu = process.cpuUsage();
    await sleep(200);
    const { user, system } = process.cpuUsage(cpu);
    expect((user + system) / 1_000).toBeLessThan(60);
    expect(clients.every(({ isConnected }) => isConnected)).toBe(true);
    holder.kill('SIGKILL');
  });

  it('descriptors used again and again bring nothing of their past', async () => {
    for (let round = 0; round < 100; round++) {
      const [old, oldPeer] = Socket.pair();
      const forgotten = failureOf(old.recv());
      await oldPeer.sendAll('late');
      // Its event is on the way when the descriptor is closed.
      old.close();
      oldPeer.close();
      const [near, far] = Socket.pair();
      const received = near.recv();
      await far.sendAll(`round ${round}`);
      expect(String(await received)).toBe(`round ${round}`);
      expect(await forgotten).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
      near.close();
      far.close();
    }
  });
});
