/** Lookups that are driven by hand: submitted, watched by a poll, checked. */
import { ResolveRequest, Resolver } from '@sock/dns';
import { PollEvents, SocketPoll } from '@sock/poll';
import {
  describeWithPeers,
  openDescriptors,
  runScript,
  seeded,
  thrownBy,
  until,
} from '@sock/testing';
import { askedFor, openNamed, openNameServer, told } from './support.js';

const closing: { close(): void }[] = [];
afterEach(() => {
  for (const one of closing.splice(0)) one.close();
});

function setUp(...options: ConstructorParameters<typeof Resolver>) {
  const resolver = new Resolver(...options);
  const poll = new SocketPoll();
  poll.add(resolver.pollFd, PollEvents.Read);
  closing.push(poll, resolver);
  return { resolver, poll, isReadable: () => poll.tryWait().length > 0 };
}

/** Blocks this thread until the request has ended: no event loop runs meanwhile. */
function drive({ resolver, poll }: { resolver: Resolver; poll: SocketPoll }, one: ResolveRequest) {
  while (one.state === 'pending') {
    poll.waitSync();
    resolver.check();
  }
  return one;
}

const toldPrelude = `
  const { Resolver } = require('@sock/dns');
  const tell = (value) => console.log(JSON.stringify(value));
`;

/** For scripts: the same, and what a request came to. */
const prelude = `
  const { SocketPoll, PollEvents } = require('@sock/poll');
  const open = (options) => {
    const resolver = new Resolver(options);
    const poll = new SocketPoll();
    poll.add(resolver.pollFd, PollEvents.Read);
    return { resolver, poll };
  };
  const drive = ({ resolver, poll }, ...requests) => {
    while (requests.some(({ state }) => state === 'pending')) {
      poll.waitSync();
      resolver.check();
    }
  };
  const ended = ({ state, result, error }) => ({
    state,
    addresses: result?.map(({ address }) => address),
    code: error?.code,
  });
`;

