/** Races that are driven by hand, or that block: what they do besides racing. */
import { listen, type Poller, Socket } from '@sock/core';
import {
  connectHappyEyeballsSync,
  HappyEyeballs,
  type HappyEyeballsStartConfig,
  Resolver,
  raceTrace,
} from '@sock/dns';
import { PollEvents, SocketPoll } from '@sock/poll';
import {
  describeWithPeers,
  expectSockets,
  openDescriptors,
  openSockets,
  thrownBy,
} from '@sock/testing';
import { openNamed, openNameServer, told } from './support.js';

const closing: { close(): void }[] = [];
const before = { sockets: 0 };
beforeEach(() => {
  before.sockets = openSockets();
});
afterEach(async () => {
  for (const one of closing.splice(0)) one.close();
  await expectSockets(before.sockets);
});

function closeLater<T extends { close(): void }>(one: T): T {
  closing.push(one);
  return one;
}

/** A listener, and what drives a race to it. */
function setUp(config?: HappyEyeballsStartConfig, host = '127.0.0.1') {
  const listener = closeLater(listen({ host: '127.0.0.1' }));
  const resolver = closeLater(new Resolver());
  const poll = closeLater(new SocketPoll());
  const { localPort: port = 0 } = listener;
  const start = () => closeLater(HappyEyeballs.start(resolver, poll, host, port, config));
  return { listener, resolver, poll, port, start };
}

/** Nobody answers there, and this machine has no route to it either: it waits for a lookup. */
const never = { resolve: () => new Promise<never>(() => {}) };

function drive(race: HappyEyeballs, poll: SocketPoll): HappyEyeballs {
  while (!race.poll()) {
    poll.waitSync(race.nextTimeoutMs());
    race.process();
  }
  return race;
}

