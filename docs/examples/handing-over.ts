import { Worker } from 'node:worker_threads';
import { connect, listen } from '@sock/core';

const worker = new Worker(
  `
  const { parentPort } = require('node:worker_threads');
  const { Socket } = require('@sock/core');
  parentPort.once('message', async (fd) => {
    const socket = Socket.fromFd(fd);
    for await (const chunk of socket) await socket.sendAll('worker: ' + chunk);
    socket.close();
  });
  `,
  { eval: true },
);

const server = listen({ host: '127.0.0.1' });
const near = await connect({ host: '127.0.0.1', port: server.localPort });
const far = await server.accept();
server.close();

// Here it is closed from now on; the connection goes on there.
worker.postMessage(far.detach());
await near.sendAll('hello');
console.log(`${await near.recv()}`);
await near.end();
