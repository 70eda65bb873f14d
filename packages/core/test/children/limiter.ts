/** Several threads on one limiter, of which some are terminated in the middle of drawing. */
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { monotonicMs, RateLimiter } from '@sock/core';

const rate = 50_000;

/** Draws until there is nothing, and says how much that was. */
function drain(limiter: RateLimiter): number {
  let drained = 0;
  for (let n = limiter.available; n > 0; n = limiter.available) {
    if (limiter.tryAcquire(n)) drained += n;
  }
  return drained;
}

async function run(): Promise<void> {
  // So large that nothing is lost however seldom a thread gets its turn: all can be accounted for.
  using limiter = new RateLimiter(rate, rate * 3_600);
  const shared = limiter.share();
  const counts = new Int32Array(new SharedArrayBuffer(8));
  const start = (waits: boolean): Worker =>
    new Worker(join(__dirname, 'worker-limiter.js'), { workerData: { shared, counts, waits } });

  const outerStartMs = monotonicMs();
  drain(limiter);
  const innerStartMs = monotonicMs();
  const staying = [start(false), start(true)];
  await Promise.all(staying.map((worker) => once(worker, 'message')));
  for (let i = 0; i < 8; i++) {
    const terminated = start(i % 2 === 0);
    await once(terminated, 'message');
    await sleep(5);
    await terminated.terminate();
  }
  const exits = staying.map((worker) => once(worker, 'exit'));
  Atomics.store(counts, 1, 1);
  await Promise.all(exits);
  const innerEndMs = monotonicMs();
  const total = Atomics.load(counts, 0) + drain(limiter);
  const outerEndMs = monotonicMs();
  console.log(
    JSON.stringify({
      total,
      drawn: Atomics.load(counts, 0),
      atMost: ((outerEndMs - outerStartMs) * rate) / 1000,
      atLeast: ((innerEndMs - innerStartMs) * rate) / 1000,
    }),
  );
}

void run();
