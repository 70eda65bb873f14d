/** Both engines, and races, with a real recursive name server in front of ours. */
import { writeFileSync } from 'node:fs';
import { describeWithPeers, type ScriptOptions, useFolder } from '@sock/testing';
import { racing } from './races.js';
import { filesFor, openNamed, told } from './support.js';

const pathIn = useFolder();

/** A zone of its own, one that our name server answers for, and one that nobody does. */
const config = `
server:
  do-daemonize: no
  username: ""
  chroot: ""
  directory: ""
  pidfile: ""
  use-syslog: no
  verbosity: 1
  interface: 127.0.0.3
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  module-config: "iterator"
  local-zone: "test." nodefault
  local-zone: "here.test." static
  local-data: "www.here.test. 60 IN A 127.0.0.1"
  local-data: "www.here.test. 60 IN AAAA ::1"
  local-data: "old.here.test. 60 IN A 127.0.0.1"
  local-data: "short.here.test. 1 IN A 127.0.0.1"
  local-data: "_sip._tcp.here.test. 60 IN SRV 1 2 5060 www.here.test."
  local-data-ptr: "192.0.2.7 pointed.here.test"
forward-zone:
  name: "up.test."
  forward-addr: 127.0.0.1
forward-zone:
  name: "dead.test."
  forward-addr: 127.0.0.9@1
remote-control:
  control-enable: no
`;

/** What to run a script with, so that it asks unbound. */
async function openUnbound(): Promise<ScriptOptions> {
  const { options } = await openNamed();
  const path = pathIn('unbound.conf');
  writeFileSync(path, config);
  await options.namespace?.launch('unbound', ['-d', '-p', '-c', path], {
    ready: /start of service/,
  });
  const resolvConf = 'nameserver 127.0.0.3\noptions timeout:20 attempts:1\n';
  return { ...options, files: { ...filesFor(''), '/etc/resolv.conf': resolvConf } };
}

const peers = ['network namespaces', 'mount namespaces', 'python3', 'unbound'];

describeWithPeers(peers, 'with unbound', () => {
  it('the system engine finds what there is, and says what there is not', async () => {
    const options = await openUnbound();
    const body = `
      const resolver = new Resolver();
      tell(await resolver.resolve('www.here.test', 443));
      tell(await resolver.reverse('192.0.2.7'));
      tell((await resolver.resolve('truncate.up.test')).length);
      for (const name of ['gone.here.test', 'nxdomain.up.test', 'servfail-any.up.test']) {
        tell((await failureOf(resolver.resolve(name))).code);
      }
      tell((await failureOf(resolver.resolve('www.dead.test', 0, { timeout: 200 }))).code);
    `;
    expect(await told(body, options, 1)).toEqual([
      [
        { address: '::1', port: 443, family: 'ipv6' },
        { address: '127.0.0.1', port: 443, family: 'ipv4' },
      ],
      ['pointed.here.test'],
      2,
      ...['ENOTFOUND', 'ENOTFOUND', 'EAI_AGAIN', 'ERR_SOCK_TIMEOUT'],
    ]);
  });

  it('the c-ares engine knows services, and how long answers hold', async () => {
    const options = await openUnbound();
    const body = `
      const resolver = new Resolver({ engine: 'c-ares', servers: ['127.0.0.3'], cache: {} });
      tell(await resolver.resolveSrv('_sip._tcp.here.test'));
      tell(await resolver.reverse('192.0.2.7'));
      for (const name of ['gone.here.test', 'servfail-any.up.test']) {
        tell((await failureOf(resolver.resolve(name))).code);
      }
      const ask = async (name) => {
        const { hits } = resolver.stats.cache;
        await resolver.resolve(name);
        return resolver.stats.cache.hits > hits;
      };
      tell([await ask('www.here.test'), await ask('www.here.test')]);
      await ask('short.here.test');
      const endMs = performance.now() + 1_000;
      while (performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 50));
      tell([await ask('short.here.test'), await ask('www.here.test')]);
    `;
    expect(await told(body, options)).toEqual([
      [{ name: 'www.here.test', port: 5060, priority: 1, weight: 2 }],
      ['pointed.here.test'],
      ...['ENOTFOUND', 'ESERVFAIL'],
      [false, true],
      [false, true],
    ]);
  });

  it('races reach a host by whatever it has, in all their forms', async () => {
    const options = await openUnbound();
    const body = `
      const { listen } = require('@sock/core');
      const listener = listen();
      const config = { resolutionDelay: 2_000 };
      for (const name of ['www.here.test', 'old.here.test', 'servfail-aaaa.up.test']) {
        for (const form of forms) tell((await form(name, listener.localPort, config)).address);
      }
      for (const form of forms) {
        tell((await form('www.dead.test', listener.localPort, { timeout: 200 })).code);
      }
      listener.close();
    `;
    // Both lookups of each race to the last of them are still in the C library.
    expect(await told(racing + body, options, 2 * 3)).toEqual([
      ...['::1', '::1', '::1'],
      ...['127.0.0.1', '127.0.0.1', '127.0.0.1'],
      ...['127.0.0.1', '127.0.0.1', '127.0.0.1'],
      ...['ERR_SOCK_TIMEOUT', 'ERR_SOCK_TIMEOUT', 'ERR_SOCK_TIMEOUT'],
    ]);
  });
});
