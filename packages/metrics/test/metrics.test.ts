import { Metric, metrics } from '@sock/metrics';
import { counterNames } from '@sock/native';
import { describeWithPeers, openNetwork, runScript } from '@sock/testing';

describe('metrics', () => {
  it('has a name for each counter of the addon, and no other', () => {
    expect(Object.values(Metric)).toEqual([...counterNames]);
    expect(Object.keys(metrics.snapshot())).toEqual([...counterNames]);
    expect(metrics.count).toBe(27);
    expect(metrics.name(Metric.DnsRequestFailed)).toBe('dns.request_failed');
    expect(metrics.name('toString')).toBe('unknown');
  });

  it('gives snapshots that cannot be changed', () => {
    expect(Object.isFrozen(metrics.snapshot())).toBe(true);
  });

  it('begins at zero after a reset, while the counters go on', () => {
    metrics.increment(Metric.PoolConnectionsReused, 3);
    metrics.reset();
    expect(metrics.snapshot().pool_connections_reused).toBe(0);
    metrics.increment(Metric.PoolConnectionsReused);
    expect(metrics.snapshot().pool_connections_reused).toBe(1);
  });

  it('sums over threads, those that have ended included', async () => {
    const { code, stdout, stderr } = await runScript(`
      const { once } = require('node:events');
      const { Worker } = require('node:worker_threads');
      const { metrics } = require('@sock/metrics');
      metrics.increment('reconnects');
      metrics.reset();
      const script = "require('@sock/metrics').metrics.increment('reconnects', 5)";
      await Promise.all([1, 2].map(() => once(new Worker(script, { eval: true }), 'exit')));
      console.log(metrics.snapshot().reconnects);
    `);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '10\n', stderr: '' });
  });

  it.each([
    [() => metrics.increment('nonsense' as Metric), /metric/],
    [() => metrics.increment(Metric.Accepts, -1), /by/],
    [() => metrics.increment(Metric.Accepts, 0.5), /by/],
    [() => metrics.countRetransmits(1 as never), /on/],
  ])('refuses %s', (call, message) => {
    expect(call).toThrow(message);
  });
});

describeWithPeers(['network namespaces'], 'the counter of what TCP has sent twice', () => {
  it('counts only while it is switched on', async () => {
    const { near, far, farAddresses } = await openNetwork();
    const python = `import socket, time
s = socket.create_server(('', 0))
print('port', s.getsockname()[1], flush=True)
while True: kept = s.accept()`;
    const { ready } = await far.launch('python3', ['-c', python], { ready: /port (\d+)/ });
    const { stdout, stderr } = await runScript(
      `
        const { connect } = require('@sock/core');
        const { execFileSync } = require('node:child_process');
        const { metrics } = require('@sock/metrics');
        const neighbour = (...args) => {
          // A sanitizer's runtime is for our own process.
          const { LD_PRELOAD: _, ...env } = process.env;
          execFileSync('ip', ['neigh', ...args, '${farAddresses[0]}', 'dev', 'veth0'], { env });
        };
        for (const on of [false, true]) {
          metrics.countRetransmits(on);
          const near = await connect({ host: '${farAddresses[0]}', port: ${ready[1]} });
          // A hardware address that nobody has: what is sent now never arrives.
          neighbour('replace', 'lladdr', '02:00:00:00:00:99', 'nud', 'permanent');
          await near.sendAll(Buffer.alloc(1_000));
          while (near.tcpInfo().totalRetransmits === 0) await new Promise(setImmediate);
          const before = metrics.snapshot().tcp_retransmits;
          near.close();
          console.log(metrics.snapshot().tcp_retransmits > before);
          neighbour('del');
        }
      `,
      { namespace: near },
    );
    expect({ stdout, stderr }).toEqual({ stdout: 'false\ntrue\n', stderr: '' });
  });
});
