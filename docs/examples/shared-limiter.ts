import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { RateLimiter } from '@sock/core';

// What each thread runs; the memory comes as its workerData.
const program = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { RateLimiter } = require('@sock/core');
  const limiter = RateLimiter.from(workerData);
  let count = 0;
  while (limiter.tryAcquire()) count++;
  parentPort.postMessage(count);
`;

using limiter = new RateLimiter(0.01, 1000);
const workerData = limiter.share();
const threads = [1, 2].map(() => new Worker(program, { eval: true, workerData }));
const counts = await Promise.all(threads.map((thread) => once(thread, 'message')));
const [first, second] = counts.flat() as [number, number];
console.log(`${first + second} for two threads, ${limiter.available} left`);
