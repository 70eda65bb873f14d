import { Metric, metrics } from '@sock/metrics';
import { counterNames } from '@sock/native';
import { runScript } from '@sock/testing';

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
  ])('refuses %s', (call, message) => {
    expect(call).toThrow(message);
  });
});