describe('a request', () => {
  it('is answered without the event loop, and says so by the descriptor', () => {
    const driven = setUp();
    const { resolver, isReadable } = driven;
    expect(isReadable()).toBe(false);
    const request = resolver.submit('localhost', 80, undefined, { family: 'ipv4' });
    expect(request).toBeInstanceOf(ResolveRequest);
    expect(request).toMatchObject({ host: 'localhost', port: 80, state: 'pending', result: null });
    drive(driven, request);
    expect(request).toMatchObject({
      state: 'complete',
      result: [{ address: '127.0.0.1', port: 80, family: 'ipv4' }],
      error: null,
    });
    expect(isReadable()).toBe(false);
    expect(resolver.check()).toBe(0);
    expect(resolver.stats).toMatchObject({ lookups: 1, answered: 1, pending: 0 });
  });

  it.each<[string | null, string[]]>([
    ['192.0.2.1', ['192.0.2.1']],
    ['fe80::1%lo', ['fe80::1%lo']],
    [null, ['0.0.0.0', '::']],
  ])('for %s needs no thread, and is readable at once', (host, addresses) => {
    const { resolver, isReadable } = setUp();
    const callback = jest.fn();
    const request = resolver.submit(host, 7, callback);
    expect(isReadable()).toBe(true);
    expect(callback).not.toHaveBeenCalled();
    expect(resolver.check()).toBe(1);
    expect(request.result?.map(({ address }) => address)).toEqual(addresses);
    expect(callback).toHaveBeenCalledWith(null, request.result);
    expect(callback).toHaveBeenCalledTimes(1);
    expect(resolver.stats).toMatchObject({ threads: 0, lookups: 0 });
  });

  it('for an address of the other family fails', () => {
    const { resolver } = setUp();
    const request = resolver.submit('::1', 0, undefined, { family: 'ipv4' });
    resolver.check();
    expect(request.error).toMatchObject({ name: 'ResolveError', code: 'ENOTFOUND' });
  });

  it('finds what the cache has, which is readable at once', async () => {
    const { resolver, isReadable } = setUp({ cache: {} });
    await resolver.resolve('localhost');
    const request = resolver.submit('localhost');
    expect(isReadable()).toBe(true);
    resolver.check();
    expect(request.state).toBe('complete');
    expect(resolver.stats.cache.hits).toBe(1);
  });

  it('with a time limit of 0 takes what the cache has, and asks nobody', () => {
    const { resolver } = setUp({ cache: {} });
    const request = resolver.submit('localhost', 0, undefined, { timeout: 0 });
    resolver.check();
    expect(request.error).toMatchObject({ code: 'ERR_SOCK_TIMEOUT', timeout: 0 });
    expect(resolver.stats.threads).toBe(0);
  });

  it('waits for the check, also when the event loop brings the answer', async () => {
    const { resolver, poll } = setUp();
    const callback = jest.fn();
    resolver.submit('localhost', 0, callback);
    await resolver.resolve('localhost');
    expect(callback).not.toHaveBeenCalled();
    await poll.wait();
    expect(resolver.check()).toBe(1);
    expect(callback).toHaveBeenCalledTimes(1);
  });

  it('that has ended cannot be cancelled, and keeps its result', () => {
    const { resolver } = setUp();
    const request = resolver.submit('127.0.0.1');
    expect(request.cancel()).toBe(false);
    resolver.check();
    expect(request.cancel()).toBe(false);
    request.setTimeout(1);
    expect(request).toMatchObject({ state: 'complete', error: null });
    expect(request.result).toHaveLength(1);
  });

  it('has a callback that may throw, submit and close', async () => {
    const { stdout, stderr } = await runScript(`
      const { Resolver } = require('@sock/dns');
      process.on('uncaughtException', (error) => console.log('uncaught', error.message));
      const resolver = new Resolver();
      resolver.submit('::1', 1, () => { throw new Error('mine'); });
      resolver.submit('::1', 2, (error, [{ port }]) => {
        console.log('second', port);
        resolver.submit('::1', 3, () => console.log('third'));
      });
      console.log(resolver.check());
      console.log(resolver.check());
      resolver.submit('::1', 4, () => { resolver.close(); console.log(resolver.isClosed); });
      resolver.submit('::1', 5, (error) => console.log('fifth', error));
      console.log(resolver.check());
    `);
    expect(stderr).toBe('');
    expect(stdout.split('\n')).toEqual([
      ...['second 2', '2', 'third', '1', 'true', 'fifth null', '2', 'uncaught mine', ''],
    ]);
  });

  it('runs its callback in the asynchronous context it was submitted in', async () => {
    const [seen] = await told(`
      const { AsyncLocalStorage } = require('node:async_hooks');
      const storage = new AsyncLocalStorage();
      const resolver = new Resolver();
      const seen = [];
      storage.run('mine', () => resolver.submit('::1', 0, () => seen.push(storage.getStore())));
      storage.run('other', () => resolver.check());
      tell(seen);
    `);
    expect(seen).toEqual(['mine']);
  });

  it.each<[string, (resolver: Resolver) => unknown, string]>([
    ['host', (resolver) => resolver.submit(undefined as never), 'host'],
    ['host', (resolver) => resolver.submit('a b'), 'host'],
    ['port', (resolver) => resolver.submit('a', -1), 'port'],
    ['callback', (resolver) => resolver.submit('a', 0, {} as never), 'callback'],
    [
      'option',
      (resolver) => resolver.submit('a', 0, undefined, { signal: 1 } as never),
      'options.signal',
    ],
    ['timeout', (resolver) => resolver.submit('a', 0, undefined, { timeout: -1 }), 'timeout'],
    ['limit', (resolver) => resolver.submit('127.0.0.1').setTimeout(0), 'timeout'],
  ])('names a wrong %s', (_what, call, name) => {
    const error = thrownBy(() => call(setUp().resolver));
    expect(error.message).toContain(`"${name}"`);
  });
});

