import { Socket } from '@sock/core';

const [near, far] = Socket.pair();

// With a promise: the event loop runs on.
await near.sendAll('ping');
console.log(`${await far.recv()}`);

// Blocking: this thread stands still until it is done.
near.sendAllSync('ping');
console.log(`${far.recvSync()}`);

// Without waiting: null where the other two would wait.
near.trySend('ping');
console.log(`${far.tryRecv()}`);
console.log(`${far.tryRecv()}`);

near.close();
far.close();
