import { createHash, randomUUID } from 'node:crypto';
import net from 'node:net';
import { join } from 'node:path';
import { connect, type ListeningSocket, listen, Socket } from '@sock/core';
import {
  describeWithPeers,
  expectSockets,
  failureOf,
  launch,
  openDescriptors,
  openSockets,
  type Peer,
  Random,
  readToEnd,
  seeded,
  useFolder,
} from '@sock/testing';
import { serveHttp } from './tiny-http.js';

const python = join(__dirname, 'peer.py');
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

type Place = { host: string } | { path: string };
type Target = { host: string; port: number } | { path: string };

const pathTo = useFolder();

/** Every kind of address; new ones for each test. */
const places: readonly (readonly [name: string, place: () => Place])[] = [
  ['TCP over IPv4', () => ({ host: '127.0.0.1' })],
  ['TCP over IPv6', () => ({ host: '::1' })],
  ['a Unix path', () => ({ path: pathTo('p') })],
  ['an abstract name', () => ({ path: `@sock-peers-${randomUUID()}` })],
];

function targetOf(place: Place, port: string | number | undefined): Target {
  return 'path' in place ? place : { ...place, port: Number(port) };
}

let socketsBefore = 0;
beforeEach(() => {
  socketsBefore = openSockets();
});
afterEach(() => expectSockets(socketsBefore));

async function withListener(
  place: Place,
  use: (listener: ListeningSocket, target: Target) => Promise<void>,
): Promise<void> {
  const listener = listen(place);
  try {
    await use(listener, targetOf(place, listener.localPort));
  } finally {
    listener.close();
  }
}

/** Sends much, half-closes, and expects it all back. */
async function expectEcho(target: Target, random: Random): Promise<void> {
  await using socket = await connect(target);
  const sent = random.bytes(1_000_000);
  const [received] = await Promise.all([
    readToEnd(socket),
    socket.sendAll(sent).then(() => socket.shutdown()),
  ]);
  expect(received.equals(sent)).toBe(true);
}

describeWithPeers(['socat'], 'with socat', () => {
  const type = (place: Place, role: 'LISTEN' | 'CONNECT', port = 0) => {
    if ('host' in place) {
      const [kind, host] = place.host === '::1' ? ['TCP6', '[::1]'] : ['TCP4', place.host];
      return role === 'LISTEN' ? `${kind}-LISTEN:${port},bind=${host}` : `${kind}:${host}:${port}`;
    }
    const { path } = place;
    return path.startsWith('@') ? `ABSTRACT-${role}:${path.slice(1)}` : `UNIX-${role}:${path}`;
  };

  for (const [name, makePlace] of places) {
    it(
      `gets back through ${name} what it sends to a listening socat`,
      seeded(async (random) => {
        const place = makePlace();
        const peer = await launch('socat', ['-d', '-d', '-t5', type(place, 'LISTEN'), 'EXEC:cat'], {
          ready: /listening on AF=\d+ .*?(\d*)$/m,
        });
        await expectEcho(targetOf(place, peer.ready[1]), random);
        await peer.succeeded();
      }),
    );

    it(`serves a socat that connects through ${name}`, () =>
      withListener(makePlace(), async (listener, target) => {
        const sent = new Random(1).bytes(500_000);
        const port = 'port' in target ? target.port : 0;
        const args = ['-t5', '-', type(target, 'CONNECT', port)];
        const peer = await launch('socat', args, { input: sent });
        await using socket = await listener.accept({ timeout: 5_000 });
        for await (const chunk of socket) await socket.sendAll(chunk);
        await socket.shutdown();
        const { stdout } = await peer.succeeded();
        expect(stdout.equals(sent)).toBe(true);
      }));
  }
});

