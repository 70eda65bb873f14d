import { describeWithPeers } from '@sock/testing';
import { askedFor, filesFor, openNamed, told } from './support.js';

const timedOut = { name: 'TimeoutError', code: 'ERR_SOCK_TIMEOUT' };
const closed = { name: 'SocketClosedError', code: 'ERR_SOCK_CLOSED' };

describeWithPeers(['mount namespaces'], 'the system engine', () => {
  const hosts = '127.0.0.1 both.test\n::1 both.test\n127.0.0.2 four.test xn--bcher-kva.test\n';

  it('finds what the hosts file says, in the order of RFC 6724, with the port', async () => {
    const body = `
      const resolver = new Resolver();
      tell(await resolver.resolve('both.test', 80));
      tell(await resolver.resolve('BOTH.test', undefined, { family: 'ipv4' }));
      tell(await resolver.resolve('both.test', 1, { family: 'ipv6' }));
      tell(await resolver.resolve('bücher.test'));
    `;
    expect(await told(body, { files: filesFor(hosts) })).toEqual([
      [
        { address: '::1', port: 80, family: 'ipv6' },
        { address: '127.0.0.1', port: 80, family: 'ipv4' },
      ],
      [{ address: '127.0.0.1', port: 0, family: 'ipv4' }],
      [{ address: '::1', port: 1, family: 'ipv6' }],
      [{ address: '127.0.0.2', port: 0, family: 'ipv4' }],
    ]);
  });

  it('finds the name of an address', async () => {
    const body = `
      const resolver = new Resolver();
      tell(await resolver.reverse('127.0.0.2'));
      tell(await failureOf(resolver.reverse('192.0.2.1')));
    `;
    const files = { ...filesFor(hosts), '/etc/nsswitch.conf': 'hosts: files\n' };
    expect(await told(body, { files })).toMatchObject([
      ['four.test'],
      { name: 'ResolveError', code: 'ENOTFOUND', hostname: '192.0.2.1', syscall: 'getnameinfo' },
    ]);
  });
});

const peers = ['network namespaces', 'mount namespaces', 'python3'];

