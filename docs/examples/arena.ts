import { Arena, Socket } from '@sock/core';

const [near, far] = Socket.pair();
await near.sendAll('hello');
{
  using arena = new Arena();
  const view = arena.alloc(4096);
  const count = await far.recv(view);
  console.log(`${view.subarray(0, count)}, from ${arena.bytesUsed} bytes of the arena`);
  console.log(arena.calloc(3, 1));
}

const arena = new Arena();
const waiting = far.recv(arena.alloc(4096));
arena.dispose();
await waiting.catch((error) => console.log(error.code));
near.close();
far.close();
