/** Limits in a real Redis, of processes that are killed, while it stops and comes back. */
import { connect, Socket } from '@sock/core';
import { type LimiterOptions, type PooledSocket, SocketPool } from '@sock/pool';
import {
  describeWithPeers,
  launch,
  type Peer,
  startScript,
  until,
  useCleanup,
  useFolder,
} from '@sock/testing';
import { Redis } from 'ioredis';
import { RateLimiterRedis } from 'rate-limiter-flexible';

const path = useFolder();
const cleanup = useCleanup();

function startRedis(socket: string): Promise<Peer> {
  const args = ['--port', '0', '--unixsocket', socket, '--save', ''];
  return launch('redis-server', args, { ready: /eady to accept connections/ });
}

function clientOf(socket: string): Redis {
  const redis = new Redis(socket, { retryStrategy: () => 50, disconnectTimeout: 50 });
  redis.on('error', () => {});
  cleanup.add({ close: () => redis.disconnect() });
  return redis;
}

/** A server that tells each guest that it is in; how it is limited comes from the environment. */
const server = `
  const { listen } = require('@sock/core');
  const { SocketPool } = require('@sock/pool');
  const { Redis } = require('ioredis');
  const { RateLimiterRedis } = require('rate-limiter-flexible');
  const { REDIS, STORE, LIMITER, MAX } = process.env;
  const pool = new SocketPool({ maxConnections: 100 });
  const storeClient = new Redis(REDIS);
  pool.setMaxPerIp(MAX === undefined ? Infinity : Number(MAX));
  pool.setLimiter(new RateLimiterRedis({ storeClient, ...JSON.parse(STORE) }), JSON.parse(LIMITER));
  const listener = listen({ host: '127.0.0.1' });
  while (pool.stats.limiter.state !== 'up') await new Promise((resolve) => setTimeout(resolve, 1));
  console.log('port ' + listener.localPort);
  process.stdin.on('data', async () => {
    listener.close();
    pool.cleanup(0);
    await pool.drain();
    storeClient.disconnect();
    process.exit();
  });
  const welcome = async () => {
    for (;;) await (await pool.acceptLimited(listener)).socket.sendAll('in');
  };
  await welcome().catch(() => {});
`;

class Server {
  private constructor(
    readonly process: Peer,
    private readonly port: number,
  ) {}

  static async start(env: Record<string, string>): Promise<Server> {
    const process = await startScript(server, { env, ready: /port (\d+)\n/ });
    return new Server(process, Number(process.ready[1]));
  }

  /** Whether one who comes is let in; the connection stays open then. */
  async letsIn(): Promise<boolean> {
    try {
      // Refused, it is reset before it is connected, or after.
      const socket = cleanup.add(await connect({ host: '127.0.0.1', port: this.port }));
      await socket.recv();
      return true;
    } catch {
      return false;
    }
  }

  async letIn(tries: number): Promise<number> {
    let count = 0;
    for (let at = 0; at < tries; at++) if (await this.letsIn()) count++;
    return count;
  }

  /** Whoever is refused comes again, until so many are in. */
  async letInAtLast(count: number): Promise<void> {
    let left = count;
    await until(10_000, async () => {
      if (await this.letsIn()) left--;
      return left === 0;
    });
  }
}

/** Connections that Redis counts for the present epoch. */
async function counted(redis: Redis): Promise<number> {
  const keys = await redis.keys(`rlflx:counts:${await redis.get('rlflx:counts:epoch')}:*`);
  const values = keys.length === 0 ? [] : await redis.mget(keys);
  return values.reduce((sum, value) => sum + Number(value), 0);
}