describe('a race by hand', () => {
  it('goes from one state to the next, and says what it waits for', () => {
    const { poll, start } = setUp({ attemptTimeout: 2_000 });
    const race = start();
    expect(race).toMatchObject({ state: 'resolving', error: null });
    expect(race.result()).toBeNull();
    expect(race.poll()).toBe(false);
    expect(race.process()).toBe('connecting');
    expect(race.nextTimeoutMs()).toBeGreaterThan(0);
    expect(race.nextTimeoutMs()).toBeLessThanOrEqual(2_000);
    expect(poll.size).toBe(2);
    drive(race, poll);
    expect(race).toMatchObject({ state: 'connected', error: null });
    expect(race.nextTimeoutMs()).toBe(Number.POSITIVE_INFINITY);
    expect(poll.size).toBe(0);
    const socket = closeLater(race.result() as Socket);
    expect(socket).toBeInstanceOf(Socket);
    expect(socket.getNoDelay()).toBe(true);
    expect(raceTrace(socket)).toBe(raceTrace(race));
    expect(race.process()).toBe('connected');
    race.cancel();
    expect(race.state).toBe('connected');
  });

  it('does not need its time to be asked for: the poll wakes up when it is over', () => {
    const { resolver, poll, start } = setUp({ timeout: 40 }, 'localhost');
    jest.spyOn(resolver, 'collect').mockImplementation(() => {});
    const startMs = performance.now();
    const race = start();
    let looks = 0;
    while (!race.poll()) {
      poll.waitSync();
      race.process();
      looks++;
    }
    expect(race).toMatchObject({ state: 'failed', error: { code: 'ERR_SOCK_TIMEOUT' } });
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(40);
    expect(looks).toBeLessThan(20);
  });

  it('works with the event loop as well', async () => {
    const { poll, start } = setUp(undefined, 'localhost');
    const race = start();
    for await (const { data } of poll) {
      expect(data).toBe(race);
      if (race.process() === 'connected') break;
    }
    closeLater(race.result() as Socket);
  });

  it('fails with an error for each address', () => {
    const { listener, poll, start } = setUp();
    listener.close();
    const race = drive(start(), poll);
    expect(race).toMatchObject({
      state: 'failed',
      error: { name: 'HappyEyeballsError', code: 'ECONNREFUSED', errors: [{}] },
    });
    expect(race.result()).toBeNull();
  });

  it('tries a scoped address, and says what the system says', () => {
    const { poll, start } = setUp({ timeout: 2_000 }, 'fe80::1%lo');
    const race = drive(start(), poll);
    expect(race.state).toBe('failed');
    expect(raceTrace(race)?.at(-1)).toMatchObject({ type: 'failed', address: 'fe80::1%lo' });
  });

  it('is cancelled at once, and leaves nothing behind', () => {
    const { poll, start } = setUp();
    const idle = openDescriptors().length;
    const race = start();
    race.process();
    expect(race.state).toBe('connecting');
    race.cancel();
    expect(race).toMatchObject({ state: 'cancelled', error: null });
    expect(race.result()).toBeNull();
    expect(poll.size).toBe(0);
    expect(openDescriptors()).toHaveLength(idle);
    expect(race.process()).toBe('cancelled');
    expect(raceTrace(race)?.at(-1)).toMatchObject({ type: 'lost' });
  });

  it.each([0, 1])('is cancelled by a signal, after %d steps', (steps) => {
    const controller = new AbortController();
    const { poll, start } = setUp({ signal: controller.signal });
    const race = start();
    for (let i = 0; i < steps; i++) race.process();
    controller.abort();
    expect(race).toMatchObject({ state: 'cancelled', error: null });
    // Whoever waits for the poll is told.
    expect(poll.waitSync()).toHaveLength(1);
    race.process();
    expect(poll.size).toBe(0);
  });

  it('is over before it begins with a signal that is aborted', () => {
    const { start } = setUp({ signal: AbortSignal.abort() });
    expect(start().state).toBe('cancelled');
  });

  it('closes a winner that nobody takes, and nothing else', () => {
    const { poll, start } = setUp();
    const race = drive(start(), poll);
    race.close();
    race[Symbol.dispose]();
    expect(race.result()).toBeNull();
    expect(race.state).toBe('connected');
  });

  it('survives a poll that is closed under it', () => {
    const { poll, start } = setUp();
    const [first, second] = [start(), start()];
    second.process();
    poll.close();
    for (let i = 0; !first.poll() && i < 1_000; i++) first.process();
    expect(first).toMatchObject({ state: 'failed', error: { code: 'ERR_SOCK_CLOSED' } });
    for (let i = 0; !second.poll() && i < 100_000; i++) second.process();
    expect(second.state).toBe('connected');
  });

  it('fails when its resolver is closed', () => {
    const { resolver, poll, start } = setUp(undefined, 'localhost');
    const race = start();
    resolver.close();
    drive(race, poll);
    expect(race.error).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    expect(thrownBy(start)).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    expect(poll.size).toBe(0);
  });

  it('shares its resolver and its poll with others', () => {
    const { poll, start, resolver } = setUp(undefined, 'localhost');
    const races = Array.from({ length: 20 }, start);
    const request = resolver.submit('localhost');
    while (races.some((race) => !race.poll())) {
      for (const { data } of poll.waitSync()) (data as HappyEyeballs).process();
    }
    for (const race of races) closeLater(race.result() as Socket);
    // The races may have been won before the last answer came.
    poll.add(resolver.pollFd, PollEvents.Read);
    let toldOf = 0;
    while (toldOf === 0) {
      poll.waitSync();
      toldOf = resolver.check();
    }
    expect(toldOf).toBe(1);
    expect(request.state).toBe('complete');
    expect(resolver.stats).toMatchObject({ lookups: 41, coalesced: 38 });
  });

  it('has the defaults of RFC 8305', () => {
    expect(HappyEyeballs.defaults).toEqual({
      firstAttemptDelay: 250,
      attemptTimeout: 5_000,
      totalTimeout: 30_000,
      resolutionDelay: 50,
      firstFamilyCount: 1,
      maxAttempts: Number.POSITIVE_INFINITY,
    });
    expect(Object.isFrozen(HappyEyeballs.defaults)).toBe(true);
  });

  const poller: Poller = { add: () => {}, modify: () => {}, remove: () => true };

  it.each<[string, (resolver: Resolver) => unknown]>([
    ['resolver', () => HappyEyeballs.start(never as never, poller, 'x', 1)],
    ['poll', (resolver) => HappyEyeballs.start(resolver, null as never, 'x', 1)],
    ['poll.add', (resolver) => HappyEyeballs.start(resolver, {} as never, 'x', 1)],
    ['host', (resolver) => HappyEyeballs.start(resolver, poller, '', 1)],
    ['port', (resolver) => HappyEyeballs.start(resolver, poller, 'x', 0)],
    [
      'config.resolver',
      (resolver) => HappyEyeballs.start(resolver, poller, 'x', 1, { resolver } as never),
    ],
    [
      'config.totalTimeout',
      (resolver) => HappyEyeballs.start(resolver, poller, 'x', 1, { totalTimeout: 0 }),
    ],
    ['config.signal', () => connectHappyEyeballsSync('x', 1, { signal: 1 } as never)],
    ['host', () => connectHappyEyeballsSync('', 1)],
    ['port', () => connectHappyEyeballsSync('x', 0)],
  ])('names what is wrong: %s', (name, call) => {
    const idle = openDescriptors().length;
    const resolver = closeLater(new Resolver());
    expect(thrownBy(() => call(resolver)).message).toContain(`"${name}"`);
    expect(openDescriptors()).toHaveLength(idle);
  });

  it('leaves nothing when the poll does not take it', () => {
    const idle = openDescriptors().length;
    const resolver = closeLater(new Resolver());
    const add = (): never => {
      throw new Error('full');
    };
    const error = thrownBy(() => HappyEyeballs.start(resolver, { ...poller, add }, 'x', 1));
    expect(error.message).toBe('full');
    expect(openDescriptors()).toHaveLength(idle);
  });
});

