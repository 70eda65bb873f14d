import { Resolver, type ResolverOptions } from '@sock/dns';
import { describeWithPeers, failureOf, until } from '@sock/testing';
import { askedFor, openNameServer, told } from './support.js';

const open: Resolver[] = [];
afterEach(() => {
  for (const resolver of open.splice(0)) resolver.close();
});

async function setUp(options: ResolverOptions = {}) {
  const { server, peer } = await openNameServer();
  const resolver = new Resolver({ engine: 'c-ares', servers: [server], ...options });
  open.push(resolver);
  return { resolver, peer, server };
}

const addressesOf = async (resolver: Resolver, name: string) =>
  (await resolver.resolve(name)).map(({ address }) => address);

describeWithPeers(['python3'], 'the c-ares engine', () => {
  it('asks the servers it was given, for both families, in the order of RFC 6724', async () => {
    const { resolver } = await setUp();
    expect(resolver.engine).toBe('c-ares');
    expect(await resolver.resolve('good.test', 80)).toEqual([
      { address: '::1', port: 80, family: 'ipv6' },
      { address: '127.0.0.1', port: 80, family: 'ipv4' },
    ]);
    expect(await resolver.resolve('good.test', 80, { family: 'ipv4' })).toHaveLength(1);
    expect(await resolver.resolve('good.test', 80, { family: 'ipv6' })).toHaveLength(1);
    expect(resolver.stats).toMatchObject({ lookups: 3, answered: 3, threads: 0 });
  });

  it('takes one family for an answer when the other has none, or fails', async () => {
    const { resolver } = await setUp();
    expect(await addressesOf(resolver, 'nodata-aaaa.test')).toEqual(['127.0.0.1']);
    expect(await addressesOf(resolver, 'servfail-a.test')).toEqual(['::1']);
  });

  it.each([
    ['nxdomain.test', 'ENOTFOUND', false],
    ['nodata-any.test', 'ENODATA', false],
    ['servfail-any.test', 'ESERVFAIL', true],
    ['nodata-a.servfail-aaaa.test', 'ESERVFAIL', true],
    ['nodata-aaaa.servfail-a.test', 'ESERVFAIL', true],
  ])('fails for %s with %s', async (name, code, retryable) => {
    const { resolver } = await setUp();
    const error = await failureOf(resolver.resolve(name));
    const expected = { name: 'ResolveError', code, gaiCode: 0, hostname: name, retryable };
    expect(error).toMatchObject(expected);
  });

  it('fetches an answer that is too long over TCP', async () => {
    const { resolver, peer } = await setUp();
    expect(await addressesOf(resolver, 'truncate.test')).toEqual(['::1', '127.0.0.1']);
    expect(peer.stdout.toString()).toMatch(/^aaaa truncate\.test tcp$/m);
  });

  it('knows services', async () => {
    const { resolver } = await setUp();
    const records = await resolver.resolveSrv('_sip._tcp.test');
    expect(records.toSorted((a, b) => a.priority - b.priority)).toEqual([
      { name: 'one.test', port: 5061, priority: 10, weight: 60 },
      { name: 'two.test', port: 5062, priority: 20, weight: 0 },
    ]);
  });

  it('knows names of addresses', async () => {
    const { resolver } = await setUp();
    expect(await resolver.reverse('192.0.2.1')).toEqual(['pointed.test']);
    expect(await resolver.reverse('2001:db8::1')).toEqual(['pointed.test']);
    expect(await resolver.reverse('fe80::1%lo')).toEqual(['pointed.test']);
  });

  it('keeps answers for as long as the server says, and not at all when it says so', async () => {
    const { resolver, peer } = await setUp({ cache: {} });
    for (const name of ['ttl-60.test', 'ttl-60.test', 'ttl-0.test', 'ttl-0.test']) {
      await resolver.resolve(name);
    }
    expect(askedFor(peer, 'ttl-60.test')).toBe(2);
    expect(askedFor(peer, 'ttl-0.test')).toBe(4);
    expect(resolver.stats.cache).toMatchObject({ size: 1, hits: 1, misses: 3 });
  });

  it('does not keep one family for both while the other fails', async () => {
    const { resolver } = await setUp({ cache: {} });
    await resolver.resolve('servfail-a.test');
    expect(resolver.stats.cache.size).toBe(0);
    await resolver.resolve('nodata-a.test');
    expect(resolver.stats.cache.size).toBe(1);
  });

  it('gives up one lookup and lets the others be', async () => {
    const { resolver, peer } = await setUp();
    const controller = new AbortController();
    const { signal } = controller;
    const aborted = failureOf(resolver.resolve('delay-any-200.test', 0, { signal }));
    const other = resolver.resolve('delay-200.other.test');
    await until(5_000, () => askedFor(peer, 'delay-200.other.test') === 2);
    controller.abort();
    expect(await aborted).toMatchObject({ code: 'ABORT_ERR' });
    expect(await other).toHaveLength(2);
  });

  it('ends lookups that nobody answers when their time is over, and the process too', async () => {
    const { server } = await setUp();
    const [late] = await told(`
      const resolver = new Resolver({ engine: 'c-ares', servers: ['${server}'], timeout: 100 });
      tell(await failureOf(resolver.resolve('drop-any.test')));
    `);
    expect(late).toMatchObject({ name: 'TimeoutError', timeout: 100 });
  });

  it('refuses more than may be under way', async () => {
    const { resolver } = await setUp({ maxPending: 2 });
    const hanging = [1, 2].map((i) => failureOf(resolver.resolve(`drop-any.${i}.test`)));
    const error = await failureOf(resolver.resolve('good.test'));
    expect(error).toMatchObject({ code: 'ERR_SOCK_QUEUE_FULL' });
    resolver.maxPending = 3;
    expect(await resolver.resolve('good.test')).toHaveLength(2);
    resolver.close();
    for (const one of await Promise.all(hanging)) {
      expect(one).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    }
  });
});