describeWithPeers(['redis-server'], 'limits of two processes, in Redis', () => {
  it('leave the connections of one that was killed to the other', async () => {
    const socket = path('redis');
    await startRedis(socket);
    const redis = clientOf(socket);
    const env = {
      REDIS: socket,
      STORE: JSON.stringify({ points: 1, duration: 1 }),
      LIMITER: JSON.stringify({ rate: false, ahead: 2, lifetime: 2_000 }),
      MAX: '6',
    };
    const [dies, lives] = await Promise.all([Server.start(env), Server.start(env)]);
    // Who comes before Redis has answered for two others is refused.
    await dies.letInAtLast(4);
    await until(5_000, async () => (await counted(redis)) === 4);
    // Two more, at most as many again before it has heard of the others.
    const before = await lives.letIn(6);
    expect(before).toBeGreaterThanOrEqual(2);
    expect(before).toBeLessThanOrEqual(4);
    await until(5_000, async () => (await counted(redis)) === 4 + before);
    expect(await lives.letsIn()).toBe(false);
    process.kill(dies.process.pid, 'SIGKILL');
    await lives.letInAtLast(6 - before);
    expect(await lives.letsIn()).toBe(false);
    await until(5_000, async () => (await counted(redis)) === 6);
    // One that ends in good order leaves nothing.
    lives.process.stdin.write('end');
    await lives.process.succeeded();
    expect(await counted(redis)).toBe(0);
  });

  it('have the tokens of one that was killed back in the next duration', async () => {
    const socket = path('redis');
    await startRedis(socket);
    const redis = clientOf(socket);
    const env = {
      REDIS: socket,
      STORE: JSON.stringify({ points: 12, duration: 2 }),
      LIMITER: JSON.stringify({ lease: 6 }),
    };
    const [dies, lives] = await Promise.all([Server.start(env), Server.start(env)]);
    await until(5_000, async () => (await redis.pttl('rlflx:rate')) < 0);
    // Those who come are let in by what is left, until that makes it take a lease.
    await until(5_000, async () => {
      await dies.letsIn();
      return Number(await redis.get('rlflx:rate')) >= 6;
    });
    process.kill(dies.process.pid, 'SIGKILL');
    await until(5_000, async () => (await redis.pttl('rlflx:rate')) < 0);
    // Were its six tokens missing, no more than seven would come in.
    const letIn = await lives.letIn(30);
    expect(letIn).toBeGreaterThanOrEqual(8);
  });
});

describeWithPeers(['redis-server'], 'limits in a Redis that stops', () => {
  const guest = '192.0.2.1';

  function makePool(storeClient: Redis, options: LimiterOptions) {
    const pool = cleanup.add(new SocketPool<unknown, PooledSocket>({ maxConnections: 100 }));
    pool.setMaxPerIp(4);
    pool.setLimiter(new RateLimiterRedis({ storeClient, points: 1_000, duration: 1 }), options);
    const rush = (count: number): number => {
      let letIn = 0;
      for (let at = 0; at < count; at++) {
        const [near, far] = Socket.pair();
        far.close();
        Object.defineProperty(near, 'remoteAddress', { value: guest });
        if (pool.add(near) === null) near.close();
        else letIn++;
      }
      return letIn;
    };
    const state = () => pool.stats.limiter?.state;
    return { pool, rush, state };
  }

  it.each(['SIGSTOP', 'SIGKILL'] as const)(
    'by %s are those of each process, and of all when it is back',
    async (signal) => {
      const socket = path('redis');
      const first = await startRedis(socket);
      const redis = clientOf(socket);
      const options = { ahead: 2, lifetime: 4_000, timeout: 1_000 };
      const [one, other] = [makePool(redis, options), makePool(clientOf(socket), options)];
      await until(5_000, () => one.state() === 'up' && other.state() === 'up');
      expect(one.rush(2)).toBe(2);
      await until(5_000, async () => (await counted(redis)) === 2);
      expect(other.rush(2)).toBe(2);
      await until(5_000, async () => (await counted(redis)) === 4);
      expect([one.pool.stats.limiter?.outages, other.rush(1)]).toEqual([0, 0]);

      process.kill(first.pid, signal);
      // Whoever has something to say finds out.
      for (const { pool } of [one, other]) [...pool][0]?.socket.close();
      await until(5_000, () => one.state() === 'down' && other.state() === 'down');
      expect([one.rush(5), other.rush(5)]).toEqual([3, 3]);
      for (const { pool } of [one, other]) {
        expect(pool.stats.limiter).toMatchObject({ state: 'down', outages: 1, localDecisions: 5 });
      }

      if (signal === 'SIGSTOP') process.kill(first.pid, 'SIGCONT');
      else await startRedis(socket);
      await until(5_000, () => one.state() === 'up' && other.state() === 'up');
      await until(5_000, async () => (await counted(redis)) === 8);
      expect([one.rush(1), other.rush(1)]).toEqual([0, 0]);
      // Below the limit of all together, one may come in again.
      for (const { pool } of [one, one, one, other, other]) [...pool][0]?.socket.close();
      await until(5_000, async () => (await counted(redis)) === 3);
      await until(5_000, () => one.rush(1) === 1);
      await Promise.all([one, other].map(({ pool }) => pool.drain({ timeout: 0 })));
      expect(await counted(redis)).toBe(0);
    },
  );
});
