import { join } from 'node:path';
import { describeWithPeers, launch } from '@sock/testing';
import { expectOutput, run } from './example.js';

const nameServer = join(__dirname, '..', '..', 'packages', 'dns', 'test', 'name_server.py');

describe('of names, the example', () => {
  it('resolver tells the addresses of a host', async () => {
    const { code, stdout, stderr, leakedSockets } = await run('resolver');
    expect({ code, stderr, leakedSockets }).toEqual({ code: 0, stderr: '', leakedSockets: 0 });
    expect(stdout).toMatch(/^127\.0\.0\.1, port 80$/m);
  });

  it('resolver-cache asks once for three', async () => {
    expectOutput(await run('resolver-cache'), ['1 joined, 1 from the cache']);
  });

  it('resolver-by-hand finds the addresses of a host without the event loop', async () => {
    expectOutput(await run('resolver-by-hand'), ['found for port 80', 'found for port 443']);
  });

  it('resolver-lookup stands where dns.lookup stood', async () => {
    expectOutput(await run('resolver-lookup'), ['hello']);
  });
});

describe('of races, the example', () => {
  const before = `
    const { serve } = require('@sock/core');
    const server = serve({ host: '127.0.0.1' }, async () => {});
    process.env.PORT = String(server.localPort);
  `;

  it('happy-eyeballs tells how it connected, and why it could not', async () => {
    const { stdout } = await run('happy-eyeballs', before, 'server.close();');
    expect(stdout).toMatch(/^attempt 127\.0\.0\.1\nwon 127\.0\.0\.1$/m);
    const failed = await run('happy-eyeballs', `${before} server.close();`);
    expect(failed.stdout).toMatch(/^connect ECONNREFUSED 127\.0\.0\.1/m);
  });

  it('happy-eyeballs-by-hand connects without the event loop', async () => {
    const result = await run('happy-eyeballs-by-hand', before, 'server.close();');
    expectOutput(result, ['connected to 127.0.0.1']);
  });

  it('dns-diagnostics tells of lookups and attempts', async () => {
    const { stdout, stderr } = await run('dns-diagnostics', before, 'server.close();');
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^localhost, ipv4: 127\.0\.0\.1$/m);
    expect(stdout).toMatch(/^127\.0\.0\.1: start\n127\.0\.0\.1: won$/m);
  });

  it('happy-eyeballs-config remembers what worked', async () => {
    const result = await run('happy-eyeballs-config', before, 'server.close();');
    expectOutput(result, ['1 address is remembered']);
  });
});

describeWithPeers(['python3'], 'of names, with a name server, the example', () => {
  it('resolver-c-ares tells the servers of a service', async () => {
    const { ready } = await launch('python3', [nameServer, '127.0.0.1', '0'], {
      ready: /listening on (\d+)/,
    });
    const before = `process.env.NAME_SERVER = '127.0.0.1:${ready[1]}';`;
    const lines = ['10: one.test:5061', '20: two.test:5062'];
    expectOutput(await run('resolver-c-ares', before), lines);
  });
});
