// Begins timers, has them all at a time, cancels them all, and prints what one costs.
import { parseArgs } from 'node:util';
import { SocketPoll } from '@sock/poll';

const { values } = parseArgs({
  options: { work: { type: 'string' }, by: { type: 'string' }, count: { type: 'string' } },
});
const count = Number(values.count);

const hourMs = 3_600_000;
// Multiples of a prime, modulo the hour: all different, in no order. None of them fires.
const delays = {
  spread: (index) => hourMs + ((index * 1_299_709) % hourMs),
  same: () => hourMs,
};
const delayOf = delays[values.work];

function fire() {
  throw new Error('a timer has fired');
}

const poll = new SocketPoll();
const ways = {
  sock: {
    begin: (delayMs) => poll.addTimer(delayMs, fire),
    cancel: (timer) => timer.cancel(),
    areOver: (timers) => timers.every(({ remaining }) => remaining === -1),
  },
  node: {
    begin: (delayMs) => setTimeout(fire, delayMs),
    cancel: clearTimeout,
    areOver: () => !process.getActiveResourcesInfo().includes('Timeout'),
  },
};
const { begin, cancel, areOver } = ways[values.by];

function run() {
  const timers = [];
  for (let index = 0; index < count; index++) timers.push(begin(delayOf(index)));
  for (const timer of timers) cancel(timer);
  return timers;
}

// The first ones are slower: the compiler has seen nothing yet.
run();
const startMs = performance.now();
const before = process.cpuUsage();
const timers = run();
const { user, system } = process.cpuUsage(before);
const perSecond = (count / (performance.now() - startMs)) * 1000;
if (!areOver(timers)) throw new Error('a timer was not cancelled');
console.log(JSON.stringify({ value: ((user + system) * 1000) / count, perSecond }));
process.exit();
