/** TLS over it: every connection makes a handshake of its own. */
import { ReconnectingSocket, type ReconnectPolicy } from '@sock/reconnect';
import { expectSockets, failureOf, openSockets, until } from '@sock/testing';
import { Authority } from '@sock/testing/authority';
import { connectTls, listenTls, TlsContext, type TlsListener, type TlsSocket } from '@sock/tls';

const patient: ReconnectPolicy = {
  initialDelay: 5,
  maxDelay: 20,
  maxAttempts: Number.POSITIVE_INFINITY,
  circuitFailureThreshold: Number.POSITIVE_INFINITY,
};

describe('a reconnecting socket over TLS', () => {
  let authority: Authority;
  let server: TlsContext;
  let client: TlsContext;
  let listener: TlsListener;
  let link: ReconnectingSocket;
  let sockets: number;

  beforeAll(async () => {
    authority = await Authority.create();
    server = TlsContext.server(await authority.issue());
    client = TlsContext.client({ ca: authority.cert });
  });

  beforeEach(() => {
    sockets = openSockets();
    listener = listenTls({ host: '127.0.0.1', context: server });
    link = new ReconnectingSocket('localhost', listener.localPort ?? 0, patient, {
      connect: (host, port, options) => connectTls({ host, port, context: client, ...options }),
    });
  });

  afterEach(async () => {
    link.close();
    listener.close();
    await expectSockets(sockets);
  });

  async function accepted(): Promise<TlsSocket> {
    const [far] = await Promise.all([listener.accept({ timeout: 20_000 }), link.connect()]);
    return far;
  }

  it('comes back with a handshake, however often the peer ends it', async () => {
    for (let round = 0; round < 3; round++) {
      using far = await accepted();
      await link.sendAll(`round ${round}`);
      expect((await far.recv()).toString()).toBe(`round ${round}`);
      await far.sendAll('heard');
      expect((await link.recvAll(5)).toString()).toBe('heard');
      const lost = new Promise((resolve) => link.once('lost', resolve));
      const failure = failureOf(link.recv());
      await far.end({ timeout: 20_000 }).catch(() => {});
      await lost;
      expect(await failure).toMatchObject({ code: 'ERR_SOCK_EOF' });
    }
  });

  it('takes a connection that was cut off for lost, too', async () => {
    const far = await accepted();
    const failure = failureOf(link.recv());
    const lost = new Promise((resolve) => link.once('lost', resolve));
    // Bytes that are unread make it a reset.
    const bytesReceived = (): number => far.socket.tcpInfo().bytesReceived ?? 0;
    const before = bytesReceived();
    await link.sendAll('never read');
    await until(2_000, () => bytesReceived() > before);
    far.close();
    await lost;
    expect(await failure).toBeInstanceOf(Error);
    using next = await accepted();
    await link.sendAll('again');
    expect((await next.recv()).toString()).toBe('again');
  });

  it('goes on trying while the certificate is refused, and says why', async () => {
    const stranger = await Authority.create('a stranger');
    server.loadCertificate(...pair(await stranger.issue()));
    const connected = link.connect();
    const accepting = listener.accept({ timeout: 20_000 });
    await until(5_000, () => link.failures >= 2);
    expect(link.lastError).toMatchObject({ name: 'TlsVerifyError', code: 'ERR_SOCK_TLS_VERIFY' });
    server.loadCertificate(...pair(await authority.issue()));
    await connected;
    (await accepting).close();
  });
});

function pair({ cert, key }: { cert: string; key: string }): [string, string] {
  return [cert, key];
}
