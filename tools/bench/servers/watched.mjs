// Does one thing again and again while nobody, somebody or everybody watches, and prints what one
// costs this process: both ends of it are here.
import { spawnSync } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { connect, listen, Socket } from '@sock/core';
import { DatagramSocket } from '@sock/dgram';
import { Resolver } from '@sock/dns';
import { durations, events } from '@sock/metrics';
import { TlsContext, TlsSocket } from '@sock/tls';

const { values } = parseArgs({
  options: { work: { type: 'string' }, by: { type: 'string' }, count: { type: 'string' } },
});
const count = Number(values.count);

function makeContexts() {
  const folder = mkdtempSync(join(tmpdir(), 'sock-bench-'));
  try {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const files = ['-keyout', key, '-out', cert];
    spawnSync('openssl', ['req', '-x509', ...kind, ...subject, ...files]);
    const server = TlsContext.server({ cert, key });
    return { server, client: TlsContext.client({ ca: readFileSync(cert, 'utf8') }) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Each makes what it needs, and returns what does the thing once. */
const works = {
  async accept() {
    const server = listen({ host: '127.0.0.1' });
    return async () => {
      const near = await connect({ host: '127.0.0.1', port: server.localPort });
      const far = await server.accept();
      near.close();
      far.close();
    };
  },

  async echo() {
    const [near, far] = Socket.pair();
    const question = Buffer.alloc(64, 'q');
    return async () => {
      await near.sendAll(question);
      await far.sendAll(await far.recvAll(64));
      await near.recvAll(64);
    };
  },

  async dns() {
    const resolver = new Resolver({ cache: {} });
    return () => resolver.resolve('localhost', 80);
  },

  async datagram() {
    const [near, far] = DatagramSocket.pair();
    const text = Buffer.alloc(64, 'd');
    return async () => {
      await near.send(text);
      await far.recv();
    };
  },

  async handshake() {
    const { server, client } = makeContexts();
    return async () => {
      const [near, far] = Socket.pair();
      const ours = TlsSocket.enable(near, client, { hostname: 'localhost' });
      const theirs = TlsSocket.enable(far, server);
      await Promise.all([ours.handshake(), theirs.handshake()]);
      near.close();
      far.close();
    };
  },
};

const channels = [
  ...['core:accept', 'core:connect', 'core:connect-error', 'core:close', 'core:log'],
  ...['dgram:bind', 'dgram:close', 'poll:wakeup', 'dns:submit', 'dns:complete', 'dns:error'],
  ...['dns:cancel', 'dns:timeout', 'dns:attempt', 'dns:race', 'dns:log', 'tls:handshake'],
  ...['tls:handshake-error', 'tls:log', 'reconnect:state', 'reconnect:log', 'pool:add'],
  ...['pool:remove', 'pool:reject', 'pool:log'],
];

const watchers = {
  nobody() {},
  one() {
    durations.start();
  },
  all() {
    durations.start();
    events.register(() => {});
    for (const name of channels) subscribe(`sock:${name}`, () => {});
  },
};

const once = await works[values.work]();
watchers[values.by]();
// The first ones are slower: the compiler has seen nothing yet.
for (let made = 0; made < count / 4; made++) await once();
const startMs = performance.now();
const before = process.cpuUsage();
for (let made = 0; made < count; made++) await once();
const { user, system } = process.cpuUsage(before);
const perSecond = (count / (performance.now() - startMs)) * 1000;
console.log(JSON.stringify({ value: (user + system) / count, perSecond }));
process.exit();
