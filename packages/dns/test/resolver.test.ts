import { Resolver, type ResolverOptions } from '@sock/dns';
import { failureOf, thrownBy } from '@sock/testing';

const open: Resolver[] = [];
afterEach(() => {
  for (const resolver of open.splice(0)) resolver.close();
});

function setUp(options?: ResolverOptions): Resolver {
  const resolver = new Resolver(options);
  open.push(resolver);
  return resolver;
}

describe('a resolver', () => {
  it('answers a literal at once, without a thread', async () => {
    const resolver = setUp();
    expect(await resolver.resolve('192.0.2.1', 80)).toEqual([
      { address: '192.0.2.1', port: 80, family: 'ipv4' },
    ]);
    expect(await resolver.resolve('FE80:0::1%lo', 80, { timeout: 0 })).toEqual([
      { address: 'fe80::1%lo', port: 80, family: 'ipv6' },
    ]);
    expect(resolver.stats).toMatchObject({ threads: 0, lookups: 0 });
  });

  it('knows that a literal is of one family only', async () => {
    const error = await failureOf(setUp().resolve('192.0.2.1', 0, { family: 'ipv6' }));
    expect(error).toMatchObject({ name: 'ResolveError', code: 'ENOTFOUND', hostname: '192.0.2.1' });
  });

  it('takes null for the wildcard addresses', async () => {
    const resolver = setUp();
    expect(await resolver.resolve(null, 80)).toEqual([
      { address: '0.0.0.0', port: 80, family: 'ipv4' },
      { address: '::', port: 80, family: 'ipv6' },
    ]);
    expect(await resolver.resolve(null, 80, { family: 'ipv6' })).toEqual([
      { address: '::', port: 80, family: 'ipv6' },
    ]);
  });

  it('gives everybody an array of their own', async () => {
    const resolver = setUp({ cache: {} });
    const first = await resolver.resolve('localhost');
    const length = first.length;
    first.pop();
    expect(await resolver.resolve('localhost')).toHaveLength(length);
  });

  it('asks nobody with a signal that is aborted already', async () => {
    const resolver = setUp();
    const options = { signal: AbortSignal.abort() };
    for (const host of ['localhost', '127.0.0.1', null]) {
      const error = await failureOf(resolver.resolve(host, 0, options));
      expect(error).toMatchObject({ code: 'ABORT_ERR' });
    }
    expect(resolver.stats.threads).toBe(0);
  });

  it('has limits that can be looked at and set', async () => {
    const resolver = setUp({ timeout: 100, maxPending: 7 });
    expect(resolver).toMatchObject({ engine: 'system', timeout: 100, maxPending: 7 });
    resolver.timeout = Number.POSITIVE_INFINITY;
    resolver.maxPending = 8;
    expect(resolver).toMatchObject({ timeout: Number.POSITIVE_INFINITY, maxPending: 8 });
    expect(setUp()).toMatchObject({ timeout: 5_000, maxPending: 1_000 });
  });

  it.each([0, -1, Number.NaN, 2 ** 31])('has no limit of %p', (value) => {
    const resolver = setUp();
    const wrong = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' };
    expect(thrownBy(() => (resolver.timeout = value))).toMatchObject(wrong);
    expect(thrownBy(() => (resolver.maxPending = value))).toMatchObject(wrong);
    expect(resolver).toMatchObject({ timeout: 5_000, maxPending: 1_000 });
  });

  it('says that services are for the other engine', () => {
    const error = thrownBy(() => setUp().resolveSrv('_sip._tcp.test'));
    expect(error).toMatchObject({ name: 'SocketError', code: 'ERR_SOCK_UNSUPPORTED' });
  });

  it('is closed by using, and closing again does nothing', async () => {
    const resolver = setUp();
    resolver[Symbol.dispose]();
    resolver.close();
    expect(resolver.isClosed).toBe(true);
    for (const asking of [resolver.resolve('localhost'), resolver.reverse('::1')]) {
      expect(await failureOf(asking)).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    }
    expect(resolver.stats).toMatchObject({ threads: 0, pending: 0 });
  });
});