describeWithPeers(['python3'], "with Python's socket module", () => {
  const start = (role: string, target: Target | Place, input?: Buffer): Promise<Peer> => {
    const where = 'path' in target ? target.path : target.host;
    const port = 'port' in target ? [String(target.port)] : [];
    const options = input === undefined ? { ready: /port (\d+)/ } : { input };
    return launch('python3', [python, role, where, ...port], options);
  };
  const connectTo = async (role: string, place: Place): Promise<Socket> => {
    const peer = await start(role, place);
    return connect(targetOf(place, peer.ready[1]));
  };

  for (const [name, makePlace] of places) {
    it(
      `sends everything through ${name} to one that listens`,
      seeded(async (random) => {
        const socket = await connectTo('digest', makePlace());
        const sent = random.bytes(2_000_000);
        await socket.sendAll(sent);
        await socket.shutdown();
        expect((await readToEnd(socket)).toString()).toBe(sha256(sent));
        socket.close();
      }),
    );

    it(
      `sends everything through ${name} to one that connects`,
      seeded((random) =>
        withListener(makePlace(), async (listener, target) => {
          const question = random.bytes(300_000);
          const answer = random.bytes(2_000_000);
          const peer = await start('send_and_print_digest', target, question);
          const socket = await listener.accept({ timeout: 5_000 });
          expect((await readToEnd(socket)).equals(question)).toBe(true);
          await socket.sendAll(answer);
          await socket.end();
          const { stdout } = await peer.succeeded();
          expect(stdout.toString().trim()).toBe(sha256(answer));
        }),
      ),
    );

    it(`blocks through ${name} until the peer has something to say`, async () => {
      const place = makePlace();
      const target = targetOf(place, (await start('greet_late', place)).ready[1]);
      const socket = new Socket({ family: familyOf(target) });
      if ('path' in target) socket.connectUnixSync(target.path);
      else socket.connectSync(target.host, target.port);
      expect(socket.recvSync(64, { timeout: 5_000 }).toString()).toBe('late');
      socket.close();
    });

    it(`notices through ${name} that it is reset`, async () => {
      const socket = await connectTo('reset_after_greeting', makePlace());
      expect((await socket.recv()).toString()).toBe('hello');
      await socket.sendAll('many bytes of which it reads one');
      expect(await failureOf(socket.recv())).toMatchObject({
        name: 'SocketClosedError',
        code: 'ECONNRESET',
        syscall: 'recv',
      });
      socket.close();
    });
  }

  it('receives the bytes on both sides of urgent data', async () => {
    const socket = await connectTo('urgent', { host: '127.0.0.1' });
    expect((await socket.recvAll(2, { timeout: 5_000 })).toString()).toBe('ab');
    await socket.shutdown();
    expect(await readToEnd(socket)).toHaveLength(0);
    socket.close();
  });

  it('receives the bytes around a descriptor nobody asked for, and drops that', async () => {
    const before = openDescriptors().filter((target) => target === '/dev/null').length;
    const socket = await connectTo('pass_descriptor', { path: pathTo('p') });
    expect((await readToEnd(socket)).toString()).toBe('before with after');
    expect(openDescriptors().filter((target) => target === '/dev/null')).toHaveLength(before);
    await socket.end();
  });
});

function familyOf(target: Target): 'ipv4' | 'ipv6' | 'unix' {
  if ('path' in target) return 'unix';
  return target.host.includes(':') ? 'ipv6' : 'ipv4';
}

describeWithPeers(['curl'], 'with curl', () => {
  const curl = async (target: Target, paths: readonly string[], more: readonly string[] = []) => {
    let where: string[] = [];
    let authority = 'host';
    if ('host' in target) authority = `${target.host.replace(/.*:.*/, '[$&]')}:${target.port}`;
    else if (target.path.startsWith('@')) where = ['--abstract-unix-socket', target.path.slice(1)];
    else where = ['--unix-socket', target.path];
    const urls = paths.map((path) => `http://${authority}/${path}`);
    return launch('curl', [
      '-sS',
      '--noproxy',
      '*',
      '--max-time',
      '10',
      ...where,
      ...more,
      ...urls,
    ]);
  };

  for (const [name, makePlace] of places) {
    it(`serves several requests through ${name}`, () =>
      withListener(makePlace(), async (listener, target) => {
        // curl takes one connection for all, but to an abstract name one for each.
        const serving = (async () => {
          const connections: Promise<number>[] = [];
          for await (const socket of listener) connections.push(serveHttp(socket));
          return Promise.all(connections);
        })();
        const peer = await curl(target, ['10', '1000000', '1', '0']);
        const { stdout } = await peer.succeeded();
        expect(stdout.equals(Buffer.alloc(1_000_011, 'x'))).toBe(true);
        listener.close();
        expect((await serving).reduce((sum, requests) => sum + requests)).toBe(4);
      }));
  }

  it(
    'takes an upload and gives it back',
    seeded((random) =>
      withListener({ path: pathTo('p') }, async (listener, target) => {
        const sent = random.bytes(3_000_000);
        const peer = await curl(target, ['echo'], ['--data-binary', '@-']);
        peer.stdin.end(sent);
        await serveHttp(await listener.accept({ timeout: 5_000 }));
        expect((await peer.succeeded()).stdout.equals(sent)).toBe(true);
      }),
    ),
  );
});

describe("with Node's own net", () => {
  // Not every Node that we support knows abstract names.
  for (const [name, makePlace] of places.slice(0, 3)) {
    it(
      `gets back through ${name} what it sends to a server`,
      seeded(async (random) => {
        const place = makePlace();
        const server = net.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
        const where = 'path' in place ? place : { ...place, port: 0 };
        await new Promise<void>((resolve) => server.listen(where, resolve));
        const address = server.address() as net.AddressInfo;
        await expectEcho(targetOf(place, address.port), random);
        await new Promise((resolve) => server.close(resolve));
      }),
    );

    it(`serves a client that connects through ${name}`, () =>
      withListener(makePlace(), async (listener, target) => {
        const sent = new Random(2).bytes(1_000_000);
        const client = net.connect({ ...target, allowHalfOpen: true });
        const received: Buffer[] = [];
        client.on('data', (chunk: Buffer) => received.push(chunk));
        const closed = new Promise((resolve) => client.once('close', resolve));
        client.end(sent);
        await using socket = await listener.accept({ timeout: 5_000 });
        for await (const chunk of socket) await socket.sendAll(chunk);
        await socket.shutdown();
        await closed;
        expect(Buffer.concat(received).equals(sent)).toBe(true);
      }));
  }
});
