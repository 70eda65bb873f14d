/** Races over real networks: addresses that refuse or drop, and name servers that are slow. */
import { connect, listen } from '@sock/core';
import {
  AddressMemory,
  connectHappyEyeballs,
  type HappyEyeballsConfig,
  raceTrace,
} from '@sock/dns';
import {
  describeWithPeers,
  failureOf,
  openNetwork,
  type Rule,
  type ScriptOptions,
  thrownBy,
} from '@sock/testing';
import { filesFor, openNamed, told } from './support.js';

const prelude = `
  const { connectHappyEyeballs, raceTrace, AddressMemory } = require('@sock/dns');
  const { connect } = require('@sock/core');
  /** What became of the addresses, without the times. */
  const stepsOf = (outcome) =>
    raceTrace(outcome)
      .filter(({ address }) => address !== undefined)
      .map(({ type, family }) => type + ' ' + family);
  const race = async (host, port, config) => {
    const startMs = performance.now();
    try {
      const socket = await connectHappyEyeballs(host, port, config);
      const tookMs = performance.now() - startMs;
      const address = socket.remoteAddress;
      socket.close();
      return { address, steps: stepsOf(socket), tookMs };
    } catch (error) {
      const tookMs = performance.now() - startMs;
      const errors = error.errors?.map(({ code, address }) => code + ' ' + address);
      return { name: error.name, code: error.code, errors, steps: stepsOf(error), tookMs };
    }
  };
`;

/** Both addresses of the far side under one name, and somebody who listens there. */
async function openFar(rules: readonly Rule[]) {
  const network = await openNetwork();
  const [ipv4, ipv6] = network.farAddresses;
  const { ready } = await network.far.launch(
    'python3',
    ['-u', '-m', 'http.server', '0', '--bind', '::'],
    { ready: /port (\d+)/ },
  );
  if (rules.length > 0) await network.far.filter(rules);
  const options: ScriptOptions = {
    namespace: network.near,
    files: filesFor(`${ipv4} both.test\n${ipv6} both.test\n`),
  };
  return { network, port: ready[1] ?? '', options, ipv4, ipv6 };
}

const over = (family: 'ip' | 'ip6', verdict: string): Rule => ({
  match: `meta nfproto ${family === 'ip' ? 'ipv4' : 'ipv6'} meta l4proto tcp`,
  verdict,
});
const preferIpv6 = '{ preferIpv6: true }';

describeWithPeers(
  ['network namespaces', 'mount namespaces', 'nft in a namespace', 'python3'],
  'a race over a network',
  () => {
    it('is won by the preferred family, where both work', async () => {
      const { port, options, ipv4, ipv6 } = await openFar([]);
      const body = `
        tell(await race('both.test', ${port}, ${preferIpv6}));
        tell(await race('both.test', ${port}, { preferIpv6: false }));
      `;
      expect(await told(prelude + body, options)).toMatchObject([
        { address: ipv6, steps: ['attempt ipv6', 'won ipv6'] },
        { address: ipv4, steps: ['attempt ipv4', 'won ipv4'] },
      ]);
    });

    it('goes to the other family after the delay, when nobody answers', async () => {
      const { port, options, ipv4 } = await openFar([over('ip6', 'drop')]);
      const body = `
        tell(await race('both.test', ${port}, ${preferIpv6}));
        const slow = { preferIpv6: true, firstAttemptDelay: 600 };
        tell(await race('both.test', ${port}, slow));
        const slowly = (host, port, limits) =>
          connectHappyEyeballs(host, port, { ...slow, ...limits });
        const socket = await connect({ host: 'both.test', port: ${port}, race: slowly });
        tell(socket.remoteAddress);
        await socket.end();
      `;
      const [first, second, third] = await told(prelude + body, options);
      const steps = ['attempt ipv6', 'attempt ipv4', 'won ipv4', 'lost ipv6'];
      expect(first).toMatchObject({ address: ipv4, steps });
      expect(second).toMatchObject({ address: ipv4, steps });
      expect((first as { tookMs: number }).tookMs).toBeGreaterThanOrEqual(250);
      expect((second as { tookMs: number }).tookMs).toBeGreaterThanOrEqual(600);
      expect(third).toBe(ipv4);
    });

    it('goes to the other family at once, when one refuses', async () => {
      const { port, options, ipv4 } = await openFar([over('ip6', 'reject with tcp reset')]);
      const body = `
        tell(await race('both.test', ${port}, { preferIpv6: true, firstAttemptDelay: 2_000 }));
      `;
      const [outcome] = await told(prelude + body, options);
      const steps = ['attempt ipv6', 'failed ipv6', 'attempt ipv4', 'won ipv4'];
      expect(outcome).toMatchObject({ address: ipv4, steps });
    });

    it('tells why each address failed, and when the time was over', async () => {
      const refuse = [over('ip', 'reject with tcp reset'), over('ip6', 'drop')];
      const { port, options, ipv4, ipv6 } = await openFar(refuse);
      const body = `
        tell(await race('both.test', ${port}, { preferIpv6: true, attemptTimeout: 300 }));
        tell(await race('both.test', ${port}, { preferIpv6: true, timeout: 400 }));
      `;
      const steps = ['attempt ipv6', 'attempt ipv4', 'failed ipv4'];
      expect(await told(prelude + body, options)).toMatchObject([
        {
          name: 'HappyEyeballsError',
          code: 'ERR_SOCK_TIMEOUT',
          errors: [`ECONNREFUSED ${ipv4}`, `ERR_SOCK_TIMEOUT ${ipv6}`],
          steps: [...steps, 'failed ipv6'],
        },
        { name: 'TimeoutError', code: 'ERR_SOCK_TIMEOUT', steps: [...steps, 'lost ipv6'] },
      ]);
    });

    it('begins with what worked the last time, when it may remember', async () => {
      const { port, options, ipv4, ipv6, network } = await openFar([over('ip6', 'drop')]);
      await network.far.run('ip', 'address', 'add', 'fd97::3/64', 'dev', 'veth0', 'nodad');
      const hosts = `fd97::2 many.test\nfd97::3 many.test\n`;
      const body = `
        const memory = new AddressMemory();
        memory.remember('fd97::3', 1);
        const config = { memory, attemptTimeout: 100 };
        const { errors } = await race('many.test', ${port}, config);
        tell(errors);
        tell(memory.size);
        tell(await race('both.test', ${port}, { memory }));
        tell(memory.roundTrip('${ipv4}') > 0);
      `;
      const files = filesFor(`${hosts}${ipv4} both.test\n${ipv6} both.test\n`);
      expect(await told(prelude + body, { ...options, files })).toMatchObject([
        ['ERR_SOCK_TIMEOUT fd97::3', 'ERR_SOCK_TIMEOUT fd97::2'],
        0,
        { address: ipv4 },
        true,
      ]);
    });
  },
);