describe('the descriptor of a resolver', () => {
  it('is one, and the resolver closes it', () => {
    const before = openDescriptors().length;
    const resolver = new Resolver();
    expect(openDescriptors()).toHaveLength(before);
    const { pollFd } = resolver;
    expect(pollFd).toBeGreaterThan(2);
    resolver.submit('127.0.0.1');
    resolver.check();
    expect(resolver.pollFd).toBe(pollFd);
    resolver.close();
    resolver.close();
    expect(resolver.pollFd).toBe(-1);
    expect(openDescriptors()).toHaveLength(before);
    expect(thrownBy(() => resolver.check())).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    expect(thrownBy(() => resolver.submit('::1'))).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
  });

  it('is closed with a warning when its resolver is forgotten, not while it looks up', async () => {
    const script = `
      const { readdirSync } = require('node:fs');
      const descriptors = () => readdirSync('/proc/self/fd').length;
      const warnings = [];
      process.on('warning', ({ code }) => warnings.push(code));
      globalThis.gc();
      tell(await new Resolver().reverse('127.0.0.1').then(() => 'kept'));
      const before = descriptors();
      (() => new Resolver().pollFd)();
      tell(descriptors() > before);
      const endMs = performance.now() + 8_000;
      while (warnings.length < 2 && performance.now() < endMs) {
        globalThis.gc();
        await new Promise(setImmediate);
      }
      tell(warnings);
      tell(descriptors() - before);
    `;
    const expected = ['kept', true, ['SOCK_NOT_CLOSED', 'SOCK_NOT_CLOSED'], 0];
    const { stdout } = await runScript(toldPrelude + script, { nodeArgs: ['--expose-gc'] });
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual(expected);
  });

  it('can be watched by poll(2) as well', () => {
    const resolver = new Resolver();
    const poll = new SocketPoll({ backend: 'poll' });
    closing.push(poll, resolver);
    poll.add(resolver.pollFd, PollEvents.Read);
    expect(poll.tryWait()).toEqual([]);
    drive({ resolver, poll }, resolver.submit('localhost'));
    expect(poll.tryWait()).toEqual([]);
  });

  it('is one event for a crowd, and none is lost', () => {
    const { resolver, poll } = setUp({ maxPending: 10_000 });
    let called = 0;
    for (let port = 1; port <= 10_000; port++) {
      resolver.submit('localhost', port, (error, addresses) => {
        called += error === null && addresses?.[0]?.port === port ? 1 : 0;
      });
    }
    let checked = 0;
    while (checked < 10_000) {
      expect(poll.waitSync()).toHaveLength(1);
      checked += resolver.check();
    }
    expect(called).toBe(10_000);
    expect(poll.tryWait()).toEqual([]);
  });
});

describeWithPeers(['strace that may trace'], 'a resolver without descriptors to be had', () => {
  it('says so, leaves none open, and goes on with promises', async () => {
    const script = `
      const { readdirSync } = require('node:fs');
      const { HappyEyeballs, connectHappyEyeballsSync } = require('@sock/dns');
      const { SocketPoll } = require('@sock/poll');
      const resolver = new Resolver();
      const poll = new SocketPoll();
      // So that what the first line of output opens is open.
      tell((await resolver.resolve('localhost')).length > 0);
      const before = readdirSync('/proc/self/fd').length;
      const tries = [
        () => resolver.pollFd,
        () => resolver.submit('localhost'),
        () => HappyEyeballs.start(resolver, poll, 'localhost', 1),
        () => connectHappyEyeballsSync('localhost', 1),
      ];
      for (const one of tries) {
        try {
          one();
        } catch ({ name, code, syscall }) {
          tell([name, code, syscall]);
        }
      }
      tell(readdirSync('/proc/self/fd').length - before);
      tell((await resolver.resolve('localhost')).length > 0);
    `;
    const error = ['SocketError', 'EMFILE', 'timerfd_create'];
    const inject = ['timerfd_create:error=EMFILE'];
    const lines = await told(script, { inject });
    expect(lines).toEqual([true, error, error, error, error, 0, true]);
  });
});

