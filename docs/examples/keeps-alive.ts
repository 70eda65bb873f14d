import { Socket } from '@sock/core';

const [near, far] = Socket.pair();
process.once('beforeExit', () => {
  console.log(`ends with an open connection: ${near.isConnected}`);
  near.close();
  far.close();
});

// While somebody waits, the process stays; afterwards nobody does, and it ends by itself.
setTimeout(() => far.trySend('here I am'), 20).unref();
console.log(String(await near.recv()));
