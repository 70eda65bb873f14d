import { describeWithPeers, openNetwork, runScript } from '@sock/testing';
import { bodyOf, expectOutput, run } from './example.js';

describe('of options, the example', () => {
  it('tuning tells what the kernel has made of it', async () => {
    expectOutput(await run('tuning'), [
      '{ idle: 30000, interval: 5000, count: 3 }',
      '65536',
      'established 5',
    ]);
  });

  it('credentials knows who has connected', async () => {
    expectOutput(await run('credentials'), ['true true']);
  });

  it('handing-over is answered by a worker', async () => {
    expectOutput(await run('handing-over'), ['worker: hello']);
  });
});

describeWithPeers(['network namespaces'], 'of options, the example', () => {
  it('fast-open sends data with the first packet, the second time', async () => {
    const { near } = await openNetwork();
    await near.setSysctl('ipv4/tcp_fastopen', 3);
    expectOutput(await runScript(bodyOf('fast-open'), { namespace: near }), [
      'first, with the first packet: false',
      'second, with the first packet: true',
    ]);
  });
});
