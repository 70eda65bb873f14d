import { Socket } from '@sock/core';

const [near, far] = Socket.pair();
const tell = (error: Error): void => console.log(error.message);

// For one call, in milliseconds.
await near.recv(1024, { timeout: 20 }).catch(tell);

// For every call of this socket that brings no limit of its own.
near.setTimeouts({ operationTimeout: 20 });
await near.recv(1024).catch(tell);

// By a signal.
const controller = new AbortController();
const waiting = near.recv(1024, { signal: controller.signal });
controller.abort();
await waiting.catch(tell);

// A receive that was given up has taken nothing: the bytes are for the next one.
await far.sendAll('still here');
console.log(`${await near.recv()}`);

near.close();
far.close();
