import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { type Server, serve } from '@sock/core';
import { ReconnectingSocket } from '@sock/reconnect';
import type { Line, Outcome, Progress } from '../line.js';
import { median } from '../median.js';

const rounds = 20;
const unlimited = Number.POSITIVE_INFINITY;

function open(port: number): Server {
  return serve({ host: '127.0.0.1', port }, async (socket) => {
    for await (const chunk of socket) await socket.sendAll(chunk);
  });
}

/** One loss, and how long after the server is there again the connection is. */
async function loseAndReturn(link: ReconnectingSocket, server: Server): Promise<[Server, number]> {
  const port = server.localPort as number;
  const receiving = link.recv().catch(() => {});
  server.close();
  await receiving;
  // It has tried, in vain, by then.
  while (link.failures < 3) await once(link, 'state');
  const again = open(port);
  const startMs = performance.now();
  await link.connect();
  return [again, performance.now() - startMs];
}

async function run(progress: Progress): Promise<Outcome> {
  let server = open(0);
  using link = new ReconnectingSocket('127.0.0.1', server.localPort as number, {
    initialDelay: 2,
    maxDelay: 20,
    maxAttempts: unlimited,
    circuitFailureThreshold: unlimited,
  });
  const took: number[] = [];
  try {
    await link.connect();
    for (let round = 1; round <= rounds; round++) {
      progress.detail(`loss ${round} of ${rounds}`);
      const [again, tookMs] = await loseAndReturn(link, server);
      server = again;
      took.push(tookMs);
      const line = `line ${round}`;
      await link.sendAll(line);
      const answer = await link.recvAll(line.length);
      if (answer.toString() !== line) throw new Error('another answer came than was sent');
    }
  } finally {
    link.close();
    server.close();
  }
  return {
    figures: [{ unit: 'ms until it is back, median', ours: median(took), theirs: undefined }],
    verified: `${rounds} losses noticed, ${rounds} echoes after them`,
  };
}

/** A connection whose server goes away again and again, which node:net leaves to its users. */
export function comebackLine(): Line {
  return {
    title: `a connection that comes back, ${rounds} times`,
    obstacle: () => undefined,
    run: (progress) => run(progress),
  };
}
