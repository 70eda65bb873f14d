import type { StreamSocket } from '@sock/core';
import { type Checks, turns } from './trial.js';

/** Ends a loop that starves the timers, which could not end it themselves. */
const patienceMs = 3_000;

/** Sends and receives without pause until told to stop; how many chunks went through. */
async function flood(from: StreamSocket, to: StreamSocket, stop: () => boolean): Promise<number> {
  const untilMs = performance.now() + patienceMs;
  const isOver = () => stop() || performance.now() > untilMs;
  const data = Buffer.alloc(32 * 1024);
  const sending = (async () => {
    while (!isOver()) await from.sendAll(data);
    await from.shutdown();
  })();
  let chunks = 0;
  for await (const _ of to) chunks++;
  await sending;
  return chunks;
}

/** A busy stream leaves room for everything else on its event loop. */
export const fairness: Checks = {
  async 'a timer fires on time beside a stream that is flooded'(t) {
    const [near, far] = await t.pair();
    const startMs = performance.now();
    let firedMs = Number.POSITIVE_INFINITY;
    setTimeout(() => {
      firedMs = performance.now();
    }, 20);
    const chunks = await flood(near, far, () => firedMs !== Number.POSITIVE_INFINITY);
    expect(firedMs - startMs).toBeLessThan(patienceMs / 2);
    expect(chunks).toBeGreaterThan(0);
  },

  async 'another stream is served beside one that is flooded'(t) {
    const [near, far] = await t.pair();
    const [quiet, quietPeer] = await t.pair();
    let answered = false;
    const waiting = quiet.recv().then((bytes) => {
      answered = true;
      return bytes.toString();
    });
    const flooding = flood(near, far, () => answered);
    await turns(2);
    quietPeer.sendAllSync('me too');
    const startMs = performance.now();
    expect(await waiting).toBe('me too');
    expect(performance.now() - startMs).toBeLessThan(patienceMs / 2);
    expect(await flooding).toBeGreaterThan(0);
  },

  async 'a long run of small reads that never wait lets timers run'(t) {
    const [near, far] = await t.pair();
    const count = 20_000;
    const sent = far.sendAll(Buffer.alloc(count)).then(() => far.shutdown());
    let ticks = 0;
    const ticker = setInterval(() => ticks++, 0);
    let bytes = 0;
    try {
      for await (const chunk of near.chunks({ size: 1 })) bytes += chunk.length;
    } finally {
      clearInterval(ticker);
    }
    await sent;
    expect(bytes).toBe(count);
    expect(ticks).toBeGreaterThan(1);
  },

  async 'a long run of sends that never wait lets timers run'(t) {
    const [near, far] = await t.pair();
    const count = 5_000;
    const received = far.recvAll(count);
    let ticks = 0;
    const ticker = setInterval(() => ticks++, 0);
    try {
      for (let sent = 0; sent < count; sent++) await near.send('x');
    } finally {
      clearInterval(ticker);
    }
    expect(await received).toHaveLength(count);
    expect(ticks).toBeGreaterThan(1);
  },
};
