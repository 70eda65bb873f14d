import { channel } from 'node:diagnostics_channel';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { durations, Metric, metrics } from '@sock/metrics';
import { collectSockMetrics } from '@sock/metrics/opentelemetry';
import { runScript, useCleanup } from '@sock/testing';

const cleanup = useCleanup();
afterEach(() => durations.stop());

function inMemory() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  // Exports when it is flushed, and hardly ever by itself.
  const exportIntervalMillis = 3_600_000;
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis });
  const provider = new MeterProvider({ readers: [reader] });
  cleanup.add({ close: () => void provider.shutdown() });
  /** What a collection has of one instrument. */
  const collect = async (name: string) => {
    exporter.reset();
    await provider.forceFlush();
    const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics);
    return all
      .flatMap(({ metrics: found }) => found)
      .find(({ descriptor }) => descriptor.name === name);
  };
  return { meter: provider.getMeter('test'), collect };
}

const told = (durationMs: number) =>
  channel('sock:tls:handshake').publish({ duration: durationMs });

describe('collectSockMetrics', () => {
  it('observes each counter of the process', async () => {
    const { meter, collect } = inMemory();
    collectSockMetrics({ meter });
    metrics.reset();
    const before = (await collect('sock.reconnects'))?.dataPoints[0]?.value as number;
    metrics.increment(Metric.Reconnects, 3);
    const now = await collect('sock.reconnects');
    expect(now?.dataPoints[0]?.value).toBe(before + 3);
    expect(now?.descriptor).toMatchObject({ unit: '{connection}' });
    expect((await collect('sock.dns.request_failed'))?.dataPoints).toHaveLength(1);
    expect((await collect('sock.network.io'))?.dataPoints).toMatchObject([
      { attributes: { 'network.io.direction': 'receive' } },
      { attributes: { 'network.io.direction': 'transmit' } },
    ]);
  });

  it('hands over durations with exact numbers, buckets and sums', async () => {
    durations.start();
    told(7);
    const { meter, collect } = inMemory();
    collectSockMetrics({ meter });
    for (const durationMs of [3, 4, 4, 5, 250, 40_000]) told(durationMs);
    const name = 'sock.tls.handshake.duration';
    const first = await collect(name);
    expect(first?.descriptor.unit).toBe('s');
    const value = first?.dataPoints[0]?.value as {
      count: number;
      sum: number;
      buckets: { boundaries: number[]; counts: number[] };
    };
    expect(value.count).toBe(6);
    expect(value.sum).toBeCloseTo(40.266);
    const { boundaries, counts } = value.buckets;
    expect(counts[boundaries.indexOf(0.005)]).toBe(4);
    expect(counts[boundaries.indexOf(0.25)]).toBe(1);
    expect(counts[boundaries.length]).toBe(1);
    told(1);
    const second = await collect(name);
    expect(second?.dataPoints[0]?.value).toMatchObject({ count: 7 });
  });

  it('tells a failure by its error.type, under the name that is agreed on', async () => {
    const { meter, collect } = inMemory();
    collectSockMetrics({ meter });
    channel('sock:dns:error').publish({ duration: 2, cached: false });
    const found = await collect('dns.lookup.duration');
    expect(found?.dataPoints).toMatchObject([
      { attributes: { 'error.type': '_OTHER' }, value: { count: 1 } },
    ]);
  });

  it('observes nothing more once it is taken back', async () => {
    const { meter, collect } = inMemory();
    const remove = collectSockMetrics({ meter });
    const before = await collect('sock.accepts');
    remove();
    metrics.increment(Metric.Accepts);
    expect((await collect('sock.accepts'))?.dataPoints[0]?.value).toBe(
      before?.dataPoints[0]?.value,
    );
  });

  it('refuses options that it does not know, and things of another kind', () => {
    expect(() => collectSockMetrics({ metre: 1 } as never)).toThrow(/options\.metre/);
    expect(() => collectSockMetrics({ meter: {} as never })).toThrow(/options\.meter/);
    expect(() => collectSockMetrics({ tcp: {} as never })).toThrow(/options\.tcp/);
  });
});

