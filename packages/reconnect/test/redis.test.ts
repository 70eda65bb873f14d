import { SharedCircuitBreaker } from '@sock/reconnect';
import { describeWithPeers, launch, runScript, useFolder } from '@sock/testing';
import { Redis, redisStore } from './redis-store.js';

const path = useFolder();
const openClients: Redis[] = [];
afterEach(() => {
  for (const client of openClients.splice(0)) client.close();
});

async function startRedis(): Promise<string> {
  const socket = path('redis');
  const args = ['--port', '0', '--unixsocket', socket, '--save', ''];
  await launch('redis-server', args, { ready: /eady to accept connections/ });
  return socket;
}

async function connectTo(socket: string): Promise<Redis> {
  const client = await Redis.connect(socket);
  openClients.push(client);
  return client;
}

async function breakerAt(socket: string, resetTimeout: number): Promise<SharedCircuitBreaker> {
  const store = redisStore(await connectTo(socket));
  const options = { failureThreshold: 2, resetTimeout, refreshInterval: 0 };
  return new SharedCircuitBreaker(store, 'circuit', options);
}

const refused = { code: 'ERR_SOCK_CIRCUIT_OPEN' };
const fail = () => Promise.reject(new Error('no'));

/** A process that makes calls to something that always fails, until it is refused. */
const failingProcess = `
  const { SharedCircuitBreaker } = require('@sock/reconnect');
  const { Redis, redisStore } = require('./packages/reconnect/test/redis-store.ts');
  const redis = await Redis.connect(process.env.REDIS);
  const options = { failureThreshold: 2, resetTimeout: 60_000, refreshInterval: 0 };
  const breaker = new SharedCircuitBreaker(redisStore(redis), 'circuit', options);
  let calls = 0;
  for (let refused = false; !refused; ) {
    const call = () => { calls++; throw new Error('no'); };
    refused = await breaker.execute(call).catch((error) => error.code !== undefined);
  }
  console.log(JSON.stringify({ calls, state: breaker.state, failures: breaker.storeFailures }));
  redis.close();
`;

describeWithPeers(['redis-server'], 'a circuit in Redis', () => {
  it('that one process has opened is open for another', async () => {
    const env = { REDIS: await startRedis() };
    const first = await runScript(failingProcess, { env });
    expect({ stderr: first.stderr, out: JSON.parse(first.stdout) }).toEqual({
      stderr: '',
      out: { calls: 2, state: 'open', failures: 0 },
    });
    const second = await runScript(failingProcess, { env });
    expect(JSON.parse(second.stdout)).toEqual({ calls: 0, state: 'open', failures: 0 });
  });

  it('stops two processes at once', async () => {
    const env = { REDIS: await startRedis() };
    const run = () => runScript(failingProcess, { env });
    const results = await Promise.all([run(), run()]);
    for (const { stdout } of results) {
      const { calls, ...rest } = JSON.parse(stdout);
      expect(rest).toEqual({ state: 'open', failures: 0 });
      expect(calls).toBeLessThanOrEqual(2);
    }
  });

  it('lets one probe of all through, and closes for all', async () => {
    const socket = await startRedis();
    const breakers = await Promise.all([1, 2, 3].map(() => breakerAt(socket, 500)));
    const [first] = breakers as [SharedCircuitBreaker];
    for (let i = 0; i < 2; i++) await expect(first.execute(fail)).rejects.toThrow('no');
    await new Promise((resolve) => setTimeout(resolve, 500));
    let underWay = 0;
    const outcomes = await Promise.allSettled(
      breakers.map((breaker) =>
        breaker.execute(async () => {
          expect(++underWay).toBe(1);
          await new Promise((resolve) => setImmediate(resolve));
          underWay--;
        }),
      ),
    );
    expect(outcomes.map(({ status }) => status)).toContain('fulfilled');
    for (const breaker of breakers) await breaker.execute(() => {});
    expect(breakers.map(({ state }) => state)).toEqual(['closed', 'closed', 'closed']);
  });

  it('goes by what it knows itself when Redis has gone', async () => {
    const client = await connectTo(await startRedis());
    const options = { failureThreshold: 2, refreshInterval: 0 };
    const breaker = new SharedCircuitBreaker(redisStore(client), 'circuit', options);
    client.close();
    for (let i = 0; i < 2; i++) await expect(breaker.execute(fail)).rejects.toThrow('no');
    await expect(breaker.execute(fail)).rejects.toMatchObject(refused);
    expect(breaker.state).toBe('open');
    expect(breaker.storeFailures).toBeGreaterThan(0);
  });
});
