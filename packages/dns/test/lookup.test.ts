/** `lookup` in those who take one. */
import dns from 'node:dns';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { connect, listen } from '@sock/core';
import { Resolver } from '@sock/dns';
import { failureOf, runScript, thrownBy } from '@sock/testing';
import { Agent, request } from 'undici';

const resolver = new Resolver();
const { lookup } = resolver;
afterAll(() => resolver.close());

type Results = readonly unknown[];

/** What the callback gets. */
const called = (...args: readonly unknown[]): Promise<Results> =>
  new Promise((resolve) => {
    (lookup as (...all: unknown[]) => void)(...args, (...results: unknown[]) => resolve(results));
  });

/** The same from Node's own. */
const calledByNode = (...args: readonly unknown[]): Promise<Results> =>
  new Promise((resolve) => {
    const nodes = dns.lookup as unknown as (...all: unknown[]) => void;
    nodes(...args, (...results: unknown[]) => resolve(results));
  });

describe('lookup answers as dns.lookup does', () => {
  it.each<[string, Results]>([
    ['a literal', ['192.0.2.1']],
    ['a literal, all', ['192.0.2.1', { all: true }]],
    ['a literal of another family', ['192.0.2.1', 6]],
    ['an IPv6 literal', ['::1', { family: 0 }]],
    ['one address', ['localhost', 4]],
    ['one of a family by name', ['localhost', { family: 'IPv4' }]],
    ['all', ['localhost', { all: true, family: 4 }]],
    ['with hints', ['localhost', { hints: dns.ADDRCONFIG, family: 4 }]],
    ['IPv4 first', ['localhost', { all: true, order: 'ipv4first' }]],
    ['IPv4 first, the older way', ['localhost', { all: true, verbatim: false }]],
    ['options that are null', ['127.0.0.1', null]],
  ])('%s', async (_what, args) => {
    expect(await called(...args)).toEqual(await calledByNode(...args));
  });

  it('when nothing is found', async () => {
    const [error, ...rest] = await called('nowhere.invalid', { hints: 0 });
    expect(error).toMatchObject({ name: 'ResolveError', hostname: 'nowhere.invalid' });
    expect(['ENOTFOUND', 'EAI_AGAIN']).toContain((error as { code: string }).code);
    expect(rest).toEqual(['']);
  });

  it.each(['a b', '', '127.1', '-a.test'])(
    'with an error for what is no name: %j',
    async (name) => {
      const expected = { name: 'ResolveError', code: 'ENOTFOUND', hostname: name };
      expect((await called(name))[0]).toMatchObject(expected);
      expect(await called(name, { all: true })).toMatchObject([expected, []]);
    },
  );

  it.each<[string, Results]>([
    ['hostname', [undefined, () => {}]],
    ['hostname', [1, {}, () => {}]],
    ['callback', ['localhost']],
    ['callback', ['localhost', {}, 1]],
    ['options', ['localhost', 'x', () => {}]],
    ['options.family', ['localhost', 5, () => {}]],
    ['options.family', ['localhost', { family: '4' }, () => {}]],
    ['options.hints', ['localhost', { hints: -1 }, () => {}]],
    ['options.order', ['localhost', { order: 'random' }, () => {}]],
  ])('with a throw for a wrong %s', (name, args) => {
    const call = () => (lookup as (...all: unknown[]) => void)(...args);
    expect(thrownBy(call).message).toContain(`"${name}"`);
  });

  it('later than the call, and out of any promise', async () => {
    const { stdout, stderr } = await runScript(`
      const { Resolver } = require('@sock/dns');
      process.on('uncaughtException', (error) => console.log('uncaught', error.message));
      let isInside = true;
      new Resolver().lookup('::1', () => {
        console.log(isInside);
        throw new Error('mine');
      });
      isInside = false;
    `);
    expect({ stdout, stderr }).toEqual({ stdout: 'false\nuncaught mine\n', stderr: '' });
  });

  it('with an error once it is closed', async () => {
    const closed = new Resolver();
    closed.close();
    const error = await new Promise((resolve) => closed.lookup('localhost', resolve));
    expect(error).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
  });
});

describe('lookup can be handed to', () => {
  let server: http.Server;
  let port: number;
  beforeEach(async () => {
    server = http.createServer((_request, response) => response.end('hello'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  const before = () => resolver.stats.answered;

  it.each([true, false])('net, with autoSelectFamily %p', async (autoSelectFamily) => {
    const count = before();
    const options = { host: 'localhost', port, lookup, autoSelectFamily, family: 4 };
    const socket = net.connect(options);
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    socket.destroy();
    expect(resolver.stats.answered).toBe(count + 1);
  });

  it('http', async () => {
    const count = before();
    const status = await new Promise((resolve, reject) => {
      const options = { host: 'localhost', port, lookup, agent: false, family: 4 };
      http
        .get(options, (response) =>
          response.resume().once('end', () => resolve(response.statusCode)),
        )
        .once('error', reject);
    });
    expect(status).toBe(200);
    expect(resolver.stats.answered).toBe(count + 1);
  });

  it('undici', async () => {
    const count = before();
    const dispatcher = new Agent({ connect: { lookup } });
    const { body } = await request(`http://localhost:${port}`, { dispatcher });
    expect(await body.text()).toBe('hello');
    await dispatcher.close();
    expect(resolver.stats.answered).toBeGreaterThan(count);
  });

  it('connect of @sock/core', async () => {
    const listener = listen({ host: '127.0.0.1' });
    const options = { host: 'localhost', port: listener.localPort, lookup };
    const socket = await connect(options);
    expect(socket.remoteAddress).toBe('127.0.0.1');
    socket.close();
    listener.close();
    const failure = await failureOf(connect({ ...options, host: 'no_such.invalid' }));
    expect(failure).toMatchObject({ name: 'ResolveError' });
  });
});
