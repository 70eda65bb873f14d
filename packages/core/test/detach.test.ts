/** Giving a descriptor away, and what becomes of what was under way. */
import { closeSync } from 'node:fs';
import { connect, listen, Socket, toDuplex } from '@sock/core';
import {
  describeWithPeers,
  expectSockets,
  openDescriptors,
  openSockets,
  runScript,
  until,
  useFolder,
} from '@sock/testing';
import { Cleanup, connectedPair, listening } from './support/states.js';

let cleanup: Cleanup;
let before: number;
beforeEach(() => {
  cleanup = new Cleanup();
  before = openSockets();
});
afterEach(async () => {
  cleanup.close();
  await expectSockets(before);
});

const busy = expect.objectContaining({ code: 'ERR_SOCK_BUSY' });

describe('a socket that is detached', () => {
  it('is closed for whoever waits, while the connection goes on', async () => {
    const [near, far] = await connectedPair(cleanup);
    const waiting = Promise.allSettled([
      near.recv(),
      near.recv(new Uint8Array(5)),
      near.recvAll(9),
    ]);
    const { fd } = near;
    expect(near.detach()).toBe(fd);
    for (const result of await waiting) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'ERR_SOCK_CLOSED' } });
    }
    expect(near).toMatchObject({ fd: -1, isConnected: false });
    expect(() => near.detach()).toThrow(expect.objectContaining({ code: 'ERR_SOCK_CLOSED' }));
    near.close();
    const heir = cleanup.add(Socket.fromFd(fd));
    await far.sendAll('still here');
    expect(String(await heir.recv())).toBe('still here');
  });

  it('leaves bytes in the kernel to its heir', async () => {
    const [near, far] = await connectedPair(cleanup);
    await far.sendAll('abc');
    expect(String(await near.recv(1))).toBe('a');
    const heir = cleanup.add(Socket.fromFd(near.detach()));
    expect(String(await heir.recv())).toBe('bc');
  });

  it('sends what is corked first', async () => {
    const [near, far] = await connectedPair(cleanup);
    const sends = ['a', 'b', 'c'].map((text) => near.sendAll(text));
    cleanup.add(Socket.fromFd(near.detach()));
    await Promise.all(sends);
    expect(String(await far.recvAll(3))).toBe('abc');
  });

  it('is refused while the kernel does not take what is queued', async () => {
    const [near, far] = await connectedPair(cleanup);
    const much = Buffer.alloc(16 * 1024 * 1024, 'x');
    const sending = near.sendAll(much);
    expect(() => near.detach()).toThrow(busy);
    let length = 0;
    while (length < much.length) length += (await far.recv()).length;
    await sending;
    cleanup.add(Socket.fromFd(near.detach()));
  });

  it('is refused while it holds bytes that were received, and gives them out first', async () => {
    const [near, far] = await connectedPair(cleanup);
    const whole = near.recvAll(5, { timeout: 50 });
    await far.sendAll('abc');
    await until(1_000, () => near.tcpInfo().bytesReceived === 3);
    await expect(whole).rejects.toMatchObject({ code: 'ERR_SOCK_TIMEOUT' });
    expect(() => near.detach()).toThrow(busy);
    expect(String(await near.recv())).toBe('abc');
    cleanup.add(Socket.fromFd(near.detach()));
  });

  it('is refused while connections were accepted that nobody has taken', async () => {
    const { listener, target } = listening(cleanup);
    const steps = listener[Symbol.asyncIterator]();
    const first = steps.next();
    cleanup.add(await connect(target));
    cleanup.add((await first).value as Socket);
    const second = steps.next();
    for (let i = 0; i < 8; i++) cleanup.add(await connect(target));
    cleanup.add((await second).value as Socket);
    // How many the iteration has taken ahead is its own affair; those that wait are none of ours.
    let left = 7;
    for (;;) {
      try {
        const heir = cleanup.add(Socket.fromFd(listener.detach()));
        while (left-- > 0) cleanup.add(await heir.accept());
        return;
      } catch (error) {
        expect(error).toEqual(busy);
        cleanup.add((await steps.next()).value as Socket);
        left--;
      }
    }
  });

  it('is refused once a duplex has taken its bytes over', async () => {
    const [near] = Socket.pair().map((socket) => cleanup.add(socket)) as [Socket];
    const duplex = toDuplex(near);
    expect(() => near.detach()).toThrow(busy);
    expect(near.peerCredentials?.pid).toBe(process.pid);
    duplex.destroy();
    await until(1_000, () => duplex.closed);
  });

  it('rejects those who wait for bandwidth', async () => {
    const [near, far] = Socket.pair().map((socket) => cleanup.add(socket)) as [Socket, Socket];
    near.setBandwidth(10);
    expect(await near.sendLimited('0123456789')).toBe(10);
    const throttled = near.sendLimited('x');
    cleanup.add(Socket.fromFd(near.detach()));
    await expect(throttled).rejects.toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    expect(String(await far.recv())).toBe('0123456789');
  });

  it('takes its socket file along, which is not removed', async () => {
    const file = path('s');
    const listener = listen({ path: file });
    const heir = cleanup.add(Socket.fromFd(listener.detach()));
    cleanup.add(await connect({ path: file }));
    cleanup.add(await heir.accept());
  });
  const path = useFolder();

  it('is nothing to the event loop any more', async () => {
    const result = await runScript(`
      const { Socket } = require('@sock/core');
      const [near, far] = Socket.pair();
      near.recv().catch((error) => console.log(error.code));
      const fd = near.detach();
      require('node:fs').closeSync(fd);
      far.close();
    `);
    expect(result).toMatchObject({ code: 0, stdout: 'ERR_SOCK_CLOSED\n', stderr: '' });
  });

  it('a thousand times leaves nothing open', async () => {
    const descriptors = openDescriptors().length;
    let [near, far] = Socket.pair();
    for (let i = 0; i < 1_000; i++) {
      near = Socket.fromFd(near.detach());
      if (i % 100 === 0) {
        await far.sendAll('x');
        await near.recv();
      }
    }
    near.close();
    far.close();
    for (let i = 0; i < 1_000; i++) closeSync(new Socket({ family: 'unix' }).detach());
    expect(openDescriptors()).toHaveLength(descriptors);
  });
});

