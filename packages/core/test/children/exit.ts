/** Comes to the end of its script with sockets open, in one of several ways. */
import { connect, listen, Socket } from '@sock/core';

const ignore = (): void => {};

const ways: Record<string, () => Promise<void> | void> = {
  'idle sockets': async () => {
    const listener = listen({ host: '127.0.0.1' });
    const target = { host: '127.0.0.1', port: listener.localPort };
    await Promise.all([connect(target), listener.accept()]);
    Socket.pair();
  },
  'a pending recv that is unreferenced': () => {
    const [near] = Socket.pair();
    near.recv().catch(ignore);
    near.unref();
  },
  'a socket unreferenced before it waits': () => {
    const [near] = Socket.pair();
    near.unref().recv().catch(ignore);
  },
  'a deadline of an unreferenced socket': () => {
    const [near] = Socket.pair();
    near.unref();
    near.recv(1, { timeout: 60_000 }).catch(ignore);
  },
  'operations that are over': async () => {
    const [near, far] = Socket.pair();
    const waiting = near.recv(1, { timeout: 60_000 });
    await far.sendAll('x');
    await waiting;
  },
  'operations that were aborted': async () => {
    const [near] = Socket.pair();
    const controller = new AbortController();
    const waiting = near.recv(1, { signal: controller.signal });
    controller.abort();
    await waiting.catch(ignore);
  },
  'a lookup that is over': async () => {
    await connect({ host: 'localhost', port: 1 }).catch(ignore);
  },
  'a closed socket': () => {
    const [near, far] = Socket.pair();
    near.recv().catch(ignore);
    near.close();
    far.close();
  },
  'process.exit in the middle of everything': async () => {
    listen({ host: '127.0.0.1' }).accept().catch(ignore);
    const [near] = Socket.pair();
    near.recv().catch(ignore);
    near.sendAll(Buffer.alloc(1 << 24)).catch(ignore);
    new Socket({ family: 'ipv4' }).connect('localhost', 1).catch(ignore);
    setTimeout(() => process.exit(0), 20);
    for (;;) {
      const [one, two] = Socket.pair();
      await one.sendAll('x');
      await two.recv();
      one.close();
      two.close();
      await new Promise(setImmediate);
    }
  },
  'a pending recv': () => {
    Socket.pair()[0].recv().catch(ignore);
  },
  'a pending recv, referenced again': () => {
    const [near] = Socket.pair();
    near.recv().catch(ignore);
    near.unref().ref();
  },
  'a pending accept': () => {
    listen({ host: '127.0.0.1' }).accept().catch(ignore);
  },
  'a queued send': () => {
    const [near, far] = Socket.pair();
    // Held, so that it is not collected: a send that fails would be over.
    setTimeout(() => far.close(), 60_000).unref();
    near.sendAll(Buffer.alloc(1 << 24)).catch(ignore);
  },
};

console.log('begun');
void ways[process.argv[2] ?? '']?.();
