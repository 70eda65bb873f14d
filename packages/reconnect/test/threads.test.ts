import { runScript } from '@sock/testing';

/** A worker with connections of both kinds, and one that is on its way. */
const worker = `
  const { ReconnectingSocket } = require('@sock/reconnect');
  const { parentPort, workerData: port } = require('node:worker_threads');
  const byHand = new ReconnectingSocket('127.0.0.1', port, {}, { byHand: true });
  const byItself = new ReconnectingSocket('127.0.0.1', port);
  const never = () => new Promise(() => {});
  const waiting = new ReconnectingSocket('127.0.0.1', port, {}, { connect: never });
  (async () => {
    byHand.connect();
    while (!byHand.isConnected) {
      byHand.process();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    waiting.connect();
    await byItself.connect();
    byItself.recv().catch(() => {});
    parentPort.postMessage('connected');
  })();
`;

describe('a worker with reconnecting sockets', () => {
  it('can be terminated at any moment, and leaves nothing', async () => {
    const { code, stderr, leakedSockets } = await runScript(
      `
      const { once } = require('node:events');
      const { Worker } = require('node:worker_threads');
      const { serve } = require('@sock/core');
      const server = serve({ host: '127.0.0.1' }, async (socket) => {
        for await (const _ of socket);
      });
      const options = { eval: true, workerData: server.localPort };
      for (let round = 0; round < 3; round++) {
        const worker = new Worker(${JSON.stringify(worker)}, options);
        await once(worker, 'message');
        await worker.terminate();
      }
      server.close();
      `,
      { limitMs: 20_000 },
    );
    expect({ code, stderr, leakedSockets }).toEqual({ code: 0, stderr: '', leakedSockets: 0 });
  });
});

describe('a program', () => {
  it('ends while a connection idles, and waits while one is on its way', async () => {
    const { code, stdout, stderr } = await runScript(`
      const { serve } = require('@sock/core');
      const { ReconnectingSocket } = require('@sock/reconnect');
      const server = serve({ host: '127.0.0.1' }, async (socket) => {
        for await (const _ of socket);
      });
      const policy = { initialDelay: 30, jitter: 0 };
      const link = new ReconnectingSocket('127.0.0.1', server.localPort, policy);
      server.close();
      link.on('state', ({ from, to }) => console.log(to));
      link.connect();
      link.on('state', () => link.failures === 2 && link.unref());
      process.on('exit', () => console.log('exit'));
    `);
    const lines = ['connecting', 'backoff', 'connecting', 'backoff', 'exit', ''];
    expect({ code, stderr, stdout }).toEqual({ code: 0, stderr: '', stdout: lines.join('\n') });
  });
});
