/** One of several threads that share a port: echoes until told to stop. */
import { parentPort, workerData } from 'node:worker_threads';
import { listen, type Socket } from '@sock/core';

const { port } = workerData as { port: number };
const listener = listen({ host: '127.0.0.1', port, reusePort: true });
let served = 0;

async function echo(socket: Socket): Promise<void> {
  served++;
  for await (const chunk of socket) await socket.sendAll(chunk);
  socket.close();
}

async function serve(): Promise<void> {
  for await (const socket of listener) echo(socket).catch(() => {});
}

void serve().then(() => {
  parentPort?.postMessage({ served });
  parentPort?.close();
});
parentPort?.once('message', () => listener.close());
parentPort?.postMessage({ port: listener.localPort });