interface Point {
  readonly attributes: readonly { key: string; value: { stringValue?: string } }[];
  readonly asInt?: number;
  readonly asDouble?: number;
  readonly count?: number;
  readonly sum?: number;
  readonly bucketCounts?: readonly number[];
  readonly explicitBounds?: readonly number[];
}

/** What the test reads of opentelemetry/proto/collector/metrics/v1/metrics_service.proto. */
interface ExportRequest {
  readonly resourceMetrics: readonly {
    readonly scopeMetrics: readonly {
      readonly metrics: readonly ({ name: string } & Partial<
        Record<'sum' | 'gauge' | 'histogram', { dataPoints: Point[] }>
      >)[];
    }[];
  }[];
}

interface MessageType {
  decode(bytes: Uint8Array): unknown;
  toObject(message: unknown, options: { longs: NumberConstructor }): unknown;
}

// What protoc has made of the official definitions; its types are those of any message.
const definitions = require('@opentelemetry/otlp-transformer/build/src/generated/root.js') as {
  opentelemetry: {
    proto: {
      collector: { metrics: { v1: Record<'ExportMetricsServiceRequest', MessageType> } };
    };
  };
};
const request = definitions.opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest;

function decode(bytes: Uint8Array): Map<string, Point[]> {
  const message = request.toObject(request.decode(bytes), { longs: Number }) as ExportRequest;
  const found = message.resourceMetrics
    .flatMap(({ scopeMetrics }) => scopeMetrics)
    .flatMap(({ metrics: ofScope }) => ofScope);
  return new Map(
    found.map(({ name, sum, gauge, histogram }) => [
      name,
      (sum ?? gauge ?? histogram)?.dataPoints ?? [],
    ]),
  );
}

/** A collector: what it was sent, decoded. */
async function startCollector() {
  const received: Map<string, Point[]>[] = [];
  const server = createServer(async (message, response) => {
    received.push(decode(await buffer(message)));
    response.setHeader('content-type', 'application/x-protobuf');
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.add({
    close() {
      server.closeAllConnections();
      server.close();
    },
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/v1/metrics`, received };
}

/** A process of its own: the exporter loads parts of itself in a way that Jest has not. */
const exporting = `
  const { OTLPMetricExporter } = require('@opentelemetry/exporter-metrics-otlp-proto');
  const sdk = require('@opentelemetry/sdk-metrics');
  const { connect, listen } = require('@sock/core');
  const { TcpSampler } = require('@sock/metrics');
  const { collectSockMetrics } = require('@sock/metrics/opentelemetry');
  const exporter = new OTLPMetricExporter({ url: process.env.COLLECTOR });
  const reader = new sdk.PeriodicExportingMetricReader({ exporter });
  const provider = new sdk.MeterProvider({ readers: [reader] });
  const tcp = new TcpSampler();
  collectSockMetrics({ meter: provider.getMeter('test'), tcp });
  const server = listen({ host: '127.0.0.1' });
  const near = await connect({ host: '127.0.0.1', port: server.localPort });
  const far = await server.accept();
  tcp.add('near', near);
  await near.sendAll('hello');
  await far.recvAll(5);
  await provider.forceFlush();
  for (const socket of [near, far, server]) socket.close();
  await provider.shutdown();
`;

describe('an OTLP exporter', () => {
  it('sends what a collector can decode', async () => {
    const { url, received } = await startCollector();
    const { code, stderr } = await runScript(exporting, { env: { COLLECTOR: url } });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const at = (name: string) => received[0]?.get(name) ?? [];
    const [rtt] = at('sock.tcp.connection.rtt');
    expect(rtt?.attributes).toEqual([{ key: 'sock.name', value: { stringValue: 'near' } }]);
    expect(rtt?.asDouble).toBeGreaterThan(0);
    const [made] = at('sock.connect.duration');
    expect(made?.count).toBe(1);
    expect(made?.bucketCounts?.reduce((sum, count) => sum + count, 0)).toBe(1);
    expect(made?.explicitBounds?.slice(0, 3)).toEqual([0.0005, 0.001, 0.0025]);
    expect(at('sock.accepts')).toMatchObject([{ asDouble: 1 }]);
    expect(at('sock.network.io')).toMatchObject([{ asDouble: 5 }, { asDouble: 5 }]);
  });
});
