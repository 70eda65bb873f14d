import { readFileSync } from 'node:fs';
import http, { type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { connect, relay, type Socket, serve, toDuplex } from '@sock/core';
import { events, LogLevel, log, metrics, TcpSampler } from '@sock/metrics';

const { PORT = 7000, UPSTREAM_PORT = 7001, PAGE_PORT = 8080, INTERVAL = 1_000 } = process.env;
const host = '127.0.0.1';

// What is watched here: a proxy, and both sides of each of its connections.
const links = new TcpSampler();
function sample(socket: Socket): Socket {
  links.add(`${socket.remoteAddress}:${socket.remotePort}`, socket);
  return socket;
}
// The page tells what fails.
const onError = () => {};
const proxy = serve({ host, port: Number(PORT), onError }, async (client) => {
  await using upstream = await connect({ host, port: Number(UPSTREAM_PORT) });
  await relay(sample(client), sample(upstream));
});

// The page, over a socket of ours, too.
const file = (name: string) => readFileSync(new URL(`live-page/${name}`, import.meta.url));
const library = (name: string) =>
  readFileSync(createRequire(import.meta.url).resolve(`uplot/dist/${name}`));
const files = new Map([
  ['/', ['text/html', file('index.html')]],
  ['/page.css', ['text/css', file('page.css')]],
  ['/page.js', ['text/javascript', file('page.js')]],
  ['/uplot.css', ['text/css', library('uPlot.min.css')]],
  ['/uplot.js', ['text/javascript', library('uPlot.esm.js')]],
] as const);

const readers = new Set<ServerResponse>();
function write(reader: ServerResponse, event: string, data: unknown): void {
  // Whoever reads too slowly misses some, and nothing piles up here.
  if (reader.writableNeedDrain) return;
  reader.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

const web = http.createServer((request, response) => {
  response.setHeader('content-security-policy', "default-src 'self'; img-src 'self' data:");
  if (request.url === '/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write('retry: 1000\n\n');
    write(response, 'history', { interval: Number(INTERVAL), samples, failures });
    readers.add(response);
    response.once('close', () => readers.delete(response));
    return;
  }
  const [type, content] = files.get(request.url as '/') ?? ['text/plain', 'not here\n'];
  response.writeHead(type === 'text/plain' ? 404 : 200, { 'content-type': type }).end(content);
});
// A server that listens by itself begins to watch its time limits here.
web.emit('listening');
const page = serve({ host, port: Number(PAGE_PORT) }, (socket) => {
  web.emit('connection', toDuplex(socket, { allowHalfOpen: true }));
});

/** Tells everybody, and keeps the latest for who comes later. */
function tell<T>(event: string, kept: T[], most: number, entry: T): void {
  kept.push(entry);
  if (kept.length > most) kept.shift();
  for (const reader of readers) write(reader, event, entry);
}

// Failures, as they happen: what the packages have to say, and connections that broke.
const failures: { time: number; component: string | null; message: string }[] = [];
function fail(component: string | null, message: string): void {
  tell('failure', failures, 20, { time: Date.now(), component, message });
}
log.setLevel(LogLevel.Info);
log.setCallback((_, component, message) => fail(component, message));

let [made, open, broken] = [0, 0, 0];
events.register((record) => {
  if (!('localPort' in record) || record.localPort === page.localPort) return;
  if (record.type === 'accepted' || record.type === 'connected') {
    made += 1;
    open += 1;
  }
  if (record.type !== 'closed') return;
  open -= 1;
  if (record.error === undefined) return;
  broken += 1;
  fail('core', `the connection with ${record.remoteAddress}:${record.remotePort}: ${record.error}`);
});

// Figures, once in a while. Those that are counted only grow; the page shows by how much.
const samples: object[] = [];
setInterval(() => {
  const counted = metrics.snapshot();
  const rtts = links.sample().flatMap(({ info }) => info.rtt ?? []);
  rtts.sort((a, b) => a - b);
  tell('sample', samples, 180, {
    time: Date.now(),
    open,
    made,
    received: counted.bytes_received,
    sent: counted.bytes_sent,
    rtt: { median: rtts[rtts.length >> 1], highest: rtts.at(-1) },
    failures: {
      connect: counted.socket_connect_failure,
      broken,
      lookup: counted.dns_request_failed + counted.dns_request_timeout,
      handshake: counted.tls_handshake_failures,
      rejected: counted.accept_rejects,
    },
  });
}, Number(INTERVAL));

console.log(`http://${host}:${page.localPort} shows the proxy on port ${proxy.localPort}`);