describeWithPeers(peers, 'the system engine, with a name server', () => {
  it('tells what the server says: addresses, no such name, a failure', async () => {
    const { peer, options } = await openNamed();
    const body = `
      const resolver = new Resolver();
      tell((await resolver.resolve('good.test')).map(({ address }) => address));
      tell((await resolver.resolve('truncate.test')).map(({ address }) => address));
      tell((await resolver.resolve('nodata-aaaa.test')).map(({ address }) => address));
      tell(await resolver.reverse('192.0.2.1'));
      const failing = ['nxdomain.test.', 'nodata-any.test.', 'servfail-any.test.'];
      for (const name of failing) tell(await failureOf(resolver.resolve(name)));
      tell(resolver.stats);
    `;
    expect(await told(body, options)).toMatchObject([
      ['::1', '127.0.0.1'],
      ['::1', '127.0.0.1'],
      ['127.0.0.1'],
      ['pointed.test'],
      { name: 'ResolveError', code: 'ENOTFOUND', gaiCode: -2, hostname: 'nxdomain.test.' },
      { name: 'ResolveError', code: 'ENOTFOUND', hostname: 'nodata-any.test.' },
      { name: 'ResolveError', code: 'EAI_AGAIN', gaiCode: -3, syscall: 'getaddrinfo' },
      { lookups: 7, answered: 4, failed: 3, pending: 0, queued: 0, stuckThreads: 0 },
    ]);
    expect(peer.stdout.toString()).toMatch(/truncate\.test tcp/);
  });

  it('searches the domains of resolv.conf, unless a final dot says not to', async () => {
    const { peer, options } = await openNamed();
    const body = `
      const resolver = new Resolver();
      tell((await resolver.resolve('short')).length);
      tell((await resolver.resolve('short.')).length);
    `;
    expect(await told(body, options)).toEqual([2, 2]);
    expect(askedFor(peer, 'short.search.test')).toBe(2);
    expect(askedFor(peer, 'short')).toBe(2);
  });

  it('ends lookups when their time is over, while they run and while they wait', async () => {
    const { options } = await openNamed();
    const body = `
      const resolver = new Resolver({ threads: 1, threadsMax: 1, timeout: 300 });
      const startMs = performance.now();
      const running = failureOf(resolver.resolve('drop-any.test', 0, { timeout: 400 }), startMs);
      const waiting = failureOf(resolver.resolve('good.test'), startMs);
      tell(await waiting);
      tell(await running);
      tell(resolver.stats);
    `;
    const [waiting, running, stats] = await told(body, options, 1);
    expect(waiting).toMatchObject({ ...timedOut, timeout: 300 });
    expect(running).toMatchObject({ ...timedOut, timeout: 400 });
    for (const { tookMs, timeout } of [waiting, running] as { tookMs: number; timeout: number }[]) {
      expect(tookMs).toBeGreaterThanOrEqual(timeout);
    }
    expect(stats).toMatchObject({ timedOut: 2, pending: 0, threads: 1, stuckThreads: 1 });
  });

  it('replaces threads that hang, up to the maximum, and keeps the others going', async () => {
    const { options } = await openNamed();
    const body = `
      const resolver = new Resolver({ threads: 1, threadsMax: 3 });
      const other = new Resolver({ threads: 1, threadsMax: 1 });
      const hang = (name) => failureOf(resolver.resolve(name, 0, { timeout: 50 }));
      for (const name of ['drop-any.1.test', 'drop-any.2.test']) tell(await hang(name));
      tell((await resolver.resolve('good.test')).length);
      tell(await hang('drop-any.3.test'));
      const { threads, stuckThreads } = resolver.stats;
      tell({ threads, stuckThreads });
      tell(await hang('better.test'));
      tell((await other.resolve('good.test')).length);
    `;
    expect(await told(body, options, 3)).toMatchObject([
      { ...timedOut, message: expect.stringContaining('drop-any.1.test') },
      { ...timedOut, message: expect.stringContaining('drop-any.2.test') },
      2,
      { ...timedOut, message: expect.stringContaining('drop-any.3.test') },
      { threads: 3, stuckThreads: 3 },
      { ...timedOut, message: expect.stringContaining('better.test') },
      2,
    ]);
  });

  it('asks once for all who want the same, of whom one may leave', async () => {
    const { peer, options } = await openNamed();
    const body = `
      const resolver = new Resolver();
      const controller = new AbortController();
      const { signal } = controller;
      const leaving = failureOf(resolver.resolve('delay-any-300.test', 0, { signal }));
      const others = Array.from({ length: 20 }, () => resolver.resolve('delay-any-300.test', 7));
      setTimeout(() => controller.abort(), 20);
      const left = await leaving;
      tell({ name: left.name, pending: resolver.stats.pending });
      const answers = await Promise.all(others);
      tell(answers.every(([first, second]) => first.port === 7 && second.port === 7));
      tell(new Set(answers.flat()).size);
      tell(resolver.stats);
    `;
    expect(await told(body, options)).toMatchObject([
      { name: 'AbortError', pending: 1 },
      true,
      40,
      { lookups: 21, answered: 20, cancelled: 1, coalesced: 20 },
    ]);
    expect(askedFor(peer, 'delay-any-300.test')).toBe(2);
  });

  it('refuses more than may wait, and takes more when told so', async () => {
    const { options } = await openNamed();
    const body = `
      const resolver = new Resolver({ threads: 1, threadsMax: 1, maxPending: 1 });
      const pending = [failureOf(resolver.resolve('drop-any.test'))];
      while (resolver.stats.queued > 0) await new Promise(setImmediate);
      pending.push(failureOf(resolver.resolve('b.test')));
      await new Promise(setImmediate);
      tell(resolver.stats.queued);
      tell(await failureOf(resolver.resolve('c.test')));
      resolver.maxPending = 2;
      pending.push(failureOf(resolver.resolve('c.test')));
      await new Promise(setImmediate);
      tell(resolver.stats);
      resolver.close();
      for (const one of await Promise.all(pending)) tell(one);
    `;
    expect(await told(body, options, 1)).toMatchObject([
      1,
      { name: 'SocketError', code: 'ERR_SOCK_QUEUE_FULL' },
      { queued: 2, refused: 1, pending: 3 },
      closed,
      closed,
      closed,
    ]);
  });

  it('closes at once, and holds no process up though a thread hangs', async () => {
    const { options } = await openNamed();
    const body = `
      const resolver = new Resolver();
      const pending = failureOf(resolver.resolve('drop-any.test'));
      await new Promise((resolve) => setTimeout(resolve, 20));
      resolver.close();
      resolver.close();
      tell(await pending);
      tell(await failureOf(resolver.resolve('localhost')));
      tell(await failureOf(resolver.resolve('127.0.0.1')));
      tell(resolver.isClosed);
    `;
    expect(await told(body, options, 1)).toMatchObject([closed, closed, closed, true]);
  });

  it('keeps answers when told so, and the server is asked once', async () => {
    const { peer, options } = await openNamed();
    const body = `
      const resolver = new Resolver({ cache: {} });
      for (let i = 0; i < 3; i++) tell((await resolver.resolve('good.test', i)).length);
      for (let i = 0; i < 3; i++) tell((await failureOf(resolver.resolve('nxdomain.test.'))).code);
      tell(resolver.stats.cache);
    `;
    expect(await told(body, options)).toEqual([
      ...[2, 2, 2],
      ...['ENOTFOUND', 'ENOTFOUND', 'ENOTFOUND'],
      { size: 2, hits: 2, negativeHits: 2, misses: 2, staleHits: 0, evictions: 0 },
    ]);
    expect(askedFor(peer, 'good.test')).toBe(2);
    expect(askedFor(peer, 'nxdomain.test')).toBe(2);
  });
});

describeWithPeers([...peers, 'dnsmasq'], 'the system engine, with dnsmasq', () => {
  it('finds its hosts, not others, and outlives a dead upstream', async () => {
    const { options } = await openNamed();
    const { namespace } = options;
    if (namespace === undefined) throw new Error('there is no namespace');
    const flags = ['--no-daemon', '--no-hosts', '--no-resolv', '--conf-file=/dev/null'];
    const zones = [
      '--address=/here.test/192.0.2.7',
      '--local=/gone.test/',
      // Nobody listens at the port: a zone that nobody answers for.
      '--server=/dead.test/127.0.0.9#1',
    ];
    const address = ['--listen-address=127.0.0.2', '--bind-interfaces', '--user=root'];
    await namespace.launch('dnsmasq', [...flags, ...zones, ...address], { ready: /started/ });
    const files = { ...options.files, '/etc/resolv.conf': 'nameserver 127.0.0.2\n' };
    const body = `
      const resolver = new Resolver({ timeout: 400 });
      const dead = failureOf(resolver.resolve('www.dead.test'));
      tell(await resolver.resolve('www.here.test', 443));
      tell((await failureOf(resolver.resolve('www.gone.test'))).code);
      tell(['ERR_SOCK_TIMEOUT', 'EAI_AGAIN'].includes((await dead).code));
    `;
    expect(await told(body, { ...options, files }, 1)).toEqual([
      [{ address: '192.0.2.7', port: 443, family: 'ipv4' }],
      'ENOTFOUND',
      true,
    ]);
  });
});
