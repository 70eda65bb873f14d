// node:net, written as its documentation suggests, with the cheaper form where there are two.
import cluster from 'node:cluster';
import { createReadStream } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import process from 'node:process';
import { pipeline } from 'node:stream/promises';
import { announce, FLOOD_PER_SECOND, Framer, readOptions } from './contender.mjs';

const options = readOptions();

const handlers = {
  echo: (socket) => {
    socket.on('data', (chunk) => socket.write(chunk));
  },
  pipeline: (socket) => {
    // A write() of node:net makes a Buffer of what is none.
    const framer = new Framer(options.size, Buffer.from);
    const answer = (frame) => socket.write(frame);
    if (options.variant === 'cork') {
      socket.on('data', (chunk) => {
        socket.cork();
        framer.push(chunk, answer);
        socket.uncork();
      });
    } else {
      socket.on('data', (chunk) => framer.push(chunk, answer));
    }
  },
  connect: (socket) => {
    socket.once('data', (chunk) => {
      socket.write(chunk);
      // Cheaper than end(), which would wait for the end of the peer as well.
      socket.destroySoon();
    });
  },
  sendfile: async (socket) => {
    // `for await` would end the socket with its loop.
    for (;;) {
      const question = socket.read();
      if (question !== null) await pipeline(createReadStream(options.file), socket, { end: false });
      else if (socket.readableEnded) return;
      else await new Promise((resolve) => socket.once('readable', resolve).once('end', resolve));
    }
  },
  relay: (socket) => {
    const upstream = net.connect({ host: '127.0.0.1', port: Number(options.upstream) });
    upstream.setNoDelay(true);
    socket.pipe(upstream).pipe(socket);
  },
  // A flowing socket always has a read pending.
  idle: (socket) => socket.resume(),
};

let tokens = FLOOD_PER_SECOND;
let filledMs = performance.now();

function takeToken() {
  const nowMs = performance.now();
  const grown = tokens + ((nowMs - filledMs) * FLOOD_PER_SECOND) / 1000;
  tokens = Math.min(FLOOD_PER_SECOND, grown);
  filledMs = nowMs;
  if (tokens < 1) return false;
  tokens--;
  return true;
}

/** All are closed, those that come in too. */
function withstand() {
  const server = net.createServer((socket) => socket.destroy());
  // Beyond a number of connections node:net closes by itself, before there is a Socket.
  const refuse = () => {
    server.maxConnections = takeToken() ? 1_000_000 : 0;
  };
  return options.variant === 'drop'
    ? server.on('connection', refuse).on('drop', refuse)
    : server.on('connection', takeToken);
}

let accepted = 0;
const handle = handlers[options.workload];

function makeServer() {
  if (options.workload === 'flood') return withstand();
  if (options.workload === 'http') {
    const server = http.createServer((request, response) => response.end(`hello ${request.url}`));
    return server.on('connection', () => accepted++);
  }
  return net.createServer({ noDelay: true }, (socket) => {
    accepted++;
    socket.on('error', (error) => {
      process.stderr.write(`${error.stack}\n`);
      process.exit(1);
    });
    handle(socket);
  });
}

const server = makeServer();

function listen(onListening) {
  if (options.path === undefined) {
    server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, onListening);
  } else {
    server.listen({ path: options.path, backlog: 4096 }, onListening);
  }
}

if (options.workers === 1) {
  listen(() =>
    announce({ port: server.address().port ?? 0, workers: 1, accepted: () => accepted }),
  );
} else if (cluster.isPrimary) {
  // Handing descriptors round (the default) would add a message for every connection.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  let listening = 0;
  cluster.on('listening', (_, { port }) => {
    if (++listening < options.workers) return;
    const workers = Object.values(cluster.workers);
    const pids = [process.pid, ...workers.map((worker) => worker.process.pid)];
    const beforeExit = () => {
      for (const worker of workers) worker.process.kill('SIGKILL');
    };
    announce({ port, workers: options.workers, accepted: () => accepted, pids, beforeExit });
  });
  for (let i = 0; i < options.workers; i++) cluster.fork();
} else {
  process.on('disconnect', () => process.exit(0));
  listen();
}
