/**
 * Counters, durations and connections as instruments of `@opentelemetry/api`.
 *
 * Theory of operation. All is asynchronous: at each collection one callback reads the addon, which
 * has the sums over all threads, so one SDK on one thread is enough. The API has no asynchronous
 * histogram. Theirs are therefore fed from that callback with what has come since the last
 * collection: for each of our buckets as many values as fell into it, each their mean. The
 * boundaries are advised to be ours, and so the numbers, sums and buckets are exact, and only
 * minimum and maximum are as coarse as the buckets. SDKs collect what is asynchronous first.
 *
 * Names are those of the semantic conventions where there is one: `dns.lookup.duration`, and the
 * attributes `error.type` and `network.io.direction`. `process.network.io` is not ours to give: it
 * is of the whole process, and other sockets than these may be in it.
 */
import {
  type Attributes,
  type BatchObservableResult,
  type Histogram as HistogramInstrument,
  type Meter,
  type Observable,
  metrics as telemetry,
} from '@opentelemetry/api';
import {
  Duration,
  type DurationsSnapshot,
  durations,
  type Histogram,
  Metric,
  metrics,
  type TcpSampler,
} from '@sock/metrics';
import { checkFunction, checkOptions, durationBounds, outcomes, readCounters } from '@sock/native';
import { durationDescriptions, metricDescriptions, tcpFigures } from './descriptions.js';

/** Where to, and what besides. */
export interface OpenTelemetryOptions {
  /** What makes the instruments; by default that of the global provider for `@sock/metrics`. */
  readonly meter?: Meter;
  /** Connections to ask the kernel about at each collection; by default none. */
  readonly tcp?: TcpSampler;
}

/** What one instrument is to be told at a collection. */
interface Reading {
  readonly instrument: Observable;
  readonly observe: (
    result: BatchObservableResult,
    counts: ReturnType<typeof readCounters>,
  ) => void;
}

/** Counters that are two directions of one instrument. */
const directed: readonly (readonly [name: string, text: string, received: Metric, sent: Metric])[] =
  [
    ['sock.network.io', 'Bytes that went through sockets', Metric.BytesReceived, Metric.BytesSent],
    [
      'sock.network.datagrams',
      'Datagrams that went through sockets',
      Metric.DatagramsReceived,
      Metric.DatagramsSent,
    ],
  ];

function counterReadings(meter: Meter): Reading[] {
  const ofDirections = directed.map(([name, description, received, sent]): Reading => {
    const { unit } = metricDescriptions[received];
    const instrument = meter.createObservableCounter(name, { unit, description });
    return {
      instrument,
      observe(result, counts) {
        result.observe(instrument, counts[received], { 'network.io.direction': 'receive' });
        result.observe(instrument, counts[sent], { 'network.io.direction': 'transmit' });
      },
    };
  });
  const taken = directed.flatMap(([, , received, sent]) => [received, sent]);
  const others = Object.values(Metric).filter((metric) => !taken.includes(metric));
  const ofOthers = others.map((metric): Reading => {
    const { unit, text } = metricDescriptions[metric];
    const name = `sock.${metrics.name(metric)}`;
    const instrument = meter.createObservableCounter(name, { unit, description: text });
    return { instrument, observe: (result, counts) => result.observe(instrument, counts[metric]) };
  });
  return [...ofDirections, ...ofOthers];
}

const durationNames: Readonly<Record<Duration, string>> = {
  connect: 'sock.connect.duration',
  dns_lookup: 'dns.lookup.duration',
  tls_handshake: 'sock.tls.handshake.duration',
  connection: 'sock.connection.duration',
};

