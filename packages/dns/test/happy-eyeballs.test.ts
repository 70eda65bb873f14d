/** Races over real networks: addresses that refuse or drop, and name servers that are slow. */
import { connect, listen } from '@sock/core';
import {
  AddressMemory,
  connectHappyEyeballs,
  type HappyEyeballsConfig,
  raceTrace,
} from '@sock/dns';
import { describeWithPeers, failureOf, thrownBy } from '@sock/testing';
import { openFar, openLate, over, racing } from './races.js';
import { filesFor, openNamed, told } from './support.js';

const preferIpv6 = '{ preferIpv6: true }';
/** As in the scripts: one line of output for each. */
const forms = ['promise', 'sync', 'by hand'];

describeWithPeers(
  ['network namespaces', 'mount namespaces', 'nft in a namespace', 'python3'],
  'a race over a network',
  () => {
    it('is won by the preferred family, where both work', async () => {
      const { port, options, ipv4, ipv6 } = await openFar([]);
      const body = `
        for (const form of forms) {
          tell(await form('both.test', ${port}, ${preferIpv6}));
          tell(await form('both.test', ${port}, { preferIpv6: false }));
        }
      `;
      const expected = [
        { address: ipv6, steps: ['attempt ipv6', 'won ipv6'] },
        { address: ipv4, steps: ['attempt ipv4', 'won ipv4'] },
      ];
      expect(await told(racing + body, options)).toMatchObject(forms.flatMap(() => expected));
    });

    it('goes to the other family after the delay, when nobody answers', async () => {
      const { port, options, ipv4 } = await openFar([over('ip6', 'drop')]);
      const body = `
        for (const form of forms) tell(await form('both.test', ${port}, ${preferIpv6}));
        const slow = { preferIpv6: true, firstAttemptDelay: 600 };
        tell(await race('both.test', ${port}, slow));
        const slowly = (host, port, limits) =>
          connectHappyEyeballs(host, port, { ...slow, ...limits });
        const socket = await connect({ host: 'both.test', port: ${port}, race: slowly });
        tell(socket.remoteAddress);
        await socket.end();
      `;
      const lines = await told(racing + body, options);
      expect(lines.pop()).toBe(ipv4);
      const steps = ['attempt ipv6', 'attempt ipv4', 'won ipv4', 'lost ipv6'];
      for (const [index, delayMs] of [250, 250, 250, 600].entries()) {
        expect(lines[index]).toMatchObject({ address: ipv4, steps });
        expect((lines[index] as { tookMs: number }).tookMs).toBeGreaterThanOrEqual(delayMs);
      }
    });

    it('goes to the other family at once, when one refuses', async () => {
      const { port, options, ipv4 } = await openFar([over('ip6', 'reject with tcp reset')]);
      const body = `
        const config = { preferIpv6: true, firstAttemptDelay: 2_000 };
        for (const form of forms) tell(await form('both.test', ${port}, config));
      `;
      const steps = ['attempt ipv6', 'failed ipv6', 'attempt ipv4', 'won ipv4'];
      const expected = forms.map(() => ({ address: ipv4, steps }));
      expect(await told(racing + body, options)).toMatchObject(expected);
    });

    it('tells why each address failed, and when the time was over', async () => {
      const refuse = [over('ip', 'reject with tcp reset'), over('ip6', 'drop')];
      const { port, options, ipv4, ipv6 } = await openFar(refuse);
      const body = `
        for (const form of forms) {
          tell(await form('both.test', ${port}, { preferIpv6: true, attemptTimeout: 600 }));
          tell(await form('both.test', ${port}, { preferIpv6: true, timeout: 700 }));
        }
      `;
      const steps = ['attempt ipv6', 'attempt ipv4', 'failed ipv4'];
      const expected = [
        {
          name: 'HappyEyeballsError',
          code: 'ERR_SOCK_TIMEOUT',
          errors: [`ECONNREFUSED ${ipv4}`, `ERR_SOCK_TIMEOUT ${ipv6}`],
          steps: [...steps, 'failed ipv6'],
        },
        { name: 'TimeoutError', code: 'ERR_SOCK_TIMEOUT', steps: [...steps, 'lost ipv6'] },
      ];
      expect(await told(racing + body, options)).toMatchObject(forms.flatMap(() => expected));
    });

    it('fails without a route to any address', async () => {
      const { network, port, options } = await openFar([]);
      for (const version of ['-4', '-6']) {
        await network.near.run('ip', version, 'route', 'flush', 'dev', 'veth0');
      }
      const body = `for (const form of forms) tell(await form('both.test', ${port}));`;
      const lines = await told(racing + body, options);
      for (const line of lines) expect(line).toMatchObject({ name: 'HappyEyeballsError' });
      expect(lines).toHaveLength(forms.length);
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
      expect(await told(racing + body, { ...options, files })).toMatchObject([
        ['ERR_SOCK_TIMEOUT fd97::3', 'ERR_SOCK_TIMEOUT fd97::2'],
        0,
        { address: ipv4 },
        true,
      ]);
    });
  },
);

