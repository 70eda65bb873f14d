/** What a duplex takes over, how much it holds, and what it does to the process. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import {
  connect,
  type DuplexSource,
  type OperationOptions,
  Socket,
  type StreamSocket,
  serve,
  toDuplex,
} from '@sock/core';
import {
  expectSockets,
  failureOf,
  isPending,
  openSockets,
  runScript,
  thrownBy,
  until,
} from '@sock/testing';
import { duplexPair, event, socketPair } from './support/duplex.js';
import { Cleanup } from './support/states.js';

const host = '127.0.0.1';
let cleanup: Cleanup;
let socketsBefore: number;

beforeEach(() => {
  socketsBefore = openSockets();
  cleanup = new Cleanup();
});
afterEach(async () => {
  cleanup.close();
  await expectSockets(socketsBefore);
});

/** Both ends of a pair, of which the first becomes a duplex. */
function unixPair(): [Socket, Socket] {
  const [near, far] = Socket.pair();
  return [cleanup.add(near), cleanup.add(far)];
}

describe('the source of a duplex', () => {
  const verbs: Record<string, (socket: Socket) => unknown> = {
    send: (socket) => socket.send('x'),
    sendAll: (socket) => socket.sendAll('x'),
    sendSync: (socket) => socket.sendSync('x'),
    sendAllSync: (socket) => socket.sendAllSync('x'),
    trySend: (socket) => socket.trySend('x'),
    recv: (socket) => socket.recv(),
    recvSync: (socket) => socket.recvSync(),
    tryRecv: (socket) => socket.tryRecv(),
    recvAll: (socket) => socket.recvAll(1),
    recvAllSync: (socket) => socket.recvAllSync(1),
    chunks: (socket) => socket.chunks().next(),
    shutdown: (socket) => socket.shutdown(),
    end: (socket) => socket.end(),
    sendv: (socket) => socket.sendv(['x']),
    recvv: (socket) => socket.recvv([new Uint8Array(1)]),
    sendLimited: (socket) => socket.sendLimited('x'),
    recvLimited: (socket) => socket.recvLimited(),
    detach: (socket) => socket.detach(),
    toDuplex: (socket) => toDuplex(socket),
  };

  it.each(Object.entries(verbs))('refuses %s', async (_name, verb) => {
    const [near, far] = unixPair();
    const duplex = toDuplex(near);
    const refused = await failureOf((async () => verb(near))());
    expect(refused).toMatchObject({ code: 'ERR_SOCK_BUSY' });
    far.sendAllSync('still here');
    expect(String(await event(duplex, 'data'))).toBe('still here');
  });

  it('still tells of itself, and can be tuned', async () => {
    const { subject, socket } = await duplexPair(cleanup);
    expect(socket.remotePort).toBe(subject.remotePort);
    expect(socket.isConnected).toBe(true);
    expect(socket.tcpInfo().state).toBe('established');
    subject.setKeepAlive(true, 5_000);
    expect(socket.getKeepAlive()).toMatchObject({ idle: 5_000 });
    subject.setKeepAlive();
    expect(socket.getKeepAlive()).toBe(false);
    await new Promise((resolve) => subject.write('12345', resolve));
    expect({ ours: socket.bytesWritten, its: subject.bytesWritten }).toEqual({ ours: 5, its: 5 });
  });

  it('cannot be taken over while a receive waits, and goes on receiving', async () => {
    const [near, far] = unixPair();
    const waiting = near.recv();
    expect(thrownBy(() => toDuplex(near))).toMatchObject({ code: 'ERR_SOCK_BUSY' });
    await far.sendAll('x');
    expect(String(await waiting)).toBe('x');
    await far.sendAll('y');
    expect(String(await near.recv())).toBe('y');
  });

  it('passes on what it had received and nobody had read', async () => {
    const [near, far] = unixPair();
    await far.sendAll('head');
    expect(await failureOf(near.recvAll(8, { timeout: 5 }))).toMatchObject({
      code: 'ERR_SOCK_TIMEOUT',
    });
    await far.sendAll(' body');
    const duplex = toDuplex(near);
    let text = '';
    duplex.on('data', (data) => {
      text += data;
    });
    await until(5_000, () => text === 'head body');
  });

  it('keeps its place in front of the duplex with what it had queued', async () => {
    const [near, far] = unixPair();
    const first = Buffer.alloc(4 * 1024 * 1024, 'a');
    const sending = near.sendAll(first);
    const duplex = toDuplex(near);
    duplex.write('b');
    const all = await far.recvAll(first.length + 1);
    expect(all.subarray(0, -1).equals(first)).toBe(true);
    expect(String(all.subarray(-1))).toBe('b');
    await sending;
  });

  it('is closed with the duplex, and the duplex with it', async () => {
    const [near, far] = unixPair();
    const duplex = toDuplex(near);
    duplex.destroy();
    expect(near.fd).toBe(-1);
    const other = toDuplex(far);
    far.close();
    expect(other.destroyed).toBe(true);
    expect(await event(other, 'close')).toEqual([false]);
  });

  it('must be connected, and open', () => {
    const fresh = cleanup.add(new Socket({ family: 'ipv4' }));
    expect(thrownBy(() => toDuplex(fresh))).toMatchObject({ code: 'ENOTCONN' });
    fresh.close();
    expect(thrownBy(() => toDuplex(fresh))).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
  });

  it('is left to the duplex by a server whose handler returns', async () => {
    const server = cleanup.add(
      serve({ host }, async (socket) => {
        const duplex = toDuplex(socket);
        duplex.on('data', (data) => duplex.end(`echo ${data}`));
      }),
    );
    const socket = cleanup.add(await connect({ host, port: server.localPort }));
    await socket.sendAll('x');
    expect(String(await socket.recvAll(6))).toBe('echo x');
    socket.close();
    await until(5_000, () => server.connections === 0);
  });

  it('can be a stream of any kind', async () => {
    const [near, far] = unixPair();
    const closed: string[] = [];
    const chunks = near.chunks();
    const source = {
      chunks: () => chunks,
      trySend: (data: Uint8Array) => near.trySend(data),
      sendAll: (data: Uint8Array, options?: OperationOptions) => near.sendAll(data, options),
      shutdown: () => near.shutdown(),
      close: () => {
        closed.push('closed');
        near.close();
      },
      ref: () => near.ref(),
      unref: () => near.unref(),
      sendQueueBytes: 0,
      encrypted: true,
      alpnProtocol: 'h2',
      authorized: true,
    };
    const duplex = toDuplex(source as unknown as DuplexSource & StreamSocket);
    const { encrypted, alpnProtocol, authorized } = duplex;
    expect({ encrypted, alpnProtocol, authorized }).toEqual({
      encrypted: true,
      alpnProtocol: 'h2',
      authorized: true,
    });
    duplex.end('question');
    expect(String(await far.recvAll(8))).toBe('question');
    await far.sendAll('answer');
    await far.shutdown();
    let text = '';
    for await (const data of duplex) text += data;
    expect(text).toBe('answer');
    expect(closed).toEqual(['closed']);
    expect(thrownBy(() => toDuplex(near).resetAndDestroy())).toMatchObject({
      code: 'ERR_SOCK_CLOSED',
    });
  });
});

