/**
 * Counters, durations and connections as metrics of `prom-client`.
 *
 * Theory of operation. Nothing is kept here: a scrape reads the addon, which has the sums over all
 * threads. One registry of one thread is therefore enough, and `AggregatorRegistry` is only wanted
 * for several processes.
 */
import {
  Duration,
  durations,
  type Histogram,
  Metric,
  type TcpSample,
  type TcpSampler,
} from '@sock/metrics';
import { checkFunction, checkOptions, invalidType, readCounters } from '@sock/native';
import {
  register as defaultRegister,
  type OpenMetricsContentType,
  type Metric as PromMetric,
  type Registry,
} from 'prom-client';
import { durationDescriptions, metricDescriptions, tcpFigures } from './descriptions.js';

/** Where to, and what besides. */
export interface PrometheusOptions {
  /** The registry that is scraped; by default the global one of `prom-client`. */
  readonly register?: Registry | Registry<OpenMetricsContentType>;
  /** Put before each name; `'sock_'` by default. */
  readonly prefix?: string;
  /** Connections to ask the kernel about at each scrape; by default none. */
  readonly tcp?: TcpSampler;
}

/** One line of a scrape, in the shape of `prom-client`. */
interface Value {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** What a registry asks of a metric. */
class ReadMetric {
  readonly aggregator = 'sum';

  constructor(
    // Not readonly: a registry of OpenMetrics takes the `_total` off.
    public name: string,
    readonly help: string,
    readonly type: 'counter' | 'gauge' | 'histogram',
    private readonly read: () => Value[],
  ) {}

  async get() {
    const { name, help, type, aggregator } = this;
    return { name, help, type, aggregator, values: this.read() };
  }

  /** There is nothing to forget: the addon goes on counting, as the counters of Prometheus do. */
  reset(): void {}
}

function counterOf(metric: Metric, prefix: string): ReadMetric {
  return new ReadMetric(
    `${prefix}${metric}_total`,
    metricDescriptions[metric].text,
    'counter',
    () => [{ labels: {}, value: readCounters()[metric] }],
  );
}

function histogramLines(name: string, outcome: string, histogram: Histogram): Value[] {
  const { bounds, counts, sums } = histogram;
  let below = 0;
  const buckets = counts.map((count, index) => {
    below += count;
    const bound = bounds[index];
    const le = bound === undefined ? '+Inf' : bound / 1_000;
    return { metricName: `${name}_bucket`, labels: { outcome, le }, value: below };
  });
  const sumMs = sums.reduce((sum, ms) => sum + ms, 0);
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels: { outcome }, value: sumMs / 1_000 },
    { metricName: `${name}_count`, labels: { outcome }, value: below },
  ];
}

function histogramOf(duration: Duration, prefix: string): ReadMetric {
  const name = `${prefix}${duration}_duration_seconds`;
  return new ReadMetric(name, durationDescriptions[duration], 'histogram', () =>
    Object.entries(durations.snapshot()[duration]).flatMap(([outcome, histogram]) =>
      histogramLines(name, outcome, histogram),
    ),
  );
}

/** A registry asks all its metrics within one turn: the kernel is asked once for all of them. */
function oncePerTurn(sampler: TcpSampler): () => readonly TcpSample[] {
  let samples: readonly TcpSample[] | undefined;
  return () => {
    if (samples === undefined) {
      samples = sampler.sample();
      queueMicrotask(() => {
        samples = undefined;
      });
    }
    return samples;
  };
}

const unitSuffix: Readonly<Record<string, string>> = { s: '_seconds', 'By/s': '_bytes_per_second' };

function connectionMetrics(sampler: TcpSampler, prefix: string): ReadMetric[] {
  const sample = oncePerTurn(sampler);
  return tcpFigures.map(({ name, unit, text, read, isSum }) => {
    const suffix = isSum ? '_total' : (unitSuffix[unit] ?? '');
    const type = isSum ? 'counter' : 'gauge';
    return new ReadMetric(`${prefix}tcp_connection_${name}${suffix}`, text, type, () =>
      sample().flatMap(({ name: socket, info }) => {
        const value = read(info);
        return value === undefined ? [] : [{ labels: { socket }, value }];
      }),
    );
  });
}

/**
 * Adds all that is counted and measured to a registry of `prom-client`, and starts to measure
 * durations on this thread; other threads call `durations.start()` themselves.
 *
 * - `sock_<metric>_total`: each counter of the process.
 * - `sock_connect_duration_seconds`, `sock_dns_lookup_duration_seconds`,
 *   `sock_tls_handshake_duration_seconds`, `sock_connection_duration_seconds`: histograms with the
 *   label `outcome`, `success` or `failure`.
 * - With `tcp`: `sock_tcp_connection_rtt_seconds`, `…_retransmits_total`, `…_congestion_window`,
 *   `…_delivery_rate_bytes_per_second`, with the label `socket`, the name it was added under.
 *
 * @returns A function that takes them out of the registry again.
 * @throws Error by `prom-client`, when the registry has one of these names already. TypeError
 *   `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE`: options of another kind.
 * @example
 * ```ts
 * collectSockMetrics();
 * createServer(async (_, response) => response.end(await register.metrics())).listen(9464);
 * ```
 */
export function collectSockMetrics(options?: PrometheusOptions): () => void {
  const known = ['register', 'prefix', 'tcp'] as const;
  const checked = checkOptions<PrometheusOptions>(options, known);
  const { register = defaultRegister, prefix = 'sock_', tcp } = checked;
  checkFunction('options.register.registerMetric', register.registerMetric);
  if (typeof prefix !== 'string') throw invalidType('options.prefix', 'a string', prefix);
  if (tcp !== undefined) checkFunction('options.tcp.sample', tcp.sample);
  const added = [
    ...Object.values(Metric).map((metric) => counterOf(metric, prefix)),
    ...Object.values(Duration).map((duration) => histogramOf(duration, prefix)),
    ...(tcp === undefined ? [] : connectionMetrics(tcp, prefix)),
  ];
  const names = added.map(({ name }) => name);
  for (const metric of added) register.registerMetric(metric as unknown as PromMetric);
  durations.start();
  return () => {
    for (const name of names) register.removeSingleMetric(name);
  };
}
