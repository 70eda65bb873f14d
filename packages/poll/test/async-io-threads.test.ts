/** Rings end with their thread, whatever is in flight. */
import type { AsyncBackend } from '@sock/poll';
import { describeWithPeers, runScript } from '@sock/testing';

function describeWorkers(backend: AsyncBackend, times: number): void {
  it(`goes with its worker, requests in flight, ${times} times`, async () => {
    const result = await runScript(
      `
        const { Worker } = require('node:worker_threads');
        const fs = require('node:fs');
        const code = \`
          const { Socket, listen } = require('@sock/core');
          const { AsyncIO } = require('@sock/poll');
          const { parentPort, workerData } = require('node:worker_threads');
          const io = new AsyncIO({ backend: '${backend}' });
          const memory = io.registerMemory(4096);
          const sockets = [];
          for (let i = 0; i < 10; i++) {
            const [near, far] = Socket.pair();
            sockets.push(near, far);
            io.submitRecv(near, 100, () => {});
            while (far.trySend(Buffer.alloc(100000)) !== null && i < 2);
            io.submitSend(far, Buffer.alloc(1000), () => {}, { zeroCopy: false });
            io.submitSend(near, memory.subarray(0, 100), () => {}, { zeroCopy: true });
            io.receives(far).next().catch(() => {});
          }
          io.accepts(listen({ host: '127.0.0.1' })).next().catch(() => {});
          if (workerData % 3 === 0) parentPort.postMessage('busy');
          else if (workerData % 3 === 1) setImmediate(() => parentPort.postMessage('busy'));
          else { io.close(); parentPort.postMessage('busy'); }
        \`;
        const open = () => fs.readdirSync('/proc/self/fd').length;
        let before = 0;
        for (let i = 0; i < ${times}; i++) {
          const worker = new Worker(code, { eval: true, workerData: i });
          worker.on('error', (error) => console.log(error));
          await new Promise((resolve) => worker.once('message', resolve));
          await worker.terminate();
          if (i === 4) before = open();
        }
        console.log(open() - before);
      `,
      { limitMs: 60_000 },
    );
    expect(result.stderr).toBe('');
    expect(result.stdout).toBe('0\n');
    expect(result.leakedSockets).toBe(0);
  }, 120_000);
}

describe('an AsyncIO and the end of its thread', () => {
  describeWithPeers(['io_uring'], 'where there is io_uring', () => describeWorkers('io_uring', 50));
  describe('without', () => describeWorkers('edge-triggered', 10));

  it('ends with its process, requests in flight', async () => {
    const result = await runScript(`
      const { Socket } = require('@sock/core');
      const { AsyncIO } = require('@sock/poll');
      const io = new AsyncIO();
      const [near] = Socket.pair();
      io.submitRecv(near.unref(), 100, () => console.log('never'));
      console.log('last');
    `);
    expect(result.stdout).toBe('last\n');
    expect(result.stderr).toBe('');
  });

  describeWithPeers(['io_uring'], 'a ring', () => {
    it('is closed with a warning when it was forgotten', async () => {
      const result = await runScript(
        `
      const { AsyncIO } = require('@sock/poll');
      const fs = require('node:fs');
      const warned = new Promise((resolve) => process.once('warning', resolve));
      (() => void new AsyncIO({ backend: 'io_uring' }))();
      const timer = setInterval(() => global.gc(), 5);
      console.log((await warned).code);
      clearInterval(timer);
    `,
        { nodeArgs: ['--expose-gc'] },
      );
      expect(result.stdout).toBe('SOCK_NOT_CLOSED\n');
    });
  });
});
