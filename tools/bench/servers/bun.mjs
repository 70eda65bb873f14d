// Bun.listen. Bun hands out how many bytes the kernel took, so the rest waits for `drain`.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { announce, Framer, readOptions } from './contender.mjs';

const options = isMainThread ? readOptions() : workerData.options;

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