describe('requests and promises of all kinds', () => {
  it(
    'end each once, whatever happens to them when',
    seeded(async (random) => {
      const { resolver, poll } = setUp({ threads: 2, threadsMax: 3, maxPending: 20, cache: {} });
      const ends = new Map<ResolveRequest, number>();
      const promises: Promise<unknown>[] = [];
      const names = ['localhost', 'LOCALHOST', '127.0.0.1', '::1'];
      const families = [undefined, 'ipv4', 'ipv6'] as const;
      const submit = (): void => {
        const request = resolver.submit(
          random.pick(names),
          1,
          (error, addresses) => {
            ends.set(request, (ends.get(request) ?? 0) + 1);
            expect([error, addresses]).toEqual([request.error, request.result]);
            expect(error === null).toBe(addresses !== null);
            if (ends.size < 400 && random.oneIn(4)) submit();
          },
          {
            family: random.pick(families),
            timeout: random.oneIn(3) ? random.integer(0, 3) : undefined,
          },
        );
        requests.push(request);
      };
      const requests: ResolveRequest[] = [];
      for (let step = 0; step < 400; step++) {
        submit();
        if (random.oneIn(3)) random.pick(requests).cancel();
        if (random.oneIn(5)) random.pick(requests).setTimeout(random.integer(1, 5));
        if (random.oneIn(5)) promises.push(resolver.resolve(random.pick(names)).catch(() => {}));
        if (random.oneIn(4)) resolver.check();
        if (random.oneIn(20)) await poll.wait(1);
      }
      while (requests.some((request) => !ends.has(request))) {
        await poll.wait();
        resolver.check();
      }
      await Promise.all(promises);
      expect([...ends.values()].every((count) => count === 1)).toBe(true);
      expect(ends.size).toBe(requests.length);
      const { lookups, answered, failed, cancelled, pending } = resolver.stats;
      expect(answered + failed + cancelled).toBe(lookups);
      expect(pending).toBe(0);
    }),
  );
});

const peers = ['network namespaces', 'mount namespaces', 'python3'];