describeWithPeers(
  ['network namespaces', 'mount namespaces', 'python3'],
  'a race with a name server',
  () => {
    const server = `
      const { listen } = require('@sock/core');
      const listener = listen();
      const port = listener.localPort;
    `;

    it.each([
      ['good.test', '::1'],
      ['drop-aaaa.test', '127.0.0.1'],
      ['servfail-aaaa.test', '127.0.0.1'],
      ['nodata-aaaa.test', '127.0.0.1'],
      ['delay-aaaa-2000.test', '127.0.0.1'],
      ['drop-a.test', '::1'],
      ['delay-a-2000.test', '::1'],
      ['servfail-a.test', '::1'],
      ['truncate.test', '::1'],
    ])('connects to %s by %s, and waits for no other answer', async (host, expected) => {
      const { options } = await openNamed();
      const body = `
        ${server}
        tell(await race('${host}', port, { timeout: 1_500 }));
        listener.close();
      `;
      // The lookup that nobody waits for any more may still be in the C library.
      const [outcome] = await told(prelude + body, options, 1);
      expect(outcome).toMatchObject({ address: expected });
    });

    it('fails with the name server’s words when there is no such name', async () => {
      const { options } = await openNamed();
      const body = `tell(await race('nxdomain.test.', 80));`;
      expect(await told(prelude + body, options)).toMatchObject([
        { name: 'HappyEyeballsError', code: 'ENOTFOUND', steps: [] },
      ]);
    });
  },
);

