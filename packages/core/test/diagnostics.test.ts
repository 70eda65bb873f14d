/** What is told on diagnostics channels, and what is counted. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  type CloseEvent,
  type ConnectErrorEvent,
  type ConnectEvent,
  connect,
  listen,
  monotonicMs,
  relay,
  Socket,
} from '@sock/core';
import { readCounters } from '@sock/native';
import { runScript } from '@sock/testing';
import { Cleanup, connectedPair, fullListener, listening } from './support/states.js';

const names = ['accept', 'connect', 'connect-error', 'close'] as const;
type Told = [name: string, message: Partial<CloseEvent & ConnectErrorEvent>];

let cleanup: Cleanup;
let told: Told[];

/** Listens on channels until the test is over. */
function observe(...channels: readonly (typeof names)[number][]): void {
  for (const name of channels) {
    const listener = (message: unknown): void => {
      told.push([name, message as Partial<CloseEvent>]);
    };
    subscribe(`sock:core:${name}`, listener);
    cleanup.add({ close: () => unsubscribe(`sock:core:${name}`, listener) });
  }
}

beforeEach(() => {
  cleanup = new Cleanup();
  told = [];
});
afterEach(() => cleanup.close());

const of = (name: string) => told.filter(([of]) => of === name).map(([, message]) => message);

describe('a diagnostics channel', () => {
  it.each(['ipv4', 'unix'] as const)(
    'tells the life of a connection of family %s',
    async (family) => {
      observe(...names);
      const startMs = monotonicMs();
      const [near, far] = await connectedPair(cleanup, family);
      const [nearFd, farFd] = [near.fd, far.fd];
      const { remoteAddress, remotePort, localAddress, localPort } = near;
      await near.sendAll('12345');
      await far.recvAll(5);
      await far.sendAll('123');
      await near.recvAll(3);
      near.close();
      far.close();
      const ofNear = { family, localAddress, localPort, remoteAddress, remotePort };
      const { localAddress: a, localPort: b, remoteAddress: c, remotePort: d } = ofNear;
      const ofFar = { family, localAddress: c, localPort: d, remoteAddress: a, remotePort: b };
      const duration = expect.any(Number);
      expect(of('connect')).toMatchObject([{ ...ofNear, fd: nearFd, duration }]);
      expect(of('accept')).toMatchObject([{ ...ofFar, fd: farFd }]);
      const end = { duration, error: undefined, detached: false };
      expect(of('close')).toMatchObject([
        { ...ofNear, ...end, fd: nearFd, bytesRead: 3, bytesWritten: 5 },
        { ...ofFar, ...end, fd: farFd, bytesRead: 5, bytesWritten: 3 },
      ]);
      expect(of('connect-error')).toEqual([]);
      for (const [, { time = 0, duration: tookMs = 0 }] of told) {
        expect(time).toBeGreaterThanOrEqual(startMs);
        expect(time).toBeLessThanOrEqual(monotonicMs());
        expect(tookMs).toBeGreaterThanOrEqual(0);
        expect(tookMs).toBeLessThanOrEqual(monotonicMs() - startMs);
      }
    },
  );

  it('tells of every tempo in which a connection can come about', async () => {
    observe('accept', 'connect');
    const { listener } = listening(cleanup);
    const port = listener.localPort as number;
    const made = [1, 2, 3].map(() => cleanup.add(new Socket({ family: 'ipv4' })));
    const [a, b, c] = made as [Socket, Socket, Socket];
    await a.connect('127.0.0.1', port);
    b.connectSync('127.0.0.1', port);
    c.tryConnect('127.0.0.1', port);
    while (c.tryConnect() === null) await new Promise(setImmediate);
    cleanup.add(listener.acceptSync());
    cleanup.add(await listener.accept());
    const tried = listener.tryAccept();
    if (tried !== null) cleanup.add(tried);
    expect(of('connect').map(({ fd }) => fd)).toEqual(made.map(({ fd }) => fd));
    expect(of('accept')).toHaveLength(3);
  });

  it('tells of each address that could not be reached, and why', async () => {
    observe('connect', 'connect-error');
    const taken = cleanup.add(new Socket({ family: 'ipv4' }));
    taken.bind('127.0.0.1', 0);
    const remotePort = taken.localPort as number;
    const addresses = ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 }));
    const lookup = (...args: unknown[]): void =>
      (args[2] as (e: null, found: typeof addresses) => void)(null, addresses);
    const attempt = connect({ host: 'two.test', port: remotePort, lookup });
    await expect(attempt).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(of('connect-error')).toMatchObject(
      addresses.map(({ address }) => ({
        family: 'ipv4',
        remoteAddress: address,
        remotePort,
        error: { code: 'ECONNREFUSED', address, port: remotePort },
      })),
    );
    told = [];
    const { target } = await fullListener(cleanup);
    await expect(connect({ ...target, timeout: 5 })).rejects.toThrow('timed out');
    const signal = AbortSignal.abort();
    await expect(connect({ ...target, signal })).rejects.toMatchObject({ code: 'ABORT_ERR' });
    await expect(connect({ path: '@sock-nobody-is-here' })).rejects.toThrow('ECONNREFUSED');
    expect(of('connect-error').map(({ error }) => (error as Error).name)).toEqual([
      'TimeoutError',
      'UnixSocketError',
    ]);
    expect(of('connect-error').at(-1)).toMatchObject({ remoteAddress: '@sock-nobody-is-here' });
    const { duration = 0 } = of('connect-error')[0] as ConnectEvent;
    expect(duration).toBeGreaterThanOrEqual(5);
  });

  it('tells what broke a connection', async () => {
    observe('close');
    const [near, far] = await connectedPair(cleanup);
    await near.sendAll('unread');
    await far.recv(1);
    far.close();
    await expect(near.recv()).rejects.toMatchObject({ code: 'ECONNRESET' });
    near.close();
    expect(of('close')).toMatchObject([
      { error: undefined },
      { error: { code: 'ECONNRESET', address: '127.0.0.1' }, bytesWritten: 6 },
    ]);
  });

  it('tells which side of a relay broke, and whom either was connected with', async () => {
    const [near, mine] = await connectedPair(cleanup);
    const [far, theirs] = await connectedPair(cleanup);
    const peers = [near, far].map(({ remotePort }) => remotePort);
    observe('close');
    const relayed = relay(near, far);
    await theirs.sendAll('to be left unread');
    await mine.recv(1);
    mine.close();
    await expect(relayed).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(of('close')).toMatchObject([
      { error: undefined },
      { error: { code: 'ECONNRESET', port: peers[0] }, remotePort: peers[0] },
      { error: undefined, remotePort: peers[1] },
    ]);
  });

  it('tells that a connection was given away, and of what it was before it listened', async () => {
    const [near] = await connectedPair(cleanup);
    observe('close');
    const heir = cleanup.add(Socket.fromFd(near.detach()));
    heir.close();
    expect(of('close')).toMatchObject([
      // Older than the subscription.
      { detached: true, duration: undefined },
      { detached: false, duration: undefined },
    ]);
    told = [];
    new Socket({ family: 'ipv4' }).close();
    listen({ host: '127.0.0.1' }).close();
    expect(told).toEqual([]);
  });

  it('whose subscriber throws stops nothing', async () => {
    const { code, stdout, stderr } = await runScript(`
      const { subscribe } = require('node:diagnostics_channel');
      const { connect, listen } = require('@sock/core');
      const faults = [];
      process.on('uncaughtException', (error) => faults.push(error.message));
      for (const name of ['accept', 'connect', 'close']) {
        subscribe('sock:core:' + name, () => { throw new Error(name); });
      }
      const server = listen({ host: '127.0.0.1' });
      const near = await connect({ host: '127.0.0.1', port: server.localPort });
      const far = await server.accept();
      await near.sendAll('through');
      console.log(String(await far.recv()));
      near.close();
      console.log(await far.recv().catch((error) => error.code));
      far.close();
      server.close();
      await new Promise(setImmediate);
      console.log(faults.sort().join());
    `);
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: 'through\nERR_SOCK_EOF\naccept,close,close,connect\n',
      stderr: '',
    });
  });
});

