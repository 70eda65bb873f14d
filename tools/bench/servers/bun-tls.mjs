// Bun.listen with `tls`.
import { readFileSync } from 'node:fs';
import { bulkChunk, bulkChunks, Questions } from './bulk.mjs';
import { drain, write } from './bun-writes.mjs';
import { announce, readOptions } from './contender.mjs';

const options = readOptions();

function pour(socket) {
  const { data } = socket;
  drain(socket);
  for (; data.left > 0 && data.pending.length === 0; data.left--) write(socket, bulkChunk);
}

const handlers = {
  echo: { data: write, drain },
  bulk: {
    data: (socket, chunk) => {
      socket.data.left += socket.data.questions.push(chunk) * bulkChunks(options.size);
      pour(socket);
    },
    drain: pour,
  },
  idle: { data: write, drain },
};

const identity = readFileSync(options.identity, 'utf8');
let accepted = 0;
const server = globalThis.Bun.listen({
  hostname: '127.0.0.1',
  port: 0,
  tls: { key: identity, cert: identity },
  socket: {
    open: (socket) => {
      socket.data =
        options.workload === 'bulk'
          ? { pending: [], left: 0, questions: new Questions() }
          : { pending: [] };
    },
    handshake: () => {
      accepted++;
    },
    ...handlers[options.workload],
  },
});

announce({ port: server.port, workers: 1, accepted: () => accepted });
