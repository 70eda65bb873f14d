import { Socket } from '@sock/core';

const [near, far] = Socket.pair();
const data = Buffer.alloc(150_000, 'x');

near.setBandwidth(100_000);
const receiving = far.recvAll(data.length);
const start = performance.now();
for (let rest = data; rest.length > 0; ) {
  rest = rest.subarray(await near.sendLimited(rest));
}
const ms = performance.now() - start;
console.log(`${(await receiving).length} bytes in half a second or more: ${ms >= 499}`);

// The other direction has a bucket of its own, which is still full.
console.log(near.bandwidthWaitMs(100_000, 'read'), near.bandwidthWaitMs(100_000) > 0);
near.close();
far.close();