describeWithPeers(peers, 'a request, with a name server', () => {
  it('ends when its time is over and not before, which may be changed', async () => {
    const { options } = await openNamed();
    const body = `
      const driven = open({ timeout: 150 });
      const { resolver } = driven;
      const startMs = performance.now();
      const times = {};
      const submit = (name, options) => resolver.submit(
        'drop-any.' + name + '.test', 0,
        (error) => (times[name] = [error.code, error.timeout, performance.now() - startMs]),
        options,
      );
      const requests = [submit('default'), submit('own', { timeout: 250 })];
      requests.push(submit('shorter'), submit('longer'));
      requests[2].setTimeout(100);
      requests[3].setTimeout(200);
      drive(driven, ...requests);
      tell(times);
      tell(resolver.stats);
    `;
    const [times, stats] = await told(prelude + body, options, 4);
    const expected = { default: 150, own: 250, shorter: 100, longer: 200 };
    for (const [name, timeout] of Object.entries(expected)) {
      const [code, told, tookMs] = (times as Record<string, [string, number, number]>)[name] ?? [];
      expect([name, code, told]).toEqual([name, 'ERR_SOCK_TIMEOUT', timeout]);
      expect(tookMs).toBeGreaterThanOrEqual(timeout);
    }
    expect(stats).toMatchObject({ timedOut: 4, pending: 0 });
  });

  it('joins a promise for the same name, and does not wait for the event loop', async () => {
    const { peer, options } = await openNamed();
    const body = `
      const driven = open();
      const promised = driven.resolver.resolve('delay-any-50.test', 1);
      await null;
      const request = driven.resolver.submit('delay-any-50.test', 2);
      drive(driven, request);
      tell(ended(request));
      tell((await promised).map(({ port }) => port));
      tell(driven.resolver.stats.coalesced);
    `;
    expect(await told(prelude + body, options)).toEqual([
      { state: 'complete', addresses: ['::1', '127.0.0.1'] },
      [1, 1],
      1,
    ]);
    expect(askedFor(peer, 'delay-any-50.test')).toBe(2);
  });

  it('is cancelled at once and alone, and its callback called once', async () => {
    const { options } = await openNamed();
    const body = `
      const driven = open();
      const { resolver, poll } = driven;
      const calls = [];
      const leaving = resolver.submit('delay-any-100.test', 0, (error) => calls.push(error.code));
      const staying = resolver.submit('delay-any-100.test');
      tell([leaving.cancel(), leaving.cancel()]);
      tell(ended(leaving));
      tell(poll.tryWait().length);
      tell([resolver.check(), resolver.check()]);
      drive(driven, staying);
      tell(ended(staying));
      tell(calls);
      tell(resolver.stats);
    `;
    expect(await told(prelude + body, options)).toMatchObject([
      [true, false],
      { state: 'cancelled', code: 'ECANCELLED' },
      1,
      [1, 0],
      { state: 'complete', addresses: ['::1', '127.0.0.1'] },
      ['ECANCELLED'],
      { cancelled: 1, answered: 1 },
    ]);
  });

  it('tells of a full queue, and of a resolver that is closed', async () => {
    const { options } = await openNamed();
    const body = `
      const { resolver, poll } = open({ threads: 1, threadsMax: 1, maxPending: 1 });
      const calls = [];
      const submit = (name) => resolver.submit(name, 0, (error) => calls.push(error.code));
      const first = submit('drop-any.test');
      while (resolver.stats.queued > 0) poll.tryWait();
      submit('b.test');
      const refused = submit('c.test');
      tell(ended(refused));
      tell(resolver.check());
      resolver.close();
      tell(ended(first));
      tell(calls);
    `;
    expect(await told(prelude + body, options, 1)).toEqual([
      { state: 'complete', code: 'ERR_SOCK_QUEUE_FULL' },
      1,
      { state: 'complete', code: 'ERR_SOCK_CLOSED' },
      ['ERR_SOCK_QUEUE_FULL', 'ERR_SOCK_CLOSED', 'ERR_SOCK_CLOSED'],
    ]);
  });

  it('is answered in a worker that blocks, and goes with one that is terminated', async () => {
    const { options } = await openNamed();
    const body = `
      const { Worker } = require('node:worker_threads');
      const { once } = require('node:events');
      const run = (code) => new Worker(\`
        const { parentPort } = require('node:worker_threads');
        const { Resolver } = require('@sock/dns');
        ${'$'}{${JSON.stringify(prelude)}}
        ${'$'}{code}
      \`, { eval: true, execArgv: process.execArgv.slice(0, 4) });
      const [answer] = await once(run(\`
        const driven = open();
        const request = driven.resolver.submit('delay-any-20.test');
        drive(driven, request);
        parentPort.postMessage(ended(request));
        driven.poll.close();
        driven.resolver.close();
      \`), 'message');
      tell(answer);
      const hanging = run(\`
        const driven = open();
        driven.resolver.submit('delay-any-400.test');
        parentPort.postMessage('submitted');
      \`);
      await once(hanging, 'message');
      tell(await hanging.terminate());
      // Until its thread has the answer that nobody takes any more.
      await new Promise((resolve) => setTimeout(resolve, 600));
    `;
    expect(await told(prelude + body, options)).toEqual([
      { state: 'complete', addresses: ['::1', '127.0.0.1'] },
      1,
    ]);
  });
});

describeWithPeers(['python3'], 'a request to the c-ares engine', () => {
  it('is answered by the event loop, and told by the check', async () => {
    const { server, peer } = await openNameServer();
    const { resolver, poll } = setUp({ engine: 'c-ares', servers: [server], timeout: 5_000 });
    const request = resolver.submit('good.test', 80);
    while (request.state === 'pending') {
      await poll.wait();
      resolver.check();
    }
    expect(request.result).toHaveLength(2);
    const late = resolver.submit('drop-any.test', 0, undefined, { timeout: 50 });
    await until(5_000, () => askedFor(peer, 'drop-any.test') > 0);
    while (late.state === 'pending') {
      await poll.wait();
      resolver.check();
    }
    expect(late.error).toMatchObject({ code: 'ERR_SOCK_TIMEOUT', timeout: 50 });
  });
});
