// Bun.listen.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { drain, write } from './bun-writes.mjs';
import { announce, Framer, readOptions } from './contender.mjs';

const options = isMainThread ? readOptions() : workerData.options;

const handlers = {
  echo: { data: write, drain },
  pipeline: {
    data: (socket, chunk) => socket.data.framer.push(chunk, (frame) => write(socket, frame)),
    drain,
  },
  connect: { data: (socket, chunk) => socket.end(chunk) },
  idle: { data: write, drain },
};

let accepted = 0;
const server = globalThis.Bun.listen({
  ...(options.path === undefined
    ? { hostname: '127.0.0.1', port: isMainThread ? 0 : workerData.port }
    : { unix: options.path }),
  ...(options.workers > 1 ? { reusePort: true } : {}),
  socket: {
    open: (socket) => {
      accepted++;
      socket.data = {
        pending: [],
        framer: options.workload === 'pipeline' ? new Framer(options.size) : null,
      };
    },
    ...handlers[options.workload],
  },
});

if (isMainThread) {
  const { port } = server;
  await Promise.all(
    Array.from({ length: options.workers - 1 }, () => {
      const worker = new Worker(new URL(import.meta.url), { workerData: { options, port } });
      return new Promise((resolve) => worker.once('message', resolve));
    }),
  );
  announce({ port: port ?? 0, workers: options.workers, accepted: () => accepted });
} else {
  parentPort.postMessage('listening');
}
