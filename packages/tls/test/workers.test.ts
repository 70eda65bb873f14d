/** Contexts that threads share, and threads that end in the middle of handshakes and streams. */
import { runScript } from '@sock/testing';
import { goodSetting } from './support.js';

/** Echoes over TLS to whoever comes, with a twin of the context that is shared with it. */
const server = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { listenTls, TlsContext } = require('@sock/tls');
  const context = TlsContext.from(workerData);
  const listener = listenTls({ host: '127.0.0.1', context, onError: () => {} });
  const echo = async (socket) => {
    for await (const chunk of socket) await socket.sendAll(chunk);
    await socket.end();
  };
  (async () => {
    for await (const socket of listener) echo(socket).catch(() => socket.close());
  })();
  parentPort.postMessage(listener.localPort);
`;

/** What both scripts begin with: who serves, and what a client needs to trust them. */
async function beginning(): Promise<string> {
  const { issued, authority } = await goodSetting();
  return `
    const { once } = require('node:events');
    const { Worker } = require('node:worker_threads');
    const { connectTls, TlsContext } = require('@sock/tls');
    const context = TlsContext.client({ ca: ${JSON.stringify(authority.cert)} });
    const served = TlsContext.server(${JSON.stringify({ cert: issued.cert, key: issued.key })});
    const start = async () => {
      const workerData = served.share();
      const worker = new Worker(${JSON.stringify(server)}, { eval: true, workerData });
      const [port] = await once(worker, 'message');
      return { worker, port };
    };
  `;
}

it('a session of one thread is resumed by another, of which the first knows nothing', async () => {
  const { stdout, stderr } = await runScript(`
    ${await beginning()}
    const threads = [await start(), await start()];
    const reused = [];
    let session;
    for (const { port } of [...threads, threads[0]]) {
      const hostname = 'localhost';
      const socket = await connectTls({ host: '127.0.0.1', hostname, port, context, session });
      reused.push(socket.isSessionReused);
      // The tickets come behind the handshake, and so before the echo.
      await socket.sendAll('x');
      await socket.recv();
      session = socket.session;
      socket.close();
    }
    for (const { worker } of threads) await worker.terminate();
    console.log(JSON.stringify(reused));
  `);
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual([false, true, true]);
});

it('threads may be terminated in the middle of it, and leave nothing', async () => {
  const { code, signal, stdout, stderr, leakedSockets } = await runScript(
    `
    ${await beginning()}
    const { readdirSync } = require('node:fs');
    const openCount = () => readdirSync('/proc/self/fd').length;
    // Descriptors that are closed by other threads may take a moment.
    const settledCount = async (atMost) => {
      for (let round = 0; round < 200 && openCount() > atMost; round++) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      return openCount();
    };
    let echoes = 0;
    // One handshake after the other, each with an echo, until the other end is gone.
    const hammer = async (port) => {
      const hostname = 'localhost';
      for (;;) {
        const socket = await connectTls({ host: '127.0.0.1', hostname, port, context });
        try {
          await socket.sendAll(Buffer.alloc(40_000));
          await socket.recv();
          echoes++;
        } finally {
          socket.close();
        }
      }
    };
    const round = async (turns) => {
      const { worker, port } = await start();
      const clients = Array.from({ length: 8 }, () => hammer(port).catch((error) => error.code));
      const enough = echoes + turns;
      while (echoes < enough) await new Promise(setImmediate);
      await worker.terminate();
      return Promise.all(clients);
    };
    // The first one brings threads and descriptors of Node's own, which stay.
    await round(8);
    const before = await settledCount(0);
    const ends = new Set();
    for (let count = 0; count < 10; count++) for (const end of await round(count)) ends.add(end);
    console.log(JSON.stringify({ left: (await settledCount(before)) - before, ends: [...ends] }));
  `,
    { limitMs: 60_000 },
  );
  expect({ code, signal, stderr, leakedSockets }).toEqual({
    code: 0,
    signal: null,
    stderr: '',
    leakedSockets: 0,
  });
  const { left, ends } = JSON.parse(stdout) as { left: number; ends: string[] };
  expect(left).toBe(0);
  // A cut in the middle of the handshake, of the echo, or a port where nobody listens any more.
  const cuts = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ERR_SOCK_TLS_TRUNCATED'];
  expect(cuts).toEqual(expect.arrayContaining(ends));
});
