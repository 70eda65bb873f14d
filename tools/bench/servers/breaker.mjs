// Calls an async function through a circuit breaker, and prints what one call costs.
import { parseArgs } from 'node:util';
import { CircuitBreaker } from '@sock/reconnect';
import * as cockatiel from 'cockatiel';
import Opossum from 'opossum';

const { values } = parseArgs({
  options: { work: { type: 'string' }, by: { type: 'string' }, count: { type: 'string' } },
});
const calls = Number(values.count);
const resetMs = 3_600_000;

let count = 0;
const succeed = async () => ++count;
const fail = async () => {
  throw new Error('no');
};

/** Each as its documentation shows it, opening after five failures. */
const ways = {
  bare: () => ({ call: () => succeed(), open: async () => {} }),
  sock: () => {
    const breaker = new CircuitBreaker({ failureThreshold: 5, resetTimeout: resetMs });
    return { call: () => breaker.execute(succeed), open: () => breaker.execute(fail) };
  },
  cockatiel: () => {
    const policy = cockatiel.circuitBreaker(cockatiel.handleAll, {
      halfOpenAfter: resetMs,
      breaker: new cockatiel.ConsecutiveBreaker(5),
    });
    return { call: () => policy.execute(succeed), open: () => policy.execute(fail) };
  },
  opossum: () => {
    const options = { resetTimeout: resetMs, timeout: false, errorThresholdPercentage: 50 };
    let act = succeed;
    const breaker = new Opossum(() => act(), options);
    const open = async () => {
      act = fail;
      await breaker.fire();
    };
    return { call: () => breaker.fire(), open };
  },
};

const { call, open } = ways[values.by]();

async function succeedAll() {
  for (let made = 0; made < calls; made++) await call();
  return count;
}

async function refuseAll() {
  let refused = 0;
  for (let made = 0; made < calls; made++) {
    try {
      await call();
    } catch {
      refused++;
    }
  }
  return refused;
}

const run = values.work === 'open' ? refuseAll : succeedAll;
if (values.work === 'open') for (let made = 0; made < 10; made++) await open().catch(() => {});
// The first ones are slower: the compiler has seen nothing yet.
await run();
count = 0;
const startMs = performance.now();
const before = process.cpuUsage();
const done = await run();
const { user, system } = process.cpuUsage(before);
if (done !== calls) throw new Error(`${done} of ${calls} calls did as they should`);
const perSecond = (calls / (performance.now() - startMs)) * 1000;
console.log(JSON.stringify({ value: ((user + system) * 1000) / calls, perSecond }));
process.exit();
