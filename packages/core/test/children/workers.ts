/** Starts threads that use sockets, in one of several ways, and reports what is left of them. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type * as Core from '@sock/core';

const openCount = (): number => readdirSync('/proc/self/fd').length;
const start = (name: string, workerData?: unknown): Worker =>
  new Worker(join(__dirname, `${name}.js`), { workerData });

const heard = <T>(worker: Worker): Promise<T> =>
  new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });

/** Descriptors that are closed by other threads may take a moment. */
async function settledCount(atMost: number): Promise<number> {
  for (let round = 0; round < 200 && openCount() > atMost; round++) await sleep(5);
  return openCount();
}

async function terminateMany(total: number): Promise<unknown> {
  // The first one brings threads and descriptors of Node's own, which stay.
  const first = start('worker-busy');
  await heard(first);
  await first.terminate();
  const before = await settledCount(0);
  for (let count = 0; count < total; count += 4) {
    const workers = [0, 1, 2, 3].map(() => start('worker-busy'));
    await Promise.all(
      workers.map(async (worker, index) => {
        // Some have not even loaded by then, some are in the middle of it.
        if (index === 0) await sleep(count % 40);
        else await heard(worker);
        await worker.terminate();
      }),
    );
  }
  return { left: (await settledCount(before)) - before };
}

async function shareOnePort(): Promise<unknown> {
  const { connect } = require('@sock/core') as typeof Core;
  const first = start('worker-echo', { port: 0 });
  const { port } = await heard<{ port: number }>(first);
  const others = [1, 2].map(() => start('worker-echo', { port }));
  await Promise.all(others.map((worker) => heard(worker)));
  const workers = [first, ...others];
  await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      const socket = await connect({ host: '127.0.0.1', port });
      await socket.sendAll(`number ${index}`);
      const answer = await socket.recvAll(`number ${index}`.length);
      if (String(answer) !== `number ${index}`) throw new Error('bytes went wrong');
      await socket.end();
    }),
  );
  const exits = workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
  const counts = workers.map((worker) => heard<{ served: number }>(worker));
  for (const worker of workers) worker.postMessage('stop');
  const served = (await Promise.all(counts)).map((count) => count.served);
  await Promise.all(exits);
  return { total: served.reduce((sum, count) => sum + count), shares: served.length };
}

/** The addon is loaded and unloaded by workers alone, one after the other. */
async function onlyInWorkers(): Promise<unknown> {
  let exits = 0;
  for (let round = 0; round < 5; round++) {
    const worker = start('worker-echo', { port: 0 });
    await heard(worker);
    const exit = new Promise((resolve) => worker.once('exit', resolve));
    worker.postMessage('stop');
    await exit;
    exits++;
  }
  return { exits, loadedHere: Object.keys(require.cache).some((path) => path.endsWith('.node')) };
}

/** The process ends while threads are busy. */
async function exitWhileBusy(): Promise<unknown> {
  await Promise.all([1, 2].map(() => heard(start('worker-busy'))));
  (require('./worker-busy.js') as { beBusy: () => void }).beBusy();
  await sleep(20);
  console.log(JSON.stringify('exiting'));
  process.exit(0);
}

const ways: Record<string, () => Promise<unknown>> = {
  'terminate many': () => terminateMany(Number(process.argv[3])),
  'share one port': shareOnePort,
  'only in workers': onlyInWorkers,
  'exit while busy': exitWhileBusy,
};

void ways[process.argv[2] ?? '']?.().then((report) => console.log(JSON.stringify(report)));
