/** What is told of lookups on their channels, and counted. */
import { describeWithPeers } from '@sock/testing';
import { openNameServer, told } from './support.js';

const prelude = `
  const { subscribe, unsubscribe } = require('node:diagnostics_channel');
  const { readCounters } = require('@sock/native');
  const names = ['submit', 'complete', 'error', 'cancel', 'timeout'];
  const events = [];
  const onEvent = (event, channel) => events.push([channel.slice('sock:dns:'.length), event]);
  for (const name of names) subscribe('sock:dns:' + name, onEvent);
  /** What is always there, without the times. */
  const seen = () => events.splice(0).map(([name, { time, duration, hostname, ...rest }]) => {
    if (!(time > 0) || (name !== 'submit' && !(duration >= 0))) throw new Error(name);
    const { addresses, cached, error } = rest;
    return [name, hostname, ...(addresses ?? []), error?.code, cached && 'cached'].filter(Boolean);
  });
  const counted = () => Object.entries(readCounters())
    .filter(([name, value]) => name.startsWith('dns_request_') && value > 0)
    .map(([name, value]) => name.slice('dns_request_'.length) + ' ' + value);
`;

describe('lookups', () => {
  it('are told and counted when they are submitted and when they end, each once', async () => {
    const body = `
      const resolver = new Resolver({ cache: {} });
      for (let i = 0; i < 2; i++) await resolver.resolve('localhost', 0, { family: 'ipv4' });
      tell(seen());
      await resolver.resolve('127.0.0.1');
      await resolver.reverse('127.0.0.1');
      tell(seen().map(([name, hostname]) => [name, hostname]));
      const signal = AbortSignal.timeout(0);
      const leaving = [
        failureOf(resolver.resolve('localhost', 1, { timeout: 0 })),
        failureOf(resolver.resolve('localhost', 1, { signal })),
        failureOf(resolver.resolve('localhost', 2)),
      ];
      resolver.close();
      for (const one of leaving) await one;
      tell(seen());
      tell(counted());
    `;
    const submit = ['submit', 'localhost'];
    expect(await told(prelude + body)).toEqual([
      [
        ...[submit, ['complete', 'localhost', '127.0.0.1']],
        ...[submit, ['complete', 'localhost', '127.0.0.1', 'cached']],
      ],
      [
        ['submit', '127.0.0.1'],
        ['complete', '127.0.0.1'],
      ],
      [
        ...[submit, ['timeout', 'localhost', 'ERR_SOCK_TIMEOUT'], submit, submit],
        ...[
          ['cancel', 'localhost', 'ERR_SOCK_CLOSED'],
          ['cancel', 'localhost', 'ERR_SOCK_CLOSED'],
        ],
      ],
      ['submitted 6', 'completed 3', 'cancelled 2', 'timeout 1'],
    ]);
  });

  it('say what kind they are, of which family, and since when', async () => {
    const body = `
      const resolver = new Resolver();
      for (const name of names.slice(0, 1)) unsubscribe('sock:dns:' + name, onEvent);
      await resolver.resolve('localhost', 0, { family: 'ipv4' });
      for (const name of names) unsubscribe('sock:dns:' + name, onEvent);
      const late = resolver.resolve('localhost');
      subscribe('sock:dns:complete', onEvent);
      await late;
      tell(events.map(([, { kind, family, duration }]) => [kind, family, duration > 0]));
    `;
    expect(await told(prelude + body)).toEqual([
      [
        ['addresses', 'ipv4', true],
        ['addresses', null, false],
      ],
    ]);
  });

  it('that are driven by hand are told and counted too', async () => {
    const body = `
      const resolver = new Resolver({ threads: 1, threadsMax: 1 });
      resolver.submit('localhost').cancel();
      const request = resolver.submit('localhost', 0, undefined, { family: 'ipv4' });
      while (request.state === 'pending') resolver.check();
      tell(seen());
      tell(counted());
    `;
    expect(await told(prelude + body)).toEqual([
      [
        ...[
          ['submit', 'localhost'],
          ['cancel', 'localhost', 'ECANCELLED'],
        ],
        ...[
          ['submit', 'localhost'],
          ['complete', 'localhost', '127.0.0.1'],
        ],
      ],
      ['submitted 2', 'completed 1', 'cancelled 1'],
    ]);
  });
});

describeWithPeers(['python3'], 'lookups of the c-ares engine', () => {
  it('are told and counted in the same way, failures and services included', async () => {
    const { server } = await openNameServer();
    const body = `
      const resolver = new Resolver({
        engine: 'c-ares', servers: ['${server}'], cache: {}, timeout: 3_000,
      });
      await resolver.resolveSrv('_sip._tcp.test');
      for (let i = 0; i < 2; i++) await failureOf(resolver.resolve('nxdomain.test'));
      await failureOf(resolver.resolve('drop-any.test', 0, { timeout: 20 }));
      tell(seen());
      tell(counted());
    `;
    expect(await told(prelude + body)).toEqual([
      [
        ...[
          ['submit', '_sip._tcp.test'],
          ['complete', '_sip._tcp.test'],
        ],
        ...[
          ['submit', 'nxdomain.test'],
          ['error', 'nxdomain.test', 'ENOTFOUND'],
        ],
        ...[
          ['submit', 'nxdomain.test'],
          ['error', 'nxdomain.test', 'ENOTFOUND', 'cached'],
        ],
        ...[
          ['submit', 'drop-any.test'],
          ['timeout', 'drop-any.test', 'ERR_SOCK_TIMEOUT'],
        ],
      ],
      ['submitted 4', 'completed 1', 'failed 2', 'timeout 1'],
    ]);
  });
});
