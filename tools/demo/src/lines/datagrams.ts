import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { DatagramBatch, DatagramSocket } from '@sock/dgram';
import type { Effort } from '../effort.js';
import type { Line, Outcome, Progress } from '../line.js';

/** So many are under way at a time: what any socket's buffer holds. */
const burst = 64;
const size = 64;
const giveUpMs = 2_000;

/** Each has a number; what comes back is ticked off. */
class Tally {
  private readonly missing: Set<number>;

  constructor(readonly count: number) {
    this.missing = new Set(Array.from({ length: count }, (_, number) => number));
  }

  make(number: number): Buffer {
    const data = Buffer.alloc(size);
    data.writeUInt32LE(number);
    return data;
  }

  take(data: Buffer): void {
    const number = data.readUInt32LE();
    if (data.length !== size || !this.missing.delete(number)) {
      throw new Error(`datagram ${number} came back twice, or changed`);
    }
  }

  check(): void {
    if (this.missing.size > 0) throw new Error(`${this.missing.size} datagrams did not come back`);
  }
}

function bound(): DatagramSocket {
  const socket = new DatagramSocket({ family: 'ipv4' });
  socket.bind('127.0.0.1', 0);
  return socket;
}

async function echoOurs(server: DatagramSocket, count: number): Promise<void> {
  const batch = new DatagramBatch();
  for (let echoed = 0; echoed < count; ) {
    await server.recvBatchInto(batch, { timeout: giveUpMs });
    echoed += await server.sendBatch(batch);
  }
}

async function runOurs(tally: Tally): Promise<void> {
  using server = bound();
  using client = bound();
  client.tryConnect('127.0.0.1', server.localPort as number);
  const echoing = echoOurs(server, tally.count);
  for (let next = 0; next < tally.count; next += burst) {
    const data = Array.from({ length: burst }, (_, i) => ({ data: tally.make(next + i) }));
    await client.sendBatch(data);
    for (let back = 0; back < burst; ) {
      const answers = await client.recvBatch(burst, { timeout: giveUpMs });
      for (const answer of answers) tally.take(answer.data);
      back += answers.length;
    }
  }
  await echoing;
}

async function open(): Promise<Socket> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

async function runTheirs(tally: Tally): Promise<void> {
  const [server, client] = await Promise.all([open(), open()]);
  const { port } = server.address();
  server.on('message', (data, { address, port: from }) => server.send(data, from, address));
  try {
    for (let next = 0; next < tally.count; next += burst) {
      await new Promise<void>((resolve, reject) => {
        const alarm = setTimeout(() => reject(new Error('some did not come back')), giveUpMs);
        let back = 0;
        client.removeAllListeners('message').on('message', (data) => {
          tally.take(data);
          if (++back < burst) return;
          clearTimeout(alarm);
          resolve();
        });
        for (let i = 0; i < burst; i++) client.send(tally.make(next + i), port, '127.0.0.1');
      });
    }
  } finally {
    server.close();
    client.close();
  }
}

/** CPU of this process, which is both ends, for one datagram there and back. */
async function costOf(run: (tally: Tally) => Promise<void>, count: number): Promise<number> {
  const tally = new Tally(count);
  const before = process.cpuUsage();
  await run(tally);
  const { user, system } = process.cpuUsage(before);
  tally.check();
  return (user + system) / count;
}

async function run(count: number, progress: Progress): Promise<Outcome> {
  const ours = await costOf(runOurs, count);
  progress.detail('@sock/dgram is through');
  const theirs = await costOf(runTheirs, count);
  return {
    figures: [{ unit: 'µs CPU there and back', ours, theirs }],
    verified: `${count} datagrams came back once each, unchanged`,
  };
}

/** Datagrams that are echoed in batches, beside `node:dgram`. */
export function datagramsLine({ connections }: Effort): Line {
  const count = connections * 4 * burst;
  return {
    title: 'UDP, 64 datagrams at a time',
    obstacle: () => undefined,
    run: (progress) => run(count, progress),
  };
}
