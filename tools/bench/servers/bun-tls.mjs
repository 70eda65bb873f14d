// Bun.listen with `tls`. Bun hands out how many bytes it took, so the rest waits for `drain`.
import { readFileSync } from 'node:fs';
import { bulkChunk, bulkChunks, Questions } from './bulk.mjs';
import { announce, readOptions } from './contender.mjs';

const options = readOptions();

function write(socket, chunk) {
  const { pending } = socket.data;
  if (pending.length > 0) {
    pending.push(chunk);
    return;
  }
  const written = socket.write(chunk);
  if (written < chunk.length) pending.push(chunk.subarray(Math.max(0, written)));
}

function drain(socket) {
  const pending = socket.data.pending.splice(0);
  for (const chunk of pending) write(socket, chunk);
}

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
