// Waits for one event after the other, beside descriptors that are watched and idle, and prints
// what one event costs. The socket that is ready stays so: nothing but the poll is measured.
import { parseArgs } from 'node:util';
import { Socket } from '@sock/core';
import { PollEvents, SocketPoll } from '@sock/poll';

const { values } = parseArgs({
  options: { work: { type: 'string' }, by: { type: 'string' }, count: { type: 'string' } },
});
const count = Number(values.count);
const [, form, idleCount] = values.by.split('-');
// A try in the small makes do with few descriptors.
const idle = Math.min(Number(idleCount), count);

const poll = new SocketPoll();
const sockets = [];
for (let watched = 0; watched < idle; watched += 2) {
  const pair = Socket.pair();
  sockets.push(...pair);
  for (const socket of pair) poll.add(socket, PollEvents.Read);
}
const [near, far] = Socket.pair();
sockets.push(near, far);
poll.add(near, PollEvents.Read);
far.trySend('x');

function check(events) {
  if (events.length !== 1 || events[0].socket !== near)
    throw new Error('not the one that is ready');
}

const forms = {
  sync: async () => {
    for (let seen = 0; seen < count; seen++) check(poll.waitSync());
  },
  wait: async () => {
    for (let seen = 0; seen < count; seen++) check(await poll.wait());
  },
};
const run = forms[form];
// The first ones are slower: the compiler has seen nothing yet.
await run();
const startMs = performance.now();
const before = process.cpuUsage();
await run();
const { user, system } = process.cpuUsage(before);
const perSecond = (count / (performance.now() - startMs)) * 1000;
if (poll.size !== idle + 1) throw new Error(`${poll.size} descriptors are watched`);
console.log(JSON.stringify({ value: ((user + system) * 1000) / count, perSecond }));
poll.close();
for (const socket of sockets) socket.close();
process.exit();
