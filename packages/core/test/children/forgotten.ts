/** Drops a socket without closing it, and reports what becomes of its descriptor. */
import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { listen, Socket } from '@sock/core';

const { gc: collect } = globalThis as unknown as { gc: () => void };

/** Sockets but for standard input and output, which may be some too. */
function openCount(): number {
  const opened = readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return Number(fd) > 2 && readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:');
    } catch {
      return false;
    }
  });
  return opened.length;
}

const ways: Record<string, () => Promise<void> | void> = {
  'was never used': () => {
    new Socket({ family: 'ipv4' });
  },
  'was used': async () => {
    const [near, far] = Socket.pair();
    await near.sendAll('x');
    await far.recv();
    far.close();
  },
  'had a timeout': async () => {
    const [near, far] = Socket.pair();
    await near.recv(1, { timeout: 5 }).catch(() => {});
    far.close();
  },
  'had a signal': async () => {
    const [near, far] = Socket.pair();
    const controller = new AbortController();
    const waiting = near.recv(1, { signal: controller.signal });
    controller.abort();
    await waiting.catch(() => {});
    far.close();
  },
  'failed to connect': async () => {
    const socket = new Socket({ family: 'unix' });
    await socket.connectUnix('@sock-nobody-listens-here').catch(() => {});
  },
  listened: async () => {
    const listener = listen({ host: '127.0.0.1' });
    await listener.accept({ timeout: 5 }).catch(() => {});
  },
};

/** V8 keeps whoever is on the stack of an error, and the last error is kept. */
function forgetLastError(): void {
  const socket = new Socket({ family: 'unix' });
  socket.close();
  try {
    socket.trySend('');
  } catch {
    // Now this one is the last.
  }
}

async function main(way: string): Promise<void> {
  let warnings = 0;
  process.on('warning', ({ message }) => {
    if (message.includes('collected without close()')) warnings++;
  });
  const before = openCount();
  await ways[way]?.();
  forgetLastError();
  const dropped = openCount() - before;
  // A socket is looked after by the collector only once it has lived for a second.
  for (let round = 0; round < 200 && openCount() > before; round++) {
    collect();
    await sleep(25);
  }
  await sleep(1);
  console.log(JSON.stringify({ dropped, left: openCount() - before, warnings }));
}

void main(process.argv[2] ?? '');
