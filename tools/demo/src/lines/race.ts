import { once } from 'node:events';
import net from 'node:net';
import { performance } from 'node:perf_hooks';
import { connect, type ListeningSocket, listen, type Socket } from '@sock/core';
import { connectHappyEyeballs, Resolver, raceTrace } from '@sock/dns';
import type { Line, Outcome, Progress } from '../line.js';
import { openNameServer } from '../name-server.js';
import { timelineOf } from '../timeline.js';

const host = 'demo.test';
const silent = '127.0.0.2';
const working = '127.0.0.1';
const ipv6Loopback = Buffer.from([...Buffer.alloc(15), 1]);
const aaaaDelayMs = 400;
const greeting = 'hello';

/** Both addresses at one port: one with a full backlog, which takes no more, and one that works. */
async function openHosts() {
  for (;;) {
    const full = listen({ host: silent, backlog: 1 });
    const port = full.localPort ?? 0;
    try {
      const listener = listen({ host: working, port });
      const waiting = [
        await connect({ host: silent, port }),
        await connect({ host: silent, port }),
      ];
      return { port, listener, closing: [full, listener, ...waiting] };
    } catch (error) {
      full.close();
      // The port is somebody's at the other address.
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }
}

/** Greets whoever comes, and closes. */
async function greet(listener: ListeningSocket): Promise<void> {
  for await (const socket of listener) {
    await socket.sendAll(greeting);
    await socket.end();
  }
}

async function raceOurs(port: number, resolver: Resolver) {
  const startMs = performance.now();
  using socket: Socket = await connectHappyEyeballs(host, port, { resolver });
  const tookMs = performance.now() - startMs;
  const said = String(await socket.recvAll(greeting.length));
  return { said, tookMs, timeline: timelineOf(raceTrace(socket) ?? []) };
}

async function raceNet(port: number, { lookup }: Resolver) {
  const startMs = performance.now();
  const socket = net.connect({ host, port, lookup, autoSelectFamily: true });
  await once(socket, 'connect');
  const tookMs = performance.now() - startMs;
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return { said: String(chunk), tookMs };
}

async function run(progress: Progress): Promise<Outcome> {
  using server = await openNameServer([silent, working], [ipv6Loopback], aaaaDelayMs);
  using resolver = new Resolver({ engine: 'c-ares', servers: [server.address] });
  const { port, listener, closing } = await openHosts();
  const greeted = greet(listener);
  try {
    const ours = await raceOurs(port, resolver);
    progress.detail(`${Math.round(ours.tookMs)} ms`);
    const theirs = await raceNet(port, resolver);
    for (const { said } of [ours, theirs]) {
      if (said !== greeting) throw new Error(`somebody else said ${said}`);
    }
    return {
      figures: [{ unit: 'ms until connected', ours: ours.tookMs, theirs: theirs.tookMs }],
      verified: `${working} said hello to both; this is how ours went:`,
      drawing: ours.timeline,
    };
  } finally {
    for (const one of closing) one.close();
    await greeted;
  }
}

/** A host with a late AAAA answer, an address that refuses, one that is silent, one that works. */
export function raceLine(): Line {
  return {
    title: 'a host with one address of three that works',
    obstacle: () =>
      process.platform === 'linux' ? undefined : 'only Linux has all of 127.0.0.0/8',
    run,
  };
}