describe('a race that blocks', () => {
  it('connects, with a resolver of its own or another', () => {
    const { port, resolver } = setUp();
    for (const config of [undefined, { resolver }]) {
      const socket = closeLater(connectHappyEyeballsSync('localhost', port, config));
      expect(socket.remoteAddress).toBe('127.0.0.1');
      expect(raceTrace(socket)?.at(-1)).toMatchObject({ type: 'won', address: '127.0.0.1' });
    }
    expect(resolver.stats.lookups).toBe(2);
  });

  it('throws what went wrong, and leaves nothing', () => {
    const { port, listener } = setUp();
    // So that what the first race makes for all is there.
    closeLater(connectHappyEyeballsSync('127.0.0.1', port));
    const idle = openDescriptors().length;
    listener.close();
    const error = thrownBy(() => connectHappyEyeballsSync('127.0.0.1', port));
    expect(error).toMatchObject({ name: 'HappyEyeballsError', code: 'ECONNREFUSED' });
    expect(raceTrace(error)?.at(-1)).toMatchObject({ type: 'failed' });
    expect(openDescriptors()).toHaveLength(idle - 1);
  });

  it.each<[string, () => unknown]>([
    ['c-ares', () => closeLater(new Resolver({ engine: 'c-ares' }))],
    ['one that is none of ours', () => never],
  ])('refuses a resolver that needs the event loop: %s', (_what, make) => {
    const call = () => connectHappyEyeballsSync('x', 1, { resolver: make() as never });
    expect(thrownBy(call)).toMatchObject({ code: 'ERR_SOCK_UNSUPPORTED' });
  });
});

describeWithPeers(['python3'], 'a race by hand with c-ares', () => {
  it('is driven by the poll while the event loop runs', async () => {
    const { server } = await openNameServer();
    const resolver = closeLater(new Resolver({ engine: 'c-ares', servers: [server] }));
    const { poll, port } = setUp();
    const race = HappyEyeballs.start(resolver, poll, 'nodata-aaaa.test', port);
    while (!race.poll()) {
      await poll.wait();
      race.process();
    }
    expect(closeLater(race.result() as Socket).remoteAddress).toBe('127.0.0.1');
  });
});

const peers = ['network namespaces', 'mount namespaces', 'python3'];

describeWithPeers(peers, 'races in workers', () => {
  it('need no event loop, and go with a worker that is terminated', async () => {
    const { options } = await openNamed();
    const body = `
      const { Worker } = require('node:worker_threads');
      const { once } = require('node:events');
      const { listen } = require('@sock/core');
      const listener = listen();
      const run = (code) => new Worker(\`
        const { parentPort } = require('node:worker_threads');
        const { connectHappyEyeballsSync, HappyEyeballs, Resolver } = require('@sock/dns');
        const { SocketPoll } = require('@sock/poll');
        const port = \${listener.localPort};
        \${code}
      \`, { eval: true, execArgv: process.execArgv.slice(0, 4) });
      const [address] = await once(run(\`
        const socket = connectHappyEyeballsSync('delay-aaaa-20.test', port);
        parentPort.postMessage(socket.remoteAddress);
        socket.close();
      \`), 'message');
      tell(address);
      const hanging = run(\`
        const poll = new SocketPoll();
        const race = HappyEyeballs.start(new Resolver(), poll, 'delay-any-300.test', port);
        parentPort.postMessage(race.state);
      \`);
      tell((await once(hanging, 'message'))[0]);
      tell(await hanging.terminate());
      listener.close();
      // Until its threads have the answers that nobody takes any more.
      await new Promise((resolve) => setTimeout(resolve, 500));
    `;
    expect(await told(body, options)).toEqual(['::1', 'resolving', 1]);
  });
});

describe('attempts', () => {
  it('are told on their channel, from their start to their end', async () => {
    const body = `
      const { connectHappyEyeballs, connectHappyEyeballsSync } = require('@sock/dns');
      const { listen } = require('@sock/core');
      const listener = listen({ host: '127.0.0.1' });
      const port = listener.localPort;
      const attempts = [];
      require('node:diagnostics_channel').subscribe('sock:dns:attempt', (event) => {
        const { hostname, address, outcome, duration, error, time } = event;
        if (event.port !== port || !(time > 0)) throw new Error('whose?');
        attempts.push([hostname, address, outcome, duration >= 0, error?.code]);
      });
      (await connectHappyEyeballs('127.0.0.1', port)).close();
      connectHappyEyeballsSync('127.0.0.1', port).close();
      listener.close();
      await failureOf(connectHappyEyeballs('127.0.0.1', port));
      tell(attempts);
    `;
    const [start, won, failed] = [
      ['127.0.0.1', '127.0.0.1', 'start', false, null],
      ['127.0.0.1', '127.0.0.1', 'won', true, null],
      ['127.0.0.1', '127.0.0.1', 'failed', true, 'ECONNREFUSED'],
    ];
    expect(await told(body)).toEqual([[start, won, start, won, start, failed]]);
  });
});
