// Ours, written as its documentation leads.
import { SocketError } from '@sock/core';
import { listenTls, TlsContext } from '@sock/tls';
import { bulkChunk, bulkChunks, Questions } from './bulk.mjs';
import { announce, readOptions } from './contender.mjs';

const READ_SIZE = 65536;
const options = readOptions();

const handlers = {
  async echo(socket) {
    for await (const chunk of socket) await socket.sendAll(chunk);
  },

  async 'echo-reuse'(socket) {
    for await (const chunk of socket.chunks({ size: READ_SIZE, reuse: true })) {
      await socket.sendAll(chunk);
    }
  },

  async connect(socket) {
    await socket.sendAll(await socket.recv());
  },

  async bulk(socket) {
    const questions = new Questions();
    for await (const chunk of socket) {
      for (let left = questions.push(chunk) * bulkChunks(options.size); left > 0; left--) {
        await socket.sendAll(bulkChunk);
      }
    }
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
    // The load resets connections that it has done with.
    if (!(error instanceof SocketError)) throw error;
  } finally {
    socket.close();
  }
}

const context = TlsContext.server({ cert: options.identity, key: options.identity });
const server = listenTls({
  host: '127.0.0.1',
  backlog: 4096,
  context,
  // The end of a run is a reset in the middle of handshakes.
  onError: (error) => {
    if (error.code !== 'ECONNRESET') throw error;
  },
});

let accepted = 0;
announce({ port: server.localPort ?? 0, workers: 1, accepted: () => accepted });
for await (const socket of server) {
  accepted++;
  if (options.workload === 'idle') handle(socket);
  else run(socket);
}
