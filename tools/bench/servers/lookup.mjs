// Looks names up, in namespaces of its own that the bench made, and prints what that cost.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import dns from 'node:dns';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { Resolver } from '@sock/dns';

const { values } = parseArgs({
  options: {
    workload: { type: 'string' },
    by: { type: 'string' },
    hosts: { type: 'string' },
    server: { type: 'string' },
    lookups: { type: 'string' },
    names: { type: 'string' },
    inFlight: { type: 'string' },
  },
});
const lookups = Number(values.lookups);
const names = Array.from({ length: Number(values.names) }, (_, index) => `host-${index}.test`);
const inFlight = Number(values.inFlight);
const address = '127.0.0.1';
const hangingMs = 500;
const filesAtOnce = 8;

/** dnsmasq with the names of the hosts file, which nobody else reads then. */
async function startDnsmasq() {
  const flags = ['--no-daemon', '--no-resolv', '--no-hosts', `--addn-hosts=${values.hosts}`];
  const where = ['--conf-file=/dev/null', '--user=root', `--listen-address=${address}`];
  const child = spawn('dnsmasq', [...flags, ...where, '--bind-interfaces', '--log-facility=-']);
  await once(child.stderr, 'data');
  return child;
}

/** A name server that takes every question and answers none. */
async function startSilent() {
  const socket = createSocket('udp4').bind(53, address);
  await once(socket, 'listening');
  socket.unref();
}

const ways = {
  sock: ({ timeout = 60_000, cache } = {}) => {
    const resolver = new Resolver({ timeout, maxPending: 100_000, cache });
    return async (name) => (await resolver.resolve(name, 0, { family: 'ipv4' }))[0].address;
  },
  'sock-lookup': ({ timeout = 60_000, cache } = {}) => {
    const { lookup } = new Resolver({ timeout, maxPending: 100_000, cache });
    return (name) =>
      new Promise((resolve, reject) => {
        lookup(name, 4, (error, found) => (error === null ? resolve(found) : reject(error)));
      });
  },
  'sock-c-ares': ({ timeout = 60_000, cache } = {}) => {
    const options = { engine: 'c-ares', servers: [address], timeout, maxPending: 100_000, cache };
    const resolver = new Resolver(options);
    return async (name) => (await resolver.resolve(name, 0, { family: 'ipv4' }))[0].address;
  },
  node: () => {
    const lookup = promisify(dns.lookup);
    return async (name) => (await lookup(name, 4)).address;
  },
  'node-resolver': () => {
    const resolver = new dns.promises.Resolver();
    resolver.setServers([address]);
    return async (name) => (await resolver.resolve4(name))[0];
  },
};

const way = (options) => ways[values.by](options);
const quantile = (sorted, share) => sorted[Math.floor((sorted.length - 1) * share)];

/** All lookups, so many at a time, and what each took. */
async function timeAll(look) {
  const tookUs = [];
  let next = 0;
  const work = async () => {
    while (next < lookups) {
      const name = names[next++ % names.length];
      const startMs = performance.now();
      if ((await look(name)) !== address) throw new Error(`a wrong address for ${name}`);
      tookUs.push((performance.now() - startMs) * 1000);
    }
  };
  const startMs = performance.now();
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: Math.min(inFlight, lookups) }, work));
  const { user, system } = process.cpuUsage(before);
  tookUs.sort((a, b) => a - b);
  return {
    value: (user + system) / lookups,
    perSecond: (lookups / (performance.now() - startMs)) * 1000,
    p50Us: quantile(tookUs, 0.5),
    p99Us: quantile(tookUs, 0.99),
  };
}

/** Lookups that nobody answers; each may fail as it likes. */
function hang(look, count) {
  for (let index = 0; index < count; index++) look(`silent-${index}.example`).catch(() => {});
}

function threads() {
  return Number(/^Threads:\s+(\d+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
}

function residentKib() {
  return Number(/^Rss:\s+(\d+) kB/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))[1]);
}

const works = {
  lookups: async () => {
    const look = way();
    // The first ones are slower: the compiler has seen nothing yet.
    await timeAll(look);
    return timeAll(look);
  },
  cached: async () => {
    const look = way({ cache: { max: names.length } });
    await timeAll(look);
    return timeAll(look);
  },
  files: async () => {
    hang(way({ timeout: 5_000 }), inFlight);
    await sleep(50);
    const tookMs = [];
    for (let index = 0; index < lookups; index++) {
      const startMs = performance.now();
      await Promise.all(Array.from({ length: filesAtOnce }, () => readFile('/etc/hosts')));
      tookMs.push(performance.now() - startMs);
    }
    tookMs.sort((a, b) => a - b);
    return { value: quantile(tookMs, 0.99), p50Us: quantile(tookMs, 0.5) * 1000 };
  },
  behind: async () => {
    const look = way({ timeout: hangingMs });
    hang(look, inFlight);
    await sleep(50);
    const startMs = performance.now();
    const tries = async () => {
      // Where its own time is over behind the others, it is asked again.
      while ((await look('host-0.test').catch(() => undefined)) !== address);
    };
    await Promise.race([tries(), sleep(10_000, undefined, { ref: false })]);
    return { value: performance.now() - startMs };
  },
  threads: async () => {
    const before = threads();
    const look = way({ timeout: hangingMs });
    hang(look, inFlight);
    await sleep(3 * hangingMs);
    return { value: threads() - before };
  },
  memory: async () => {
    const look = way({ timeout: hangingMs });
    globalThis.gc();
    const before = residentKib();
    hang(look, inFlight);
    await sleep(3 * hangingMs);
    globalThis.gc();
    return { value: residentKib() - before };
  },
};

const dnsmasq = values.server === 'dnsmasq' ? await startDnsmasq() : undefined;
if (values.server === 'silent') await startSilent();
try {
  console.log(JSON.stringify(await works[values.workload]()));
} catch (error) {
  console.error(error);
}
dnsmasq?.kill('SIGKILL');
// Threads that hang in the C library would hold up an orderly end.
process.kill(process.pid, 'SIGKILL');