describe('a descriptor that was detached', () => {
  it('goes to a child process, and to its own', async () => {
    const { code, stdout, stderr } = await runScript(`
      const { Socket } = require('@sock/core');
      const { spawn } = require('node:child_process');
      const { closeSync } = require('node:fs');
      const { once } = require('node:events');
      const [near, far] = Socket.pair();
      const fd = far.detach();
      const script = \`
        const { Socket } = require('@sock/core');
        (async () => {
          const socket = Socket.fromFd(3);
          for await (const chunk of socket) await socket.sendAll('child: ' + chunk);
          socket.close();
        })();
      \`;
      const args = [...process.execArgv.slice(0, -2), '--eval', script];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', fd] });
      closeSync(fd);
      await near.sendAll('hello');
      console.log(String(await near.recv()));
      await near.end();
      const [status] = await once(child, 'exit');
      console.log(status);
    `);
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: 'child: hello\n0\n',
      stderr: '',
    });
  });

  it('goes to a worker', async () => {
    const { code, stdout, stderr, leakedSockets } = await runScript(`
      const { connect, listen, Socket } = require('@sock/core');
      const { Worker } = require('node:worker_threads');
      const { once } = require('node:events');
      const script = \`
        const { Socket } = require('@sock/core');
        require('node:worker_threads').parentPort.once('message', async (fd) => {
          const socket = Socket.fromFd(fd);
          for await (const chunk of socket) await socket.sendAll('worker: ' + chunk);
          socket.close();
        });
      \`;
      const worker = new Worker(script, { eval: true });
      const gone = once(worker, 'exit');
      const server = listen({ host: '127.0.0.1' });
      const near = await connect({ host: '127.0.0.1', port: server.localPort });
      const far = await server.accept();
      worker.postMessage(far.detach());
      await near.sendAll('hello');
      console.log(String(await near.recv()));
      await near.end();
      await gone;
      server.close();
    `);
    expect({ code, stdout, stderr, leakedSockets }).toEqual({
      code: 0,
      stdout: 'worker: hello\n',
      stderr: '',
      leakedSockets: 0,
    });
  });
});

describeWithPeers(['python3'], 'a program that waits in its calls', () => {
  it('gets a descriptor on which they wait', async () => {
    const { stdout, stderr } = await runScript(`
      const { Socket } = require('@sock/core');
      const { spawn } = require('node:child_process');
      const { closeSync } = require('node:fs');
      const { once } = require('node:events');
      const [near, far] = Socket.pair();
      far.setNonBlocking(false);
      const fd = far.detach();
      const python = 'import os; print(os.get_blocking(3), flush=True); print(os.read(3, 9))';
      // A sanitizer's runtime is for our own process.
      const { LD_PRELOAD: _, ...env } = process.env;
      const stdio = ['ignore', 'pipe', 'inherit', fd];
      const child = spawn('python3', ['-c', python], { env, stdio });
      closeSync(fd);
      let printed = '';
      child.stdout.on('data', (text) => {
        // It is about to read, with nothing there.
        if (printed === '') near.sendAll('late').then(() => near.close());
        printed += text;
      });
      await once(child, 'close');
      console.log(printed.trim());
    `);
    expect({ stdout, stderr }).toEqual({ stdout: "True\nb'late'\n", stderr: '' });
  });
});
