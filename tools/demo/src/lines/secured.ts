import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect as connectTheirs, createServer, type TLSSocket } from 'node:tls';
import { connectTls, listenTls, TlsContext, type TlsSocket } from '@sock/tls';
import type { Effort } from '../effort.js';
import type { Line, Outcome, Progress } from '../line.js';

const size = 64;
const echoesOfEach = 40;

interface Identity {
  readonly cert: string;
  readonly key: string;
}

/** A certificate for this host that is its own authority. */
function makeIdentity(folder: string): Identity {
  const [key, cert] = [join(folder, 'tls-key.pem'), join(folder, 'tls-cert.pem')];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const args = ['req', '-x509', ...kind, ...name, '-keyout', key, '-out', cert];
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl made no certificate: ${stderr}`);
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
}

function check(sent: Buffer, came: Buffer): void {
  if (!sent.equals(came)) throw new Error('another answer came than was sent');
}

async function echo(socket: TlsSocket): Promise<void> {
  for await (const chunk of socket) await socket.sendAll(chunk);
  await socket.end();
}

async function runOurs(identity: Identity, clients: number): Promise<void> {
  using listener = listenTls({ host: '127.0.0.1', context: TlsContext.server(identity) });
  const port = listener.localPort as number;
  const context = TlsContext.client({ ca: identity.cert });
  const talk = async (): Promise<void> => {
    const echoing = listener.accept().then(echo);
    const socket = await connectTls({ host: '127.0.0.1', port, hostname: 'localhost', context });
    for (let count = 0; count < echoesOfEach; count++) {
      const message = randomBytes(size);
      await socket.sendAll(message);
      check(message, await socket.recvAll(size));
    }
    await socket.end();
    await echoing;
    socket.close();
  };
  await Promise.all(Array.from({ length: clients }, talk));
}

async function runTheirs(identity: Identity, clients: number): Promise<void> {
  const server = createServer(identity, (socket: TLSSocket) => socket.pipe(socket));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const talk = async (): Promise<void> => {
    const options = { host: '127.0.0.1', port, servername: 'localhost', ca: identity.cert };
    const socket = connectTheirs(options);
    await once(socket, 'secureConnect');
    for (let count = 0; count < echoesOfEach; count++) {
      const message = randomBytes(size);
      socket.write(message);
      let came: Buffer | null = null;
      while (came === null) {
        came = socket.read(size) as Buffer | null;
        if (came === null) await once(socket, 'readable');
      }
      check(message, came);
    }
    socket.end();
    await once(socket, 'close');
  };
  try {
    await Promise.all(Array.from({ length: clients }, talk));
  } finally {
    server.close();
  }
}

/** CPU of this process, which is both ends, for one connection with all that is said over it. */
async function costOf(run: () => Promise<void>, clients: number): Promise<number> {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / clients;
}

async function run(folder: string, clients: number, progress: Progress): Promise<Outcome> {
  const identity = makeIdentity(folder);
  const ours = await costOf(() => runOurs(identity, clients), clients);
  progress.detail('@sock/tls is through');
  const theirs = await costOf(() => runTheirs(identity, clients), clients);
  return {
    figures: [{ unit: `ms CPU, handshake and ${echoesOfEach} echoes`, ours, theirs }],
    verified: `${clients} certificates verified, ${clients * echoesOfEach} answers compared`,
  };
}

/** Connections of TLS 1.3, each with a handshake and some messages, beside `node:tls`. */
export function securedLine(folder: string, { connections }: Effort): Line {
  return {
    title: `TLS × ${connections}`,
    obstacle: () =>
      spawnSync('openssl', ['version']).status === 0
        ? undefined
        : 'no openssl to make a certificate',
    run: (progress) => run(folder, connections, progress),
  };
}