describe('connectHappyEyeballs', () => {
  it('connects to a literal, and tells how', async () => {
    const listener = listen({ host: '127.0.0.1' });
    const socket = await connectHappyEyeballs('127.0.0.1', listener.localPort as number);
    expect(socket.isConnected).toBe(true);
    expect(socket.getNoDelay()).toBe(true);
    expect(raceTrace(socket)?.map(({ type, family }) => `${type} ${family}`)).toEqual([
      ...['lookup ipv6', 'lookup ipv4', 'found ipv6', 'found ipv4'],
      ...['attempt ipv4', 'won ipv4'],
    ]);
    expect(raceTrace({})).toBeUndefined();
    expect(raceTrace(null)).toBeUndefined();
    socket.close();
    listener.close();
  });

  it('fits race of connect, whose time and signal it keeps', async () => {
    const listener = listen({ host: '127.0.0.1' });
    const { localPort: port = 0 } = listener;
    const race = connectHappyEyeballs;
    const socket = await connect({ host: 'localhost', port, race });
    expect(socket.remoteAddress).toBe('127.0.0.1');
    socket.close();
    // Connections that nobody accepts: with the backlog full, the next one waits.
    const full = listen({ host: '127.0.0.1', backlog: 1 });
    const target = { host: 'localhost', port: full.localPort ?? 0, race };
    const waiting = [await connect(target), await connect(target)];
    const late = await failureOf(connect({ ...target, timeout: 50 }));
    expect(late).toMatchObject({ name: 'TimeoutError', timeout: 50 });
    const signal = AbortSignal.abort();
    const aborted = await failureOf(connect({ ...target, signal }));
    expect(aborted).toMatchObject({ name: 'AbortError' });
    for (const open of [...waiting, full, listener]) open.close();
  });

  it('is told on its channel, won and lost', async () => {
    const [messages] = await told(`
      const { connectHappyEyeballs } = require('@sock/dns');
      const { listen } = require('@sock/core');
      const messages = [];
      require('node:diagnostics_channel').subscribe('sock:dns:race', (message) => {
        messages.push([message.host, message.error?.name, message.trace.at(-1).type]);
      });
      const listener = listen({ host: '127.0.0.1' });
      const port = listener.localPort;
      (await connectHappyEyeballs('localhost', port)).close();
      listener.close();
      await connectHappyEyeballs('127.0.0.1', port).catch(() => {});
      tell(messages);
    `);
    expect(messages).toEqual([
      ['localhost', null, 'won'],
      ['127.0.0.1', 'HappyEyeballsError', 'failed'],
    ]);
  });

  it.each<[string, HappyEyeballsConfig]>([
    ['config', null as never],
    ['config.delay', { delay: 1 } as never],
    ['config.firstAttemptDelay', { firstAttemptDelay: 9 }],
    ['config.firstAttemptDelay', { firstAttemptDelay: 2_001 }],
    ['config.attemptTimeout', { attemptTimeout: 0 }],
    ['config.totalTimeout', { totalTimeout: 0 }],
    ['config.totalTimeout', { totalTimeout: -1 }],
    ['config.timeout', { timeout: -1 }],
    ['config.resolutionDelay', { resolutionDelay: -1 }],
    ['config.preferIpv6', { preferIpv6: 1 as never }],
    ['config.firstFamilyCount', { firstFamilyCount: 0 }],
    ['config.maxAttempts', { maxAttempts: 0 }],
    ['config.resolver', { resolver: {} as never }],
    ['config.resolver', { resolver: null as never }],
    ['config.memory', { memory: {} as never }],
    ['signal', { signal: {} as never }],
  ])('names what is wrong: %s in %j', (name, config) => {
    const error = thrownBy(() => connectHappyEyeballs('localhost', 1, config));
    expect(error.message).toContain(`"${name}"`);
  });

  it('takes a name and a port only', () => {
    const calls = [
      () => connectHappyEyeballs('', 1),
      () => connectHappyEyeballs(null as never, 1),
      () => connectHappyEyeballs('localhost', 0),
      () => connectHappyEyeballs('localhost', 65_536),
    ];
    for (const call of calls)
      expect(thrownBy(call)).toMatchObject({ code: expect.stringMatching(/^ERR_/) });
  });

  it.each<[string, HappyEyeballsConfig, number]>([
    ['the time of the call', { timeout: 30 }, 30],
    ['the setting', { totalTimeout: 40 }, 40],
    ['the shorter of both', { totalTimeout: 40, timeout: 50 }, 40],
  ])('ends by %s', async (_what, config, expected) => {
    const resolver = { resolve: () => new Promise<never>(() => {}) };
    const error = await failureOf(connectHappyEyeballs('x.test', 1, { ...config, resolver }));
    expect(error).toMatchObject({ code: 'ERR_SOCK_TIMEOUT', timeout: expected });
  });
});

describe('a memory of addresses', () => {
  it('holds so many, and the one used longest ago goes', () => {
    const memory = new AddressMemory({ max: 2 });
    memory.remember('192.0.2.1', 5);
    memory.remember('2001:DB8::1', 6);
    memory.remember('192.0.2.1', 7);
    memory.remember('192.0.2.3', 8);
    const known = ['192.0.2.1', '2001:db8::1', '192.0.2.3'].map((one) => memory.roundTrip(one));
    expect(known).toEqual([7, undefined, 8]);
    memory.forget('192.0.2.1');
    memory.forget('192.0.2.9');
    expect(memory.size).toBe(1);
  });

  it('refuses what is none', () => {
    const memory = new AddressMemory();
    expect(thrownBy(() => memory.remember('localhost', 1)).message).toContain('"address"');
    expect(thrownBy(() => memory.remember('::1', -1)).message).toContain('"roundTrip"');
    expect(thrownBy(() => memory.roundTrip(1 as never)).message).toContain('"address"');
    expect(thrownBy(() => new AddressMemory({ max: 0 })).message).toContain('"options.max"');
  });
});
