/** Draws on a limiter that is shared, in every way, until it is terminated or told to stop. */
import { parentPort, workerData } from 'node:worker_threads';
import { RateLimiter } from '@sock/core';

const { shared, counts, waits } = workerData as {
  shared: SharedArrayBuffer;
  /** How many tokens all have drawn, and whether to stop. */
  counts: Int32Array;
  waits: boolean;
};
const limiter = RateLimiter.from(shared);

async function draw(): Promise<void> {
  parentPort?.postMessage('drawing');
  while (Atomics.load(counts, 1) === 0) {
    if (waits) {
      await limiter.acquire(2);
      Atomics.add(counts, 0, 2);
    } else {
      for (let i = 0; i < 1_000; i++) if (limiter.tryAcquire()) Atomics.add(counts, 0, 1);
      await new Promise(setImmediate);
    }
  }
}

void draw().then(() => parentPort?.close());
