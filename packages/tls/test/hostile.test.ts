/** Peers that mean harm, or are broken: none of them may cost the others anything. */
import { connect, type Socket } from '@sock/core';
import {
  describeWithPeers,
  expectSockets,
  failureOf,
  launch,
  openSockets,
  seeded,
  until,
  useCleanup,
} from '@sock/testing';
import { connectTls, listenTls, TlsContext, type TlsListener, TlsSocket } from '@sock/tls';
import { goodSetting, tcpPair } from './support.js';

const host = '127.0.0.1';
/** Where a record's length is, and a message's, in what a client says first (RFC 8446, 5.1, 4). */
const lengthsEnd = 9;

describe('a listener', () => {
  const { add: closing } = useCleanup();
  let errors: Error[];
  let before: number;

  beforeEach(() => {
    errors = [];
    before = openSockets();
  });

  async function serving(handshakeTimeout = 10_000, maxHandshakes = 1_024): Promise<TlsListener> {
    const { server: context } = await goodSetting();
    const onError = (error: unknown): void => void errors.push(error as Error);
    const limits = { handshakeTimeout, maxHandshakes };
    const listener = closing(listenTls({ host, context, ...limits, onError }));
    void (async () => {
      for await (const socket of listener) socket.close();
    })();
    return listener;
  }

  const reach = (listener: TlsListener): Promise<Socket> =>
    connect({ host, port: listener.localPort });

  /** That the listener is there for others, and has nothing left of those before. */
  async function expectUnharmed(listener: TlsListener): Promise<void> {
    const { client: context } = await goodSetting();
    const target = { host: 'localhost', port: listener.localPort, context };
    (await connectTls(target)).close();
    await expectSockets(before + 1);
  }

  /** What a client of ours says first. */
  async function hello(): Promise<Buffer> {
    const { client } = await goodSetting();
    const [near, far] = await tcpPair();
    const tls = TlsSocket.enable(near, client, { hostname: 'localhost' });
    tls.tryHandshake();
    const said = await far.recv();
    tls.close();
    far.close();
    return said;
  }

  it(
    'is left by clients anywhere in what they have to say',
    seeded(async (random) => {
      const listener = await serving();
      const said = await hello();
      for (let count = 0; count < 25; count++) {
        const socket = await reach(listener);
        const end = random.oneIn(2) ? random.integer(0, 12) : random.integer(0, said.length - 1);
        await socket.sendAll(said.subarray(0, end));
        socket.close();
      }
      await until(10_000, () => errors.length === 25);
      const codes = new Set(errors.map((error) => (error as { code?: string }).code));
      expect([...codes].sort()).toEqual(['ERR_SOCK_TLS_TRUNCATED']);
      await expectUnharmed(listener);
    }),
  );

  it(
    'refuses what was altered, by an error of TLS',
    seeded(async (random) => {
      const listener = await serving();
      const said = await hello();
      for (let count = 0; count < 40; count++) {
        const altered = Buffer.from(said);
        const limit = random.oneIn(2) ? lengthsEnd : said.length - 1;
        const at = random.integer(0, limit);
        altered[at] = (altered[at] as number) ^ random.integer(1, 255);
        const socket = await reach(listener);
        await socket.sendAll(altered);
        socket.shutdown('write');
        // Whatever it answers, it comes to an end.
        while ((await socket.recv().catch(() => Buffer.alloc(0))).length > 0);
        socket.close();
      }
      await until(10_000, () => errors.length === 40);
      const names = new Set(errors.map(({ name }) => name));
      expect(['TlsHandshakeError', 'TlsProtocolError']).toEqual(expect.arrayContaining([...names]));
      await expectUnharmed(listener);
    }),
  );

  it('refuses a record that is larger than records may be', async () => {
    const listener = await serving();
    const socket = closing(await reach(listener));
    await socket.sendAll(
      Buffer.concat([Buffer.from([22, 3, 1, 0xff, 0xff]), Buffer.alloc(65_535)]),
    );
    await until(10_000, () => errors.length === 1);
    expect(errors).toMatchObject([{ code: 'ERR_SOCK_TLS_HANDSHAKE' }]);
    socket.close();
    await expectUnharmed(listener);
  });

  it('drops who drips, however diligently', async () => {
    const listener = await serving(300);
    const socket = closing(await reach(listener));
    const dripping = (async () => {
      for (const byte of await hello()) {
        await socket.sendAll(Buffer.from([byte]));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })().catch(() => undefined);
    await until(10_000, () => errors.length === 1);
    expect(errors).toMatchObject([{ code: 'ERR_SOCK_TIMEOUT', timeout: 300 }]);
    socket.close();
    await dripping;
    await expectUnharmed(listener);
  });

  it('lets others in once those who drip have had their time', async () => {
    const listener = await serving(1_000, 2);
    const slow = await Promise.all([1, 2].map(() => reach(listener)));
    const first = (await hello()).subarray(0, 1);
    await Promise.all(slow.map((socket) => closing(socket).sendAll(first)));
    const { client: context } = await goodSetting();
    const target = { host: 'localhost', port: listener.localPort, context };
    const guest = closing(await connectTls(target));
    expect(errors.length).toBeGreaterThan(0);
    // Its server closes once it knows: a guest that left before would be an error of its own.
    expect(await failureOf(guest.recv())).toMatchObject({ code: 'ERR_SOCK_EOF' });
    guest.close();
    await until(10_000, () => errors.length === 2);
    expect(errors).toMatchObject([{ code: 'ERR_SOCK_TIMEOUT' }, { code: 'ERR_SOCK_TIMEOUT' }]);
    for (const socket of slow) socket.close();
    await expectUnharmed(listener);
  });

  it('says of plain HTTP that it is that', async () => {
    const listener = await serving();
    const socket = closing(await reach(listener));
    await socket.sendAll('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await until(10_000, () => errors.length === 1);
    expect(errors).toMatchObject([{ code: 'ERR_SOCK_TLS_HANDSHAKE', reason: 'http request' }]);
    socket.close();
    await expectUnharmed(listener);
  });

  it('has nothing left of thousands who said half of it', async () => {
    const listener = await serving();
    const half = (await hello()).subarray(0, 100);
    const used: number[] = [];
    for (let wave = 1; wave <= 4; wave++) {
      const many = await Promise.all(Array.from({ length: 500 }, () => reach(listener)));
      await Promise.all(many.map((socket) => socket.sendAll(half)));
      for (const socket of many) socket.close();
      await until(30_000, () => errors.length === wave * many.length);
      used.push(process.memoryUsage().rss);
    }
    await expectUnharmed(listener);
    // Less than 16 kB for each since the first ones. A sanitizer keeps what was freed.
    const [first = 0, , , last = 0] = used;
    if (process.env.LD_PRELOAD === undefined) expect(last - first).toBeLessThan(24 * 1024 ** 2);
  });
});

describeWithPeers(['openssl'], 'openssl', () => {
  const { add: closing } = useCleanup();

  /** What s_client prints when it tries. */
  async function attempt(args: readonly string[], input = ''): Promise<[string, unknown[]]> {
    const { issued } = await goodSetting();
    const context = TlsContext.server(issued);
    context.setMinProtocol('TLSv1.2');
    const errors: unknown[] = [];
    const onError = (error: unknown): void => void errors.push(error);
    const listener = closing(listenTls({ host, context, onError }));
    void (async () => {
      for await (const socket of listener) {
        void (async () => {
          for await (const chunk of socket) await socket.sendAll(chunk);
        })()
          .catch((error) => void errors.push(error))
          .finally(() => socket.close());
      }
    })();
    const target = ['-connect', `${host}:${listener.localPort}`];
    const client = await launch('openssl', ['s_client', ...target, ...args], { input });
    const { stdout, stderr } = await client.ended;
    return [String(stdout) + stderr, errors];
  }

  it('may not renegotiate', async () => {
    const [printed, errors] = await attempt(['-tls1_2'], 'R\n');
    expect(printed).toContain('RENEGOTIATING');
    expect(printed).toMatch(/no renegotiation/);
    expect(errors).toHaveLength(1);
  });

  it('may not fall back to less than both can do', async () => {
    const [printed, errors] = await attempt(['-tls1_2', '-fallback_scsv']);
    expect(printed).toMatch(/inappropriate fallback/);
    expect(errors).toMatchObject([{ reason: 'inappropriate fallback' }]);
  });

  it.each([
    [['-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'], 'unsupported protocol'],
    [['-tls1_2', '-cipher', 'AES128-SHA:AES128-GCM-SHA256'], 'no shared cipher'],
    [['-tls1_2', '-cipher', 'aNULL:@SECLEVEL=0'], 'no shared cipher'],
  ])('gets nowhere with %j', async (args, reason) => {
    const [, errors] = await attempt(args);
    expect(errors).toMatchObject([{ name: 'TlsHandshakeError', reason }]);
  });
});
