// Ours, written as its documentation leads: promises and async iteration.
import http from 'node:http';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { connect, listen, relay, SocketClosedError, toDuplex } from '@sock/core';
import { AsyncIO } from '@sock/poll';
import { SocketPool } from '@sock/pool';
import { ReconnectingSocket } from '@sock/reconnect';
import { announce, FLOOD_PER_SECOND, Framer, readOptions } from './contender.mjs';

const READ_SIZE = 65536;
const TIMEOUT = 30000;
const options = isMainThread ? readOptions() : workerData.options;

const backends = { uring: 'io_uring', readiness: 'edge-triggered' };
const backend = backends[options.variant];
const io = backend === undefined ? null : new AsyncIO({ backend });

const web = http.createServer((request, response) => response.end(`hello ${request.url}`));
// So that it watches its time limits, as one that listens does.
if (options.workload === 'http') web.emit('listening');

const handlers = {
  async echo(socket) {
    for await (const chunk of socket) await socket.sendAll(chunk);
  },

  async 'echo-uring'(socket) {
    for await (const chunk of io.receives(socket)) await io.send(socket, chunk);
  },

  async 'echo-readiness'(socket) {
    for await (const chunk of io.receives(socket)) await io.send(socket, chunk);
  },

  async 'echo-reuse'(socket) {
    for await (const chunk of socket.chunks({ size: READ_SIZE, reuse: true })) {
      await socket.sendAll(chunk);
    }
  },

  async 'echo-view'(socket) {
    const view = Buffer.allocUnsafeSlow(READ_SIZE);
    for (;;) await socket.sendAll(view.subarray(0, await socket.recv(view)));
  },

  async 'echo-loop'(socket) {
    for (;;) await socket.sendAll(await socket.recv(READ_SIZE));
  },

  async 'echo-link'(socket) {
    const link = new ReconnectingSocket('localhost', 1, {}, { connect: async () => socket });
    await link.connect();
    try {
      for (;;) await link.sendAll(await link.recv(READ_SIZE));
    } finally {
      link.close();
    }
  },

  async 'echo-vector'(socket) {
    for (;;) {
      const chunk = await socket.recv(READ_SIZE);
      await socket.sendvAll([chunk.subarray(0, 8), chunk.subarray(8, 24), chunk.subarray(24)]);
    }
  },

  async 'echo-pieces'(socket) {
    for (;;) {
      const chunk = await socket.recv(READ_SIZE);
      // As many views are made as for the vector, so that only the sends differ.
      const pieces = [chunk.subarray(0, 8), chunk.subarray(8, 24), chunk.subarray(24)];
      await socket.sendAll(pieces.length === 3 ? chunk : pieces[0]);
    }
  },

  async 'echo-timeout'(socket) {
    for (;;) {
      const chunk = await socket.recv(READ_SIZE, { timeout: TIMEOUT });
      await socket.sendAll(chunk, { timeout: TIMEOUT });
    }
  },

  async pipeline(socket) {
    const framer = new Framer(options.size);
    for await (const chunk of socket) {
      let sent;
      framer.push(chunk, (frame) => {
        sent = socket.sendAll(frame);
      });
      await sent;
    }
  },

  async sendfile(socket) {
    for await (const _ of socket) await socket.sendFileAll(options.file);
  },

  async relay(socket) {
    await relay(socket, await connect({ host: '127.0.0.1', port: Number(options.upstream) }));
  },

  async connect(socket) {
    await socket.sendAll(await socket.recv());
  },

  http(socket) {
    web.emit('connection', toDuplex(socket, { allowHalfOpen: true }));
  },

  // Only what is measured: a socket with a pending recv(), and no frames of handlers that wait too.
  idle(socket) {
    socket.recv().then(ignore, ignore);
  },
};

function ignore() {}

const variant = options.variant === '' ? '' : `-${options.variant}`;
const handle = handlers[`${options.workload}${variant}`];

async function run(socket) {
  try {
    await handle(socket);
  } catch (error) {
    // The loops that call recv themselves end this way.
    if (!(error instanceof SocketClosedError)) throw error;
  } finally {
    socket.close();
  }
}

const server = listen({
  ...(options.path === undefined
    ? { host: '127.0.0.1', port: isMainThread ? 0 : workerData.port }
    : { path: options.path }),
  ...(options.workers > 1 ? { reusePort: true } : {}),
  backlog: 4096,
});

let accepted = 0;

/** Those who come in are closed; the others the pool closes, or with `add` we do. */
async function withstand() {
  const pool = new SocketPool({ maxConnections: 10_000 });
  pool.setConnectionRate(FLOOD_PER_SECOND, FLOOD_PER_SECOND);
  if (options.variant === 'add') {
    for await (const socket of server) {
      pool.add(socket);
      socket.close();
    }
  }
  for (;;) (await pool.acceptLimited(server)).socket.close();
}

async function accept() {
  if (options.workload === 'flood') return await withstand();
  for await (const socket of server) {
    accepted++;
    if (options.workload === 'idle' || options.workload === 'http') handle(socket);
    else run(socket);
  }
}

if (isMainThread) {
  const port = server.localPort ?? 0;
  await Promise.all(
    Array.from({ length: options.workers - 1 }, () => {
      const worker = new Worker(new URL(import.meta.url), { workerData: { options, port } });
      return new Promise((resolve) => worker.once('message', resolve));
    }),
  );
  announce({ port, workers: options.workers, accepted: () => accepted });
} else {
  parentPort.postMessage('listening');
}
await accept();