describeWithPeers(
  ['network namespaces', 'mount namespaces', 'TUN devices', 'python3'],
  'a race over a line that is slow',
  () => {
    const early = ['attempt ipv6', 'won ipv6'];
    const late = ['attempt ipv6', 'attempt ipv4'];

    /** Each way; and between attempts. */
    interface Delays {
      readonly ipv4: number;
      readonly ipv6: number;
      readonly attempt: number;
    }

    // With much room, as other work may be in the way.
    it.each<[string, Delays, 'ipv4' | 'ipv6', string[]]>([
      ['is awaited for the delay', { ipv4: 0, ipv6: 60, attempt: 2_000 }, 'ipv6', early],
      [
        'loses to one that is faster',
        { ipv4: 0, ipv6: 1_500, attempt: 250 },
        'ipv4',
        [...late, 'won ipv4'],
      ],
      [
        'wins although it is late',
        { ipv4: 900, ipv6: 250, attempt: 250 },
        'ipv6',
        [...late, 'won ipv6'],
      ],
    ])('an address that answers late %s', async (_what, delaysMs, family, steps) => {
      const far = await openLate(delaysMs);
      const body = `
        const config = { preferIpv6: true, firstAttemptDelay: ${delaysMs.attempt} };
        for (const form of forms) tell(await form('both.test', ${far.port}, config));
      `;
      const lines = await told(racing + body, far.options);
      for (const line of lines) {
        expect(line).toMatchObject({ address: far[family] });
        expect((line as { steps: string[] }).steps.slice(0, steps.length)).toEqual(steps);
        const { tookMs } = line as { tookMs: number };
        expect(tookMs).toBeGreaterThanOrEqual(2 * delaysMs[family]);
      }
      expect(lines).toHaveLength(forms.length);
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
        // Other work may be in the way of one answer, and not of the other.
        const resolutionDelay = ${expected === '::1' ? 1_000 : 50};
        const config = { timeout: 1_500, resolutionDelay };
        for (const form of forms) tell(await form('${host}', port, config));
        listener.close();
      `;
      // Lookups that nobody waits for any more may still be in the C library.
      const lines = await told(racing + body, options, forms.length);
      expect(lines).toMatchObject(forms.map(() => ({ address: expected })));
    });

    it('leaves the answer that comes too late for it to the cache', async () => {
      const { options } = await openNamed();
      const body = `
        ${server}
        const resolver = new Resolver({ cache: {} });
        const { address } = await race('delay-aaaa-300.test', port, { resolver });
        tell([address, resolver.stats.cache.size, resolver.stats.pending]);
        while (resolver.stats.pending > 0) await new Promise((resolve) => setTimeout(resolve, 10));
        tell(resolver.stats.cache.size);
        const again = await race('delay-aaaa-300.test', port, { resolver });
        tell([again.address, resolver.stats.cache.hits]);
        listener.close();
      `;
      expect(await told(racing + body, options)).toEqual([['127.0.0.1', 1, 1], 2, ['::1', 2]]);
    });

    it('fails with the name server’s words when there is no such name', async () => {
      const { options } = await openNamed();
      const body = `for (const form of forms) tell(await form('nxdomain.test.', 80));`;
      const expected = { name: 'HappyEyeballsError', code: 'ENOTFOUND', steps: [] };
      expect(await told(racing + body, options)).toMatchObject(forms.map(() => expected));
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
    expect(thrownBy(() => new AddressMemory({ ttl: 0 })).message).toContain('"options.ttl"');
  });
});