describe('a duplex', () => {
  it('has the members of its source only where there are some', () => {
    const [near] = unixPair();
    const duplex = toDuplex(near);
    expect(duplex.address()).toEqual({});
    const { remoteAddress, remoteFamily, remotePort, localAddress, encrypted } = duplex;
    expect({ remoteAddress, remoteFamily, remotePort, localAddress, encrypted }).toEqual({});
    expect(duplex.setNoDelay().setKeepAlive(true, 1_000)).toBe(duplex);
    expect(thrownBy(() => duplex.resetAndDestroy())).toMatchObject({ code: 'ENOTSUP' });
  });

  it('sets what the source has', async () => {
    const { subject, socket } = await duplexPair(cleanup);
    subject.setNoDelay(false);
    expect(socket.getNoDelay()).toBe(false);
    subject.setNoDelay();
    expect(socket.getNoDelay()).toBe(true);
  });

  it.each([-1, Number.NaN, 2 ** 31, Number.POSITIVE_INFINITY])(
    'refuses a time of %d',
    async (limit) => {
      const duplex = toDuplex(unixPair()[0]);
      expect(thrownBy(() => duplex.setTimeout(limit))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    },
  );

  it('takes no option that it does not know, and no value out of range', () => {
    const [near] = unixPair();
    const make = (options: object) => thrownBy(() => toDuplex(near, options));
    expect(make({ halfOpen: true })).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
    expect(make({ allowHalfOpen: 1 })).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
    expect(make({ readableHighWaterMark: -1 })).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    expect(make({ writableHighWaterMark: 1.5 })).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
  });

  it('reads no further ahead than its mark', async () => {
    const [near, far] = unixPair();
    const duplex = toDuplex(near, { readableHighWaterMark: 1_000 });
    await far.sendAll(Buffer.alloc(10_000));
    await until(5_000, () => duplex.readableLength === 1_000);
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    expect(duplex.bytesRead).toBe(1_000);
    expect(duplex.read(600)).toHaveLength(600);
    await until(5_000, () => duplex.bytesRead === 2_000);
    expect(duplex.readableLength).toBe(1_400);
  });

  it('holds what is written until the peer reads, and says so', async () => {
    const [near, far] = unixPair();
    const duplex = toDuplex(near, { writableHighWaterMark: 1_000 });
    expect(duplex.write(Buffer.alloc(100))).toBe(true);
    const chunk = Buffer.alloc(256 * 1024);
    let count = 0;
    while (duplex.write(chunk)) count++;
    expect(count).toBeLessThan(20);
    expect(duplex.writableNeedDrain).toBe(true);
    const drained = event(duplex, 'drain');
    expect(await isPending(drained)).toBe(true);
    await far.recvAll(100 + chunk.length * (count + 1));
    await drained;
  });

  it('sends in order what was corked, small and large', async () => {
    const [near, far] = unixPair();
    const duplex = toDuplex(near);
    const parts = [10, 200_000, 20, 30, 70_000, 64 * 1024, 1].map((size, index) =>
      Buffer.alloc(size, 97 + index),
    );
    duplex.cork();
    for (const part of parts) duplex.write(part);
    duplex.uncork();
    duplex.end();
    const received: Buffer[] = [];
    for await (const chunk of far) received.push(chunk);
    expect(Buffer.concat(received).equals(Buffer.concat(parts))).toBe(true);
  });

  it('that is destroyed with bytes unsent tells its peer that the connection broke', async () => {
    const [near, far] = await socketPair(cleanup);
    const duplex = toDuplex(near);
    duplex.write(Buffer.alloc(64 * 1024 * 1024));
    duplex.destroy();
    const failure = await failureOf(
      (async () => {
        for await (const _ of far);
      })(),
    );
    expect(failure).toMatchObject({ code: 'ECONNRESET' });
  });

  it('that is destroyed with all sent ends in order', async () => {
    const [near, far] = await socketPair(cleanup);
    const duplex = toDuplex(near);
    await new Promise((resolve) => duplex.write('all of it', resolve));
    duplex.destroy();
    let text = '';
    for await (const chunk of far) text += chunk;
    expect(text).toBe('all of it');
  });

  it('is read through a web stream', async () => {
    const [near, far] = unixPair();
    const sent = Buffer.alloc(1_000_000, 'w');
    const sending = far.sendAll(sent).then(() => far.shutdown());
    const web = Readable.toWeb(toDuplex(near));
    const received: Buffer[] = [];
    for await (const chunk of web) received.push(Buffer.from(chunk));
    expect(Buffer.concat(received).equals(sent)).toBe(true);
    await sending;
  });

  it('keeps the context of its maker, whoever makes it read', async () => {
    const storage = new AsyncLocalStorage<string>();
    const [near, far] = unixPair();
    const seen: (string | undefined)[] = [];
    const duplex = storage.run('maker', () => toDuplex(near));
    storage.run('reader', () => {
      duplex.on('data', () => seen.push(storage.getStore()));
    });
    await far.sendAll('one');
    await until(5_000, () => seen.length === 1);
    await storage.run('sender', () => far.sendAll('two'));
    await until(5_000, () => seen.length === 2);
    expect(seen).toEqual(['maker', 'maker']);
  });

  it('lets other work run between writes that complete at once', async () => {
    const [near, far] = unixPair();
    const duplex = toDuplex(near);
    const reading = (async () => {
      for await (const _ of far.chunks({ reuse: true }));
    })();
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns++;
      if (!isOver) setImmediate(count);
    };
    count();
    for (let index = 0; index < 1_000; index++) {
      await new Promise((resolve) => duplex.write('x', resolve));
    }
    isOver = true;
    expect(turns).toBeGreaterThan(5);
    duplex.end();
    await reading;
  });

  it('counts a long write as activity for as long as the peer takes some of it', async () => {
    const { subject, peer } = await duplexPair(cleanup);
    let timeouts = 0;
    subject.setTimeout(500, () => timeouts++);
    subject.write(Buffer.alloc(64 * 1024 * 1024));
    let received = 0;
    peer.on('data', (data) => {
      received += data.length;
      peer.pause();
      setTimeout(() => peer.resume(), 2);
    });
    await until(5_000, () => received > 40 * 1024 * 1024);
    expect(timeouts).toBe(0);
    peer.removeAllListeners('data').pause();
    await until(5_000, () => timeouts > 0);
  });
});