describe('of a resolver', () => {
  it.each<[unknown, string]>([
    [null, 'options'],
    [[], 'options'],
    [{ engine: 'other' }, 'options.engine'],
    [{ thread: 1 }, 'options.thread'],
    [{ threads: 0 }, 'options.threads'],
    [{ threads: '4' }, 'options.threads'],
    [{ threads: 257 }, 'options.threads'],
    [{ threads: 4, threadsMax: 3 }, 'options.threadsMax'],
    [{ maxPending: 0 }, 'options.maxPending'],
    [{ maxPending: 1.5 }, 'options.maxPending'],
    [{ timeout: 0 }, 'options.timeout'],
    [{ timeout: '1' }, 'options.timeout'],
    [{ servers: ['127.0.0.1'] }, 'options.servers'],
    [{ engine: 'c-ares', threads: 2 }, 'options.threads'],
    [{ engine: 'c-ares', threadsMax: 2 }, 'options.threadsMax'],
    [{ engine: 'c-ares', servers: [] }, 'options.servers'],
    [{ engine: 'c-ares', servers: '127.0.0.1' }, 'options.servers'],
    [{ engine: 'c-ares', servers: [1] }, 'options.servers[0]'],
    [{ engine: 'c-ares', servers: ['::1', 'example.org'] }, 'options.servers[1]'],
    [{ engine: 'c-ares', servers: ['127.0.0.1:0'] }, 'options.servers[0]'],
    [{ engine: 'c-ares', servers: ['127.0.0.1:65536'] }, 'options.servers[0]'],
    [{ engine: 'c-ares', servers: ['[::1'] }, 'options.servers[0]'],
    [{ cache: 5 }, 'options.cache'],
    [{ cache: { size: 5 } }, 'options.cache.size'],
    [{ cache: { max: 0 } }, 'options.cache.max'],
    [{ cache: { ttl: 0 } }, 'options.cache.ttl'],
    [{ cache: { negativeTtl: -1 } }, 'options.cache.negativeTtl'],
    [{ cache: { staleIfError: Number.NaN } }, 'options.cache.staleIfError'],
  ])('the options %j are refused, and what is wrong is named', (options, name) => {
    const error = thrownBy(() => setUp(options as ResolverOptions));
    expect(error).toMatchObject({
      code: expect.stringMatching(/^ERR_(INVALID_ARG_(TYPE|VALUE)|OUT_OF_RANGE)$/),
      message: expect.stringContaining(`"${name}"`),
    });
  });

  it.each<ResolverOptions>([
    { threads: 32 },
    { engine: 'c-ares', servers: ['127.0.0.1', '127.0.0.1:53', '::1', '[::1]:5353'] },
    { cache: { negativeTtl: 0, staleIfError: 0, ttl: Number.POSITIVE_INFINITY } },
    { timeout: Number.POSITIVE_INFINITY },
  ])('the options %j are taken', (options) => {
    expect(setUp(options).isClosed).toBe(false);
  });

  it.each<[string, (resolver: Resolver) => unknown, string]>([
    ['host', (resolver) => resolver.resolve(undefined as never), 'host'],
    ['host', (resolver) => resolver.resolve('a b'), 'host'],
    ['port', (resolver) => resolver.resolve('a', 65536), 'port'],
    ['port', (resolver) => resolver.resolve('a', '80' as never), 'port'],
    ['option', (resolver) => resolver.resolve('a', 0, { timeuot: 1 } as never), 'options.timeuot'],
    ['family', (resolver) => resolver.resolve('a', 0, { family: 4 as never }), 'options.family'],
    ['timeout', (resolver) => resolver.resolve('a', 0, { timeout: -1 }), 'timeout'],
    ['signal', (resolver) => resolver.resolve('a', 0, { signal: {} as never }), 'signal'],
    ['address', (resolver) => resolver.reverse('localhost'), 'address'],
    ['options', (resolver) => resolver.reverse('::1', null as never), 'options'],
    ['name', (resolver) => resolver.resolveSrv('::1'), 'name'],
  ])('a wrong %s is thrown at the call', (_what, call, name) => {
    const resolver = setUp();
    const error = thrownBy(() => call(resolver));
    expect(error).toMatchObject({ message: expect.stringContaining(`"${name}"`) });
    expect(resolver.stats).toMatchObject({ lookups: 0, threads: 0 });
  });
});
