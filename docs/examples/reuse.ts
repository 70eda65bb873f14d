import { createHash } from 'node:crypto';
import { Socket } from '@sock/core';

const [near, far] = Socket.pair();
const sending = near.sendAll(Buffer.alloc(4 * 1024 * 1024, 'x')).then(() => near.end());

// One memory for all chunks: update() is done with each before the next one overwrites it.
const hash = createHash('sha256');
for await (const chunk of far.chunks({ size: 64 * 1024, reuse: true })) hash.update(chunk);
console.log(hash.digest('hex'));
far.close();
await sending;
