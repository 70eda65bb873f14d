// Borrows connections and gives them back, and prints what one borrowing costs. Each pool is as its
// documentation shows it, and has real sockets.
import { parseArgs } from 'node:util';
import { Socket } from '@sock/core';
import { ClientPool } from '@sock/pool';
import generic from 'generic-pool';
import { createPool } from 'lightning-pool';
import { Pool } from 'tarn';

const { values } = parseArgs({
  options: { work: { type: 'string' }, by: { type: 'string' }, count: { type: 'string' } },
});
const count = Number(values.count);
const [borrowers, max] = values.work === 'line' ? [64, 8] : [1, 8];

const peers = [];
function make() {
  const [socket, peer] = Socket.pair();
  peers.push(peer);
  return socket;
}

const factory = { create: async () => make(), destroy: async (socket) => socket.close() };

const ways = {
  sock: () => {
    const pool = new ClientPool({ host: 'service', port: 1, max, connect: factory.create });
    return { acquire: () => pool.acquire(), release: (socket) => pool.release(socket) };
  },
  generic: () => {
    const pool = generic.createPool(factory, { max });
    return { acquire: () => pool.acquire(), release: (socket) => pool.release(socket) };
  },
  tarn: () => {
    const pool = new Pool({ ...factory, min: 0, max });
    return { acquire: () => pool.acquire().promise, release: (socket) => pool.release(socket) };
  },
  lightning: () => {
    const pool = createPool(factory, { max, maxQueue: 1000 });
    return { acquire: () => pool.acquire(), release: (socket) => pool.release(socket) };
  },
};

const { acquire, release } = ways[values.by]();

let borrowed = 0;
async function borrow(times) {
  for (let made = 0; made < times; made++) {
    const socket = await acquire();
    if (socket.fd >= 0) borrowed++;
    release(socket);
  }
}

async function run() {
  borrowed = 0;
  await Promise.all(Array.from({ length: borrowers }, () => borrow(Math.ceil(count / borrowers))));
  return borrowed;
}

// The first ones are slower: the compiler has seen nothing yet.
await run();
const startMs = performance.now();
const before = process.cpuUsage();
const done = await run();
const { user, system } = process.cpuUsage(before);
if (done < count) throw new Error(`${done} of ${count} got a connection`);
const perSecond = (done / (performance.now() - startMs)) * 1000;
console.log(JSON.stringify({ value: ((user + system) * 1000) / done, perSecond }));
process.exit();