describe('the process of a duplex', () => {
  it('goes on where a listener throws, as with a net.Socket', async () => {
    const { stdout, stderr } = await runScript(`
      const { Socket, toDuplex } = require('@sock/core');
      const [near, far] = Socket.pair();
      process.on('uncaughtException', (error, origin) => console.log(origin, error.message));
      const duplex = toDuplex(near);
      duplex.on('data', (data) => { throw new Error('on ' + data); });
      await far.sendAll('one');
      await new Promise(setImmediate);
      await far.sendAll('two');
      await new Promise(setImmediate);
      await far.end();
    `);
    expect(stdout.split('\n').slice(0, 2)).toEqual([
      'uncaughtException on one',
      'uncaughtException on two',
    ]);
    expect(stderr).toBe('');
  });

  it('lives for as long as the duplex reads, and ends when it is unref’ed', async () => {
    const script = (also: string) => `
      const { Socket, toDuplex } = require('@sock/core');
      const [near, far] = Socket.pair();
      const duplex = toDuplex(near);
      ${also}
      duplex.on('data', (data) => { console.log(String(data)); near.close(); });
      setTimeout(() => far.sendAll('late').then(() => far.close()), 30).unref();
      process.on('exit', () => { near.close(); far.close(); });
    `;
    expect((await runScript(script(''))).stdout).toContain('late');
    expect((await runScript(script('duplex.unref();'))).stdout).not.toContain('late');
  });

  it('hears of a broken connection also where nobody writes or reads', async () => {
    const { subject, peer } = await duplexPair(cleanup);
    peer.resetAndDestroy();
    const [error] = await once(subject, 'error');
    expect(error).toMatchObject({ code: 'ECONNRESET', syscall: 'recv' });
    expect(await once(subject, 'close')).toEqual([true]);
  });
});
