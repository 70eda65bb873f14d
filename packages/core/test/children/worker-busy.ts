/** A thread with operations of every kind under way, to be terminated in the middle of them. */
import { isMainThread, parentPort } from 'node:worker_threads';
import { connect, listen, Socket } from '@sock/core';

const ignore = (): void => {};

async function pingPong(): Promise<void> {
  const [near, far] = Socket.pair();
  const back = (async () => {
    for await (const chunk of far) await far.sendAll(chunk);
  })();
  back.catch(ignore);
  for (let round = 0; ; round++) {
    await near.sendAll('ping');
    await near.recvAll(4);
    if (round === 10) parentPort?.postMessage('busy');
  }
}

async function connections(): Promise<void> {
  const listener = listen({ host: '127.0.0.1' });
  const target = { host: '127.0.0.1', port: listener.localPort };
  (async () => {
    for await (const socket of listener) socket.recv(1, { timeout: 5 }).catch(ignore);
  })().catch(ignore);
  for (;;) (await connect(target)).close();
}

/** Makes everything busy, and tells when it is. */
export function beBusy(): void {
  const [near, far] = Socket.pair();
  near.recv().catch(ignore);
  near.sendAll(Buffer.alloc(1 << 22)).catch(ignore);
  far.chunks({ size: 1_000, reuse: true }).next().catch(ignore);
  new Socket({ family: 'ipv4' }).connect('localhost', 1).catch(ignore);
  listen({ path: `@sock-busy-${process.pid}-${Math.random()}` })
    .accept()
    .catch(ignore);
  pingPong().catch(ignore);
  connections().catch(ignore);
}

if (!isMainThread) beBusy();