/** What was counted since, as far as it is not zero. */
function countedSince(before: ReturnType<typeof readCounters>) {
  const now = readCounters();
  const names = Object.keys(now) as (keyof typeof now)[];
  return Object.fromEntries(
    names.map((name) => [name, now[name] - before[name]]).filter(([, count]) => count !== 0),
  );
}

describe('the counters', () => {
  it('count connections, bytes and endings', async () => {
    const before = readCounters();
    const [near, far] = await connectedPair(cleanup);
    await near.sendAll('12345');
    await far.recvAll(5);
    await near.shutdown('write');
    expect([near.bytesWritten, far.bytesRead, far.bytesWritten]).toEqual([5, 5, 0]);
    near.close();
    far.close();
    expect([near.bytesWritten, far.bytesRead, far.bytesWritten]).toEqual([5, 5, 0]);
    expect(countedSince(before)).toEqual({
      socket_connect_success: 1,
      socket_shutdown_calls: 1,
      accepts: 1,
      closes: 2,
      bytes_received: 5,
      bytes_sent: 5,
    });
  });

  it('count every way that bytes take', async () => {
    const before = readCounters();
    const [near, far] = Socket.pair().map((socket) => cleanup.add(socket)) as [Socket, Socket];
    await Promise.all(['a', 'b', 'c'].map((text) => near.sendAll(text)));
    near.sendSync('d');
    near.trySend('e');
    await near.sendvAll(['f', Buffer.alloc(8_000)]);
    far.tryRecv(1);
    far.recvSync(new Uint8Array(1));
    await far.recvv([new Uint8Array(2), new Uint8Array(1)]);
    await far.recvAll(8_001);
    expect(countedSince(before)).toEqual({ bytes_received: 8_006, bytes_sent: 8_006 });
    expect([near.bytesWritten, far.bytesRead]).toEqual([8_006, 8_006]);
  });

  it('count the bytes of a file', async () => {
    const [near, far] = await connectedPair(cleanup);
    const before = readCounters();
    const receiving = far.recvAll(1_000);
    await near.sendFileAll(__filename, { length: 1_000 });
    await receiving;
    expect(countedSince(before)).toEqual({ bytes_received: 1_000, bytes_sent: 1_000 });
    expect([near.bytesWritten, far.bytesRead]).toEqual([1_000, 1_000]);
  });

  it('count what did not come about', async () => {
    const before = readCounters();
    await expect(connect({ path: '@sock-nobody-is-here' })).rejects.toThrow('ECONNREFUSED');
    const { target } = await fullListener(cleanup);
    await expect(connect({ ...target, timeout: 1 })).rejects.toThrow('timed out');
    expect(countedSince(before)).toMatchObject({
      socket_connect_success: 2,
      socket_connect_failure: 2,
    });
  });

  it('count lookups by how they end', async () => {
    const before = readCounters();
    const { listener } = listening(cleanup);
    const port = listener.localPort as number;
    cleanup.add(
      await connect({ host: 'localhost', port }).catch(() => new Socket({ family: 'unix' })),
    );
    expect(countedSince(before)).toMatchObject({
      dns_request_submitted: 1,
      dns_request_completed: 1,
    });
    const socket = cleanup.add(new Socket({ family: 'ipv4' }));
    const waiting = socket.connect('nosuch.invalid', port);
    socket.close();
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    const timedOut = connect({ host: 'nosuch.invalid', port, timeout: 1 });
    // Once the loop runs on, timers come before answers.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    await expect(timedOut).rejects.toMatchObject({ code: 'ERR_SOCK_TIMEOUT' });
    expect(countedSince(before)).toMatchObject({
      dns_request_submitted: 3,
      dns_request_cancelled: 1,
      dns_request_timeout: 1,
    });
  });

  it('keep what threads have counted that are gone', async () => {
    const { code, stdout, stderr } = await runScript(`
      const { Worker } = require('node:worker_threads');
      const { once } = require('node:events');
      const { readCounters } = require('@sock/native');
      const script = \`
        const { Socket } = require('@sock/core');
        const [near, far] = Socket.pair();
        near.sendAll('1234567890').then(() => {
          far.recvSync();
          near.close();
          // The other one is closed by the end of the thread.
          require('node:worker_threads').parentPort.postMessage('done');
        });
      \`;
      const before = readCounters();
      const workers = [1, 2, 3].map(() => new Worker(script, { eval: true }));
      await Promise.all(workers.map((worker) => once(worker, 'message')));
      await Promise.all(workers.map((worker) => worker.terminate()));
      const { bytes_sent, bytes_received, closes } = readCounters();
      const told = [
        bytes_sent - before.bytes_sent,
        bytes_received - before.bytes_received,
        closes - before.closes,
      ];
      console.log(...told);
    `);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '30 30 6\n', stderr: '' });
  });
});

