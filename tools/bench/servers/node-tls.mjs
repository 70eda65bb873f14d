// node:tls, written as its documentation suggests.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import tls from 'node:tls';
import { bulkChunk, bulkChunks, Questions } from './bulk.mjs';
import { announce, readOptions } from './contender.mjs';

const options = readOptions();

const handlers = {
  echo: (socket) => {
    socket.on('data', (chunk) => socket.write(chunk));
  },
  connect: (socket) => {
    socket.once('data', (chunk) => socket.end(chunk));
  },
  bulk: async (socket) => {
    const questions = new Questions();
    for await (const chunk of socket) {
      for (let left = questions.push(chunk) * bulkChunks(options.size); left > 0; left--) {
        if (!socket.write(bulkChunk)) await once(socket, 'drain');
      }
    }
  },
  idle: (socket) => socket.resume(),
};

const handle = handlers[options.workload];
const identity = readFileSync(options.identity);
let accepted = 0;

const server = tls.createServer(
  { key: identity, cert: identity, minVersion: 'TLSv1.3', noDelay: true },
  (socket) => {
    accepted++;
    // The load resets connections that it has done with.
    socket.on('error', () => socket.destroy());
    handle(socket);
  },
);
server.on('tlsClientError', (error) => {
  if (error.code === 'ECONNRESET') return;
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => {
  announce({ port: server.address().port, workers: 1, accepted: () => accepted });
});
