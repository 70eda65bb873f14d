/** Reports whether the memory of chunks that reuse is kept once their socket is closed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Socket } from '@sock/core';

const { gc: collect } = globalThis as unknown as { gc: () => void };

async function iterate(near: Socket, far: Socket): Promise<WeakRef<ArrayBufferLike>> {
  const chunks = near.chunks({ size: 4096, reuse: true });
  // It waits first, so that it is received for.
  const step = chunks.next();
  await far.sendAll('x');
  const { value } = await step;
  return new WeakRef((value as Buffer).buffer);
}

async function main(): Promise<void> {
  const [near, far] = Socket.pair();
  const memory = await iterate(near, far);
  near.close();
  far.close();
  for (let round = 0; round < 200 && memory.deref() !== undefined; round++) {
    // Who looks at a WeakRef keeps its target alive for the time of a job.
    await sleep(5);
    collect();
  }
  console.log(JSON.stringify({ kept: memory.deref() !== undefined }));
}

void main();
