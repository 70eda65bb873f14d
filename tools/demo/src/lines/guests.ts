import { performance } from 'node:perf_hooks';
import { listen, Socket, SocketError } from '@sock/core';
import { SocketPool } from '@sock/pool';
import type { Line, Outcome, Progress } from '../line.js';

const addresses = 20;
const eachDials = 10;
const eachMay = 3;
const dials = addresses * eachDials;
const allowed = addresses * eachMay;

/**
 * Comes from an address of its own; all of 127/8 are this host's. Whether it was let in: a word
 * came, and not a reset, which may meet the connect already.
 */
async function isLetIn(guest: Socket, from: string, port: number): Promise<boolean> {
  guest.bind(from, 0);
  try {
    await guest.connect('127.0.0.1', port);
    return String(await guest.recv()) === 'in';
  } catch (error) {
    if (!(error instanceof SocketError) || error.code !== 'ECONNRESET') throw error;
    return false;
  }
}

async function welcome(pool: SocketPool, listener: ReturnType<typeof listen>): Promise<void> {
  for (;;) {
    const { socket } = await pool.acceptLimited(listener);
    await socket.sendAll('in');
  }
}

async function run(progress: Progress): Promise<Outcome> {
  using listener = listen({ host: '127.0.0.1' });
  using pool = new SocketPool({ maxConnections: dials });
  pool.setMaxPerIp(eachMay);
  const port = listener.localPort as number;
  const welcoming = welcome(pool, listener).catch(() => {});
  const startMs = performance.now();
  const guests = Array.from({ length: dials }, () => new Socket({ family: 'ipv4' }));
  progress.detail(`${dials} come from ${addresses} addresses`);
  const answers = await Promise.all(
    guests.map((guest, index) => isLetIn(guest, `127.0.1.${index % addresses}`, port)),
  );
  const letIn = answers.filter((isIn) => isIn).length;
  const tookMs = performance.now() - startMs;
  const refused = pool.stats.rejected['per-ip'];
  for (const guest of guests) guest.close();
  pool.close();
  await welcoming;
  if (letIn !== allowed || refused !== dials - allowed) {
    throw new Error(`${letIn} were let in, and ${refused} refused`);
  }
  const perSecond = (dials * 1000) / tookMs;
  return {
    figures: [{ unit: 'guests/s, most of them turned away', ours: perSecond, theirs: undefined }],
    verified: `${letIn} let in, ${refused} refused: ${eachMay} of each address`,
  };
}

/** A server that lets so many of each address in, for which node:net has no means. */
export function guestsLine(): Line {
  return {
    title: `a pool of guests, ${eachMay} of each address`,
    obstacle: () =>
      process.platform === 'linux' ? undefined : 'other systems have one loopback address',
    run: (progress) => run(progress),
  };
}
