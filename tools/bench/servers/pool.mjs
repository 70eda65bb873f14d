// Finds, adds and removes connections where 10,000 are, and prints what one such operation costs.
import { parseArgs } from 'node:util';
import { connect, listen } from '@sock/core';
import { SocketPool } from '@sock/pool';

const { values } = parseArgs({
  options: { work: { type: 'string' }, by: { type: 'string' }, count: { type: 'string' } },
});
const count = Number(values.count);
const present = 10_000;
const newcomersMax = 4_000;
/** Held, or they would be collected. */
const peers = [];

/** What a pool takes for a socket, without a descriptor: of those there would be too many. */
function guest(number) {
  const verb = () => {};
  const remoteAddress = `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`;
  return {
    fd: 1,
    remoteAddress,
    bytesRead: 0,
    bytesWritten: 0,
    send: verb,
    recv: verb,
    close: verb,
  };
}

/**
 * Those that come and go are real ones: their peers' address has to be asked for. They are many,
 * since a Map grows slow over one key that comes again and again.
 */
async function dialAll() {
  const listener = listen({ host: '127.0.0.1' });
  const sockets = [];
  while (sockets.length < Math.min(newcomersMax, count)) {
    const ends = await Promise.all([
      connect({ host: '127.0.0.1', port: listener.localPort }),
      listener.accept(),
    ]);
    sockets.push(ends[1]);
    peers.push(ends[0]);
  }
  return sockets;
}

const ways = {
  map: () => {
    const connections = new Map();
    return {
      add: (socket) => void connections.set(socket, { socket }),
      remove: (socket) => connections.delete(socket),
      get: (socket) => connections.get(socket) ?? null,
    };
  },
  sock: () => {
    const pool = new SocketPool({ maxConnections: 2 * present });
    if (values.work === 'add-limited') {
      pool.setMaxPerIp(10_000);
      pool.setPrefixLimits({ ipv4: { prefix: 24, max: 1000 } });
      pool.setConnectionRate(1e9, 1e9);
      pool.deny = Array.from({ length: 64 }, (_, at) => `192.0.2.${at}/32`);
    }
    return {
      add: (socket) => void pool.add(socket),
      remove: (socket) => pool.remove(socket),
      get: (socket) => pool.get(socket),
    };
  },
};

const { add, remove, get } = ways[values.by]();
const guests = Array.from({ length: present }, (_, number) => guest(number));
for (const one of guests) add(one);
const newcomers = values.work === 'get' ? [] : await dialAll();

function getAll() {
  let found = 0;
  // A stride that meets all of them, in no order of theirs.
  for (let made = 0, at = 0; made < count; made++, at = (at + 7919) % present) {
    if (get(guests[at]) !== null) found++;
  }
  return found;
}

function addAll() {
  let gone = 0;
  for (let made = 0; made < count; made++) {
    const newcomer = newcomers[made % newcomers.length];
    add(newcomer);
    if (remove(newcomer)) gone++;
  }
  return gone;
}

const run = values.work === 'get' ? getAll : addAll;
// The first ones are slower: the compiler has seen nothing yet.
run();
const startMs = performance.now();
const before = process.cpuUsage();
const done = run();
const { user, system } = process.cpuUsage(before);
if (done !== count) throw new Error(`${done} of ${count} did as they should`);
const perSecond = (count / (performance.now() - startMs)) * 1000;
console.log(JSON.stringify({ value: ((user + system) * 1000) / count, perSecond }));
process.exit();
