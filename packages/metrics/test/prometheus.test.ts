import { channel } from 'node:diagnostics_channel';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect, listen } from '@sock/core';
import { durations, Metric, metrics, TcpSampler } from '@sock/metrics';
import { collectSockMetrics } from '@sock/metrics/prometheus';
import { describeWithPeers, launch, until, useCleanup, useFolder } from '@sock/testing';
import { type OpenMetricsContentType, Registry } from 'prom-client';
import {
  createCompilerHost,
  createProgram,
  flattenDiagnosticMessageText,
  getPreEmitDiagnostics,
  ModuleKind,
  ModuleResolutionKind,
} from 'typescript';

const cleanup = useCleanup();
afterEach(() => durations.stop());

/** The lines of a scrape but for comments, by what stands before the value. */
async function scrape(registry: { metrics(): Promise<string> }): Promise<Map<string, number>> {
  const lines = (await registry.metrics()).split('\n').filter((line) => /^[^#]/.test(line));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

function told(durationMs: number): void {
  channel('sock:tls:handshake').publish({ duration: durationMs });
}

/** What a scrape has more of than the one before. */
function added(before: Map<string, number>, now: Map<string, number>, name: string) {
  const entries = [...now].filter(([key]) => key.startsWith(name));
  const grown = entries.map(([key, value]) => [key, value - (before.get(key) ?? 0)] as const);
  return Object.fromEntries(grown.filter(([, by]) => by !== 0));
}

describe('collectSockMetrics', () => {
  it('tells all counters, under their names', async () => {
    const register = new Registry();
    collectSockMetrics({ register });
    const before = await scrape(register);
    metrics.increment(Metric.Reconnects, 3);
    metrics.reset();
    const now = await scrape(register);
    expect([...now.keys()].filter((name) => name.endsWith('_total'))).toEqual(
      Object.values(Metric).map((metric) => `sock_${metric}_total`),
    );
    expect(added(before, now, 'sock_reconnects')).toEqual({ sock_reconnects_total: 3 });
  });

  it('tells durations as histograms, in seconds', async () => {
    const register = new Registry();
    collectSockMetrics({ register, prefix: 'app_' });
    const before = await scrape(register);
    told(5);
    told(250);
    told(40_000);
    const name = 'app_tls_handshake_duration_seconds';
    const grown = added(before, await scrape(register), name);
    const bucket = (le: string) => grown[`${name}_bucket{outcome="success",le="${le}"}`];
    expect(['0.0025', '0.005', '0.1', '0.25', '30', '+Inf'].map(bucket)).toEqual([
      ...[undefined, 1, 1, 2],
      ...[2, 3],
    ]);
    expect(grown[`${name}_count{outcome="success"}`]).toBe(3);
    expect(grown[`${name}_sum{outcome="success"}`]).toBeCloseTo(40.255);
  });

  it('asks the kernel about each connection once per scrape', async () => {
    const register = new Registry();
    const tcp = new TcpSampler();
    collectSockMetrics({ register, tcp });
    using server = listen({ host: '127.0.0.1' });
    const near = await connect({ host: '127.0.0.1', port: server.localPort });
    using _far = await server.accept();
    const tcpInfo = jest.spyOn(near, 'tcpInfo');
    tcp.add('a "link"', near);
    const now = await scrape(register);
    const label = '{socket="a \\"link\\""}';
    expect(now.get(`sock_tcp_connection_rtt_seconds${label}`)).toBeGreaterThan(0);
    expect(now.get(`sock_tcp_connection_rtt_seconds${label}`)).toBeLessThan(1);
    expect(now.get(`sock_tcp_connection_retransmits_total${label}`)).toBe(0);
    expect(now.get(`sock_tcp_connection_congestion_window${label}`)).toBeGreaterThan(0);
    expect(tcpInfo).toHaveBeenCalledTimes(1);
    near.close();
    expect(
      [...(await scrape(register)).keys()].filter((key) => /_tcp_connection_rtt/.test(key)),
    ).toEqual([]);
  });

  it('speaks OpenMetrics too', async () => {
    const register = new Registry<OpenMetricsContentType>();
    register.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    const remove = collectSockMetrics({ register });
    for (let i = 0; i < 2; i++) {
      const text = await register.metrics();
      expect(text).toMatch(/^# TYPE sock_accepts counter\nsock_accepts_total \d+$/m);
    }
    remove();
    expect(await register.metrics()).not.toMatch(/sock_/);
  });

  it('refuses options that it does not know, and a second time in one registry', () => {
    const register = new Registry();
    expect(() => collectSockMetrics({ registry: register } as never)).toThrow(/options\.registry/);
    expect(() => collectSockMetrics({ register: {} as never })).toThrow(/register/);
    expect(() => collectSockMetrics({ register, prefix: 7 as never })).toThrow(/prefix/);
    expect(() => collectSockMetrics({ register, tcp: {} as never })).toThrow(/tcp/);
    const remove = collectSockMetrics({ register });
    expect(() => collectSockMetrics({ register })).toThrow(/already been registered/);
    remove();
    collectSockMetrics({ register });
  });
});

async function serve(register: { metrics(): Promise<string> }): Promise<Server> {
  const server = createServer(async (_, response) => {
    response.setHeader('content-type', Registry.PROMETHEUS_CONTENT_TYPE);
    response.end(await register.metrics());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.add({
    close() {
      server.closeAllConnections();
      server.close();
    },
  });
  return server;
}

const monitoring = join(__dirname, '..', '..', '..', 'docs', 'monitoring');
const rules = join(monitoring, 'sock.rules.yml');

const portOf = (server: Server) => (server.address() as AddressInfo).port;

describeWithPeers(['prometheus'], 'prometheus', () => {
  const path = useFolder();

  /** Starts one that scrapes `port`; returns what asks it. */
  async function startPrometheus(port: number) {
    const config = path('prometheus.yml');
    writeFileSync(
      config,
      `global: { scrape_interval: 250ms }
scrape_configs:
  - job_name: sock
    static_configs: [{ targets: ['127.0.0.1:${port}'] }]
`,
    );
    const args = [`--config.file=${config}`, `--storage.tsdb.path=${path('data')}`];
    const listening = ['--web.listen-address=127.0.0.1:0'];
    const ready = /Listening on" address=127\.0\.0\.1:(\d+)[\s\S]*Server is ready/;
    const prometheus = await launch('prometheus', [...args, ...listening], { ready });
    return async (query: string): Promise<number | undefined> => {
      const url = new URL(`http://127.0.0.1:${prometheus.ready[1]}/api/v1/query`);
      url.searchParams.set('query', query);
      const answer = (await (await fetch(url)).json()) as {
        error?: string;
        data?: { result: { value: [number, string] }[] };
      };
      if (answer.data === undefined) throw new Error(`${query}: ${answer.error}`);
      const value = answer.data.result[0]?.value[1];
      return value === undefined ? undefined : Number(value);
    };
  }

  /** What the dashboard for Grafana asks, as Grafana would fill it in. */
  function dashboardQueries(): string[] {
    const { panels } = JSON.parse(
      readFileSync(join(monitoring, 'sock.dashboard.json'), 'utf8'),
    ) as { panels: { targets?: { expr: string }[] }[] };
    const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    return queries.map((query) =>
      query.replaceAll('$job', '.*').replaceAll('$__rate_interval', '10s'),
    );
  }

  it('scrapes what we serve and answers queries about it', async () => {
    const register = new Registry();
    const tcp = new TcpSampler();
    collectSockMetrics({ register, tcp });
    const query = await startPrometheus(portOf(await serve(register)));
    using server = listen({ host: '127.0.0.1' });
    using near = await connect({ host: '127.0.0.1', port: server.localPort });
    using _far = await server.accept();
    tcp.add('near', near);
    const rtt = 'sock_tcp_connection_rtt_seconds{socket="near"}';
    await until(10_000, async () => (await query(rtt)) !== undefined);
    expect(await query('sock_accepts_total')).toBeGreaterThan(0);
    const made = 'sock_connect_duration_seconds';
    expect(await query(`${made}_count{outcome="success"}`)).toBeGreaterThan(0);
    const median = `histogram_quantile(0.5, ${made}_bucket{outcome="success"})`;
    expect(await query(median)).toBeGreaterThan(0);
    expect(await query('up{job="sock"}')).toBe(1);

    const asked = dashboardQueries();
    expect(asked.length).toBeGreaterThan(20);
    for (const question of asked) {
      // A rate needs two scrapes.
      await until(10_000, async () => (await query(question)) !== undefined);
    }
  });

  it('takes the rules of the guide, which raise the alarms they should', async () => {
    await (await launch('promtool', ['check', 'rules', rules])).succeeded();
    const tests = join(monitoring, 'sock.rules.test.yml');
    await (await launch('promtool', ['test', 'rules', tests])).succeeded();
  });

  it('is given no rule about what nobody exports', async () => {
    const register = new Registry();
    collectSockMetrics({ register, tcp: new TcpSampler() });
    const exported = register.getMetricsAsArray().map(({ name }) => name);
    const named = readFileSync(rules, 'utf8').match(/(?<![\w:])sock_\w+(?=[[{])/g) ?? [];
    expect(named.length).toBeGreaterThan(10);
    const known = (name: string) => exported.includes(name.replace(/_(bucket|count|sum)$/, ''));
    expect(named.filter((name) => !known(name))).toEqual([]);
  });
});

describe('the dashboard for Grafana', () => {
  /** As values of the types that Grafana publishes: what TypeScript has against each. */
  function complaintsAbout(...dashboards: readonly string[]): string[] {
    // JSON has the values of enums, and no methods; a query is one for Prometheus.
    const types = `
      import type { Dashboard, Panel } from '@grafana/grafana-foundation-sdk/dashboard';
      import type { Dataquery } from '@grafana/grafana-foundation-sdk/prometheus';
      import type { Options } from '@grafana/grafana-foundation-sdk/timeseries';
      type Query = Pick<Dataquery, Exclude<keyof Dataquery, '_implementsDataqueryVariant'>>;
      type Part<T> = T extends object ? { [K in keyof T]?: Part<T[K]> } : T;
      type Json<T> = T extends string ? \`\${T}\`
        : T extends { _implementsDataqueryVariant: unknown } ? Json<Query>
        : T extends Panel
          ? { [K in keyof T]: K extends 'options' ? Part<Json<Options>> : Json<T[K]> }
        : T extends object ? { [K in keyof T]: Json<T[K]> } : T;`;
    const texts = new Map(
      dashboards.map((dashboard, index) => [
        join(__dirname, `dashboard-${index}.ts`),
        `${types}\nexport const dashboard: Json<Dashboard> = ${dashboard};`,
      ]),
    );
    const options = {
      ...{ strict: true, noEmit: true, skipLibCheck: true, types: [], lib: ['lib.es2022.d.ts'] },
      ...{ module: ModuleKind.Node16, moduleResolution: ModuleResolutionKind.Node16 },
    };
    const host = createCompilerHost(options);
    const { readFile, fileExists } = host;
    host.readFile = (name) => texts.get(name) ?? readFile(name);
    host.fileExists = (name) => texts.has(name) || fileExists(name);
    const program = createProgram([...texts.keys()], options, host);
    return [...texts.keys()].map((name) =>
      getPreEmitDiagnostics(program, program.getSourceFile(name))
        .map(({ messageText }) => flattenDiagnosticMessageText(messageText, '\n'))
        .join('\n'),
    );
  }

  it('has the shape that Grafana gives dashboards', () => {
    const dashboard = readFileSync(join(monitoring, 'sock.dashboard.json'), 'utf8');
    const wrong = dashboard
      .replace('"timeseries"', '7')
      .replace('"placement": "bottom"', '"placement": "below"')
      .replace('"expr"', '"query"');
    const [right, complaints] = complaintsAbout(dashboard, wrong);
    expect(right).toBe('');
    for (const place of [/'number'/, /"below"/, /'"query"'/]) expect(complaints).toMatch(place);
  });
});
