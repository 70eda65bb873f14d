import { binding } from '@sock/native';
import { SocketPoll, Waker } from '@sock/poll';
import { runScript, within } from '@sock/testing';

describe('a poll and other threads', () => {
  it.each(binding.backends)('is woken by another thread on %s', async (backend) => {
    const result = await runScript(`
      const { Worker, isMainThread } = require('node:worker_threads');
      const { SocketPoll, Waker } = require('@sock/poll');
      const poll = new SocketPoll({ backend: '${backend}' });
      const code = \`
        const { parentPort, workerData } = require('node:worker_threads');
        const { SocketPoll, Waker } = require('@sock/poll');
        const own = new SocketPoll({ backend: '${backend}' });
        parentPort.postMessage(own.waker());
        own.waitSync();
        parentPort.postMessage(new Waker(workerData).wake());
        own.close();
      \`;
      const worker = new Worker(code, { eval: true, workerData: poll.waker() });
      const messages = [];
      worker.on('message', (message) => {
        messages.push(message);
        if (messages.length === 1) new Waker(message).wake();
      });
      const ended = new Promise((resolve) => worker.once('exit', resolve));
      console.log((await poll.wait()).length);
      await ended;
      console.log(messages[1], new Waker(messages[0]).wake());
      poll.close();
    `);
    expect(result.stderr).toBe('');
    expect(result.stdout).toBe('0\ntrue false\n');
  });

  it.each(binding.backends)('ends with its worker on %s', async (backend) => {
    const result = await runScript(`
      const { Worker } = require('node:worker_threads');
      const code = \`
        const { SocketPoll } = require('@sock/poll');
        const { Socket } = require('@sock/core');
        const poll = new SocketPoll({ backend: '${backend}' });
        const [near] = Socket.pair();
        poll.add(near, 1);
        poll.wait();
        require('node:worker_threads').parentPort.postMessage('waits');
      \`;
      for (let i = 0; i < 3; i++) {
        const worker = new Worker(code, { eval: true });
        await new Promise((resolve) => worker.once('message', resolve));
        await worker.terminate();
      }
      console.log('done');
    `);
    expect(result.stdout).toBe('done\n');
    expect(result.leakedSockets).toBe(0);
  });

  it('is woken by a copy of its waker, until it is closed', async () => {
    const poll = new SocketPoll();
    const copy = structuredClone(poll.waker());
    const waiting = poll.wait();
    expect(new Waker(copy).wake()).toBe(true);
    expect(await within(1_000, waiting)).toEqual([]);
    poll.close();
    expect(new Waker(copy).wake()).toBe(false);
  });

  it('makes wakers of nothing else', () => {
    for (const waker of [null, 1, {}, { id: 0.5 }, { id: -1 }, { id: 2 ** 53 }]) {
      expect(() => new Waker(waker as Waker)).toThrow(/"waker/);
    }
  });

  it('keeps the process alive while it waits, and no longer', async () => {
    const result = await runScript(`
      const { SocketPoll } = require('@sock/poll');
      const poll = new SocketPoll();
      poll.addTimer(100000, () => {});
      console.log((await poll.wait(20)).length);
      globalThis.poll = poll;
    `);
    expect(result.stdout).toBe('0\n');
  });

  it('is closed with a warning when it was forgotten', async () => {
    const result = await runScript(
      `
      const { SocketPoll } = require('@sock/poll');
      const warned = new Promise((resolve) => process.once('warning', resolve));
      (() => void new SocketPoll())();
      const timer = setInterval(() => global.gc(), 5);
      console.log((await warned).code);
      clearInterval(timer);
    `,
      { nodeArgs: ['--expose-gc'] },
    );
    expect(result.stdout).toBe('SOCK_NOT_CLOSED\n');
  });
});