/** Hands over what one histogram has got since `before`. */
function recordSince(
  instrument: HistogramInstrument,
  attributes: Attributes,
  before: Histogram,
  now: Histogram,
): void {
  for (const [bucket, count] of now.counts.entries()) {
    const added = count - (before.counts[bucket] ?? 0);
    const sumMs = (now.sums[bucket] ?? 0) - (before.sums[bucket] ?? 0);
    // Rounding to microseconds may have put a sum above what its bucket can hold.
    const meanMs = Math.min(sumMs / added, now.bounds[bucket] ?? Infinity);
    for (let i = 0; i < added; i++) instrument.record(meanMs / 1_000, attributes);
  }
}

function durationRecorder(meter: Meter): () => void {
  const instruments = Object.values(Duration).map((duration) => {
    const explicitBucketBoundaries = durationBounds[duration].map((ms) => ms / 1_000);
    const instrument = meter.createHistogram(durationNames[duration], {
      unit: 's',
      description: durationDescriptions[duration],
      advice: { explicitBucketBoundaries },
    });
    return [duration, instrument] as const;
  });
  // What was measured before is left to whoever collected then.
  let last: DurationsSnapshot = durations.snapshot();
  return () => {
    const before = last;
    const now = durations.snapshot();
    last = now;
    for (const [duration, instrument] of instruments) {
      for (const outcome of outcomes) {
        // `_OTHER` is what the conventions have for an error that is not told apart.
        const attributes = outcome === 'failure' ? { 'error.type': '_OTHER' } : {};
        recordSince(instrument, attributes, before[duration][outcome], now[duration][outcome]);
      }
    }
  };
}

function connectionInstruments(meter: Meter) {
  return tcpFigures.map(({ name, unit, text, read, isSum }) => {
    const options = { unit, description: text };
    const fullName = `sock.tcp.connection.${name}`;
    const instrument = isSum
      ? meter.createObservableCounter(fullName, options)
      : meter.createObservableGauge(fullName, options);
    return { instrument, read };
  });
}

/**
 * Makes instruments for all that is counted and measured, and starts to measure durations on this
 * thread; other threads call `durations.start()` themselves.
 *
 * - Each counter of the process: `sock.socket.connect_success`, `sock.accepts`, …; bytes and
 *   datagrams as `sock.network.io` and `sock.network.datagrams`, with `network.io.direction`.
 * - `sock.connect.duration`, `dns.lookup.duration`, `sock.tls.handshake.duration`,
 *   `sock.connection.duration`: histograms in seconds, from now on, with `error.type` for failures.
 * - With `tcp`: `sock.tcp.connection.rtt`, `….retransmits`, `….congestion_window`,
 *   `….delivery_rate`, with the attribute `sock.name`, the name it was added under.
 *
 * @returns A function that has nothing more observed.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE`: options of another kind.
 * @example
 * ```ts
 * collectSockMetrics({ meter: provider.getMeter('my-service') });
 * ```
 */
export function collectSockMetrics(options?: OpenTelemetryOptions): () => void {
  const checked = checkOptions<OpenTelemetryOptions>(options, ['meter', 'tcp']);
  const { meter = telemetry.getMeter('@sock/metrics'), tcp } = checked;
  checkFunction('options.meter.createHistogram', meter.createHistogram);
  if (tcp !== undefined) checkFunction('options.tcp.sample', tcp.sample);
  const readings = counterReadings(meter);
  const connections = tcp === undefined ? [] : connectionInstruments(meter);
  const observables = [...readings, ...connections].map(({ instrument }) => instrument);
  durations.start();
  const recordDurations = durationRecorder(meter);

  function observe(result: BatchObservableResult): void {
    const counts = readCounters();
    for (const reading of readings) reading.observe(result, counts);
    recordDurations();
    for (const { name, info } of tcp?.sample() ?? []) {
      for (const { instrument, read } of connections) {
        const value = read(info);
        if (value !== undefined) result.observe(instrument, value, { 'sock.name': name });
      }
    }
  }
  meter.addBatchObservableCallback(observe, observables);
  return () => meter.removeBatchObservableCallback(observe, observables);
}
