import { expectOutput, run } from './example.js';

describe('of datagrams, the example', () => {
  it('datagrams answers a batch', async () => {
    expectOutput(await run('datagrams'), ['one', 'two']);
  });

  it('datagram-batches has an index', async () => {
    const stride = 33 * 64;
    expectOutput(await run('datagram-batches'), [
      '0 5 a bul',
      `${stride} 5 k of `,
      `${2 * stride} 5 bytes`,
      '3 went back',
    ]);
  });

  it('datagram-errors hears that nobody was there', async () => {
    expectOutput(await run('datagram-errors'), [
      'ECONNREFUSED, says icmp of 127.0.0.1: anybody there?',
    ]);
  });

  it('statsd sends its metrics together', async () => {
    expectOutput(await run('statsd'), [
      'requests:1|c, latency:12.5|ms, connections:42|g',
      'sent 3, dropped 0',
    ]);
  });

  it('notify speaks to systemd and to syslog', async () => {
    expectOutput(await run('notify'), ['READY=1, STATUS=listening', '<30>example[pid]: listening']);
  });

  it('mdns says where an answer came in', async () => {
    expectOutput(await run('mdns', "process.env.MDNS_PORT = '0';"), [
      'an answer of 127.0.0.1 to 224.0.0.251, on interface 1',
    ]);
  });
});