describe('the messages of one channel', () => {
  // Else V8 makes a hidden class for each: tens of microseconds, and more for who reads them.
  it('have one shape', async () => {
    const { code, stdout, stderr } = await runScript(
      `
        const { subscribe } = require('node:diagnostics_channel');
        const { connect, listen } = require('@sock/core');
        const told = { accept: [], connect: [], 'connect-error': [], close: [] };
        for (const [name, messages] of Object.entries(told)) {
          subscribe('sock:core:' + name, (message) => messages.push(message));
        }
        const server = listen({ host: '127.0.0.1' });
        for (let i = 0; i < 20; i++) {
          const near = await connect({ host: '127.0.0.1', port: server.localPort });
          (await server.accept()).close();
          near.close();
          await connect({ path: '@sock-nobody' }).catch(() => {});
        }
        server.close();
        // What comes first may be of other kinds: integers where fractions follow.
        for (const [name, messages] of Object.entries(told)) {
          const [first, ...others] = messages.slice(10);
          console.log(name, others.every((other) => %HaveSameMap(first, other)));
        }
      `,
      { nodeArgs: ['--allow-natives-syntax'] },
    );
    const lines = ['accept true', 'connect true', 'connect-error true', 'close true', ''];
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: lines.join('\n'), stderr: '' });
  });
});
