import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { listen, Socket, toDuplex } from '@sock/core';
import { binding } from '@sock/native';
import {
  describeWithPeers,
  failureOf,
  openSockets,
  thrownBy,
  until,
  useCleanup,
  useFolder,
} from '@sock/testing';
import { Authority } from '@sock/testing/authority';
import { connectTls, TlsContext, TlsHandshakeState, TlsSocket, TlsVerifyMode } from '@sock/tls';
import { enableBoth, goodSetting, securedPair, tcpPair } from './support.js';

const tooMuch = 32 * 2 ** 20;

describe('a TlsSocket', () => {
  const { add: closing } = useCleanup();

  async function pair(): Promise<[TlsSocket, TlsSocket]> {
    const ends = await securedPair();
    return [closing(ends[0]), closing(ends[1])];
  }

  it('tells what both sides agreed on', async () => {
    const { authority } = await goodSetting();
    const [near, far] = await pair();
    expect(near).toMatchObject({
      version: 'TLSv1.3',
      cipher: 'TLS_AES_256_GCM_SHA384',
      alpnProtocol: undefined,
      isSessionReused: false,
      verifyResult: 0,
      handshakeState: TlsHandshakeState.Complete,
      isConnected: true,
    });
    expect(far).toMatchObject({ version: 'TLSv1.3', peerCertificate: undefined });
    expect(near.peerCertificate?.subject).toBe('CN=localhost');
    expect(near.peerCertificate?.toString()).not.toBe(authority.cert);
    expect(near.remotePort).toBe(far.localPort);
    near.close();
    expect(near).toMatchObject({ version: undefined, peerCertificate: undefined });
  });

  it('puts nothing readable on the wire', async () => {
    const [near, far] = await tcpPair();
    const [wiretap, behind] = await tcpPair();
    for (const socket of [near, far, wiretap, behind]) closing(socket);
    const { client, server } = await goodSetting();
    const seen: Buffer[] = [];
    const forward = async (from: Socket, to: Socket) => {
      for await (const chunk of from) {
        seen.push(Buffer.from(chunk));
        await to.sendAll(chunk);
      }
    };
    void forward(far, wiretap).catch(() => {});
    void forward(wiretap, far).catch(() => {});
    const [one, other] = enableBoth([near, behind], client, server);
    await Promise.all([one.handshake(), other.handshake()]);
    await one.sendAll('a secret that nobody else is to read');
    expect((await other.recv()).toString()).toContain('a secret');
    const wire = Buffer.concat(seen);
    expect(wire.length).toBeGreaterThan(500);
    expect(wire.includes('a secret')).toBe(false);
  });

  it('counts what goes over the wire, at both ends the same', async () => {
    const [near, far] = await pair();
    await near.sendAll(Buffer.alloc(100_000));
    await far.recvAll(100_000);
    expect(far.bytesRead).toBe(near.bytesWritten);
    // The handshake, and some 22 bytes for each of seven records.
    expect(near.bytesWritten).toBeGreaterThan(100_000 + 7 * 22);
    expect(near.bytesWritten).toBeLessThan(103_000);
  });

  it('refuses the verbs of the socket below from then on', async () => {
    const [near, far] = await tcpPair();
    closing(near);
    closing(far);
    const { client, server } = await goodSetting();
    const tls = TlsSocket.enable(near, client, { hostname: 'localhost' });
    const active = { name: 'TlsError', code: 'ERR_SOCK_TLS_ACTIVE' };
    expect(await failureOf(near.sendAll('plain'))).toMatchObject(active);
    expect(await failureOf(near.recv())).toMatchObject(active);
    expect(thrownBy(() => near.trySend('plain'))).toMatchObject(active);
    expect(thrownBy(() => near.detach())).toMatchObject(active);
    expect(thrownBy(() => TlsSocket.enable(near, client))).toMatchObject(active);
    near.setNoDelay(true);
    expect(tls.fd).toBe(near.fd);
    const other = TlsSocket.enable(far, server);
    await Promise.all([tls.handshake(), other.handshake()]);
    expect(await failureOf(near.sendAll('plain'))).toMatchObject(active);
  });

  it('is closed with the socket below, and the other way round', async () => {
    const [near, far] = await pair();
    const failure = failureOf(near.recv());
    near.socket.close();
    expect(await failure).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    expect(near.fd).toBe(-1);
    expect(await failureOf(far.recv())).toMatchObject({ code: 'ERR_SOCK_EOF' });
    far.close();
    expect(far.socket.fd).toBe(-1);
  });

  it('carries no bytes before the handshake is done', async () => {
    const [near, far] = await tcpPair();
    closing(near);
    closing(far);
    const { client } = await goodSetting();
    const tls = TlsSocket.enable(near, client, { hostname: 'localhost' });
    const needed = { code: 'ERR_SOCK_TLS_HANDSHAKE_NEEDED' };
    expect(await failureOf(tls.sendAll('early'))).toMatchObject(needed);
    expect(await failureOf(tls.recv())).toMatchObject(needed);
    expect(tls).toMatchObject({ isConnected: false, version: undefined, cipher: undefined });
  });

  it('makes its handshake in steps that never wait', async () => {
    const sockets = await tcpPair();
    const { client, server } = await goodSetting();
    const [near, far] = enableBoth(sockets, client, server).map(closing) as [TlsSocket, TlsSocket];
    expect(near.handshakeState).toBe(TlsHandshakeState.NotStarted);
    expect(near.tryHandshake()).toBe(TlsHandshakeState.WantRead);
    await until(5_000, () => {
      const states = [near.tryHandshake(), far.tryHandshake()];
      return states.every((state) => state === TlsHandshakeState.Complete);
    });
    expect(near.trySend('at last')).toBe(7);
    expect(far.recvSync().toString()).toBe('at last');
  });

  it('blocks for its handshake where that is asked for, and no longer than that', async () => {
    const [near, far] = await tcpPair();
    closing(near);
    closing(far);
    const { client } = await goodSetting();
    const tls = TlsSocket.enable(near, client, { hostname: 'localhost' });
    const failure = thrownBy(() => tls.handshakeSync({ timeout: 20 }));
    expect(failure).toMatchObject({ code: 'ERR_SOCK_TIMEOUT', timeout: 20 });
  });

  it('gives up a handshake that takes too long, or is aborted, or is closed', async () => {
    const { client } = await goodSetting();
    const begin = async (): Promise<TlsSocket> => {
      const [near, far] = await tcpPair();
      closing(near);
      closing(far);
      return TlsSocket.enable(near, client, { hostname: 'localhost' });
    };
    const late = await begin();
    const failure = failureOf(late.handshake({ timeout: 20 }));
    expect(await failureOf(late.handshake())).toMatchObject({ code: 'ERR_SOCK_BUSY' });
    expect(await failure).toMatchObject({ code: 'ERR_SOCK_TIMEOUT', timeout: 20 });
    expect(late.handshakeState).toBe(TlsHandshakeState.Error);

    const controller = new AbortController();
    const aborted = failureOf((await begin()).handshake({ signal: controller.signal }));
    controller.abort();
    expect(await aborted).toMatchObject({ code: 'ABORT_ERR' });

    const closed = await begin();
    const rejection = failureOf(closed.handshake());
    closed.close();
    expect(await rejection).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
  });

  it('takes bytes that were received before as the first of the peer', async () => {
    const [near, far] = await tcpPair();
    const { client, server } = await goodSetting();
    closing(near);
    closing(far);
    const tls = TlsSocket.enable(near, client, { hostname: 'localhost' });
    const done = tls.handshake();
    // Cut short, so that what had come is put back.
    const cut = failureOf(far.recvAll(100_000, { timeout: 50 }));
    expect(await cut).toMatchObject({ code: 'ERR_SOCK_TIMEOUT' });
    const other = TlsSocket.enable(far, server);
    await Promise.all([done, other.handshake()]);
    await tls.sendAll('hello');
    expect((await other.recv()).toString()).toBe('hello');
  });

  describeWithPeers(['python3'], 'over a connection that is cut off', () => {
    it('tells it from one that was ended', async () => {
      const [near, far] = await pair();
      await far.sendAll('the first half');
      expect((await near.recv()).toString()).toBe('the first half');
      // As a middlebox would: the descriptor's end, without a word of TLS.
      const failure = failureOf(near.recv());
      cutOff(far);
      expect(await failure).toMatchObject({
        name: 'TlsProtocolError',
        code: 'ERR_SOCK_TLS_TRUNCATED',
      });
      expect(await failureOf(near.recv())).toMatchObject({ code: 'ERR_SOCK_TLS_TRUNCATED' });
    });
  });

  it('drops the sends that wait when it is closed, and the peer hears of it', async () => {
    const [near, far] = await pair();
    const first = failureOf(near.sendAll(Buffer.alloc(tooMuch)));
    near.close();
    const { code, bytesTransferred = 0 } = await first;
    expect(code).toBe('ERR_SOCK_CLOSED');
    let received = 0;
    const end = failureOf(
      (async () => {
        for await (const chunk of far) received += chunk.length;
      })(),
    );
    expect(await end).toMatchObject({ code: 'ERR_SOCK_TLS_TRUNCATED' });
    // Of the records that were sent together last some may have left in part, or not at all.
    expect(received).toBeGreaterThanOrEqual(bytesTransferred - 64 * 1024);
    expect(received).toBeLessThanOrEqual(bytesTransferred);
  });

  it('raises what is no TLS at all as an error of the handshake', async () => {
    const [near, far] = await tcpPair();
    closing(near);
    closing(far);
    const { server } = await goodSetting();
    const tls = TlsSocket.enable(far, server);
    const failure = failureOf(tls.handshake());
    await near.sendAll('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
    expect(await failure).toMatchObject({
      name: 'TlsHandshakeError',
      code: 'ERR_SOCK_TLS_HANDSHAKE',
      reason: 'http request',
    });
    expect(await failureOf(tls.handshake())).toMatchObject({ code: 'ERR_SOCK_TLS_HANDSHAKE' });
  });

  it('sends files, encrypted', async () => {
    const [near, far] = await pair();
    const path = pathTo('file');
    const bytes = Buffer.alloc(300_000, 'abcdefg');
    writeFileSync(path, bytes);
    const sent = near.sendFileAll(path, { offset: 10 });
    expect((await far.recvAll(bytes.length - 10)).equals(bytes.subarray(10))).toBe(true);
    expect(await sent).toBe(bytes.length - 10);
  });

  it('stands where Node expects a socket', async () => {
    const [near, far] = await pair();
    const duplex = toDuplex(near);
    duplex.end('all of it');
    expect((await far.recvAll(9)).toString()).toBe('all of it');
    expect(await failureOf(far.recv())).toMatchObject({ code: 'ERR_SOCK_EOF' });
    duplex.destroy();
  });

  it('refuses what is no argument, and names it', async () => {
    const { client, server } = await goodSetting();
    const [near, far] = await tcpPair();
    closing(near);
    closing(far);
    const hostile = (value: unknown) => value as never;
    expect(thrownBy(() => TlsSocket.enable(hostile({}), client)).message).toMatch(/"socket"/);
    expect(thrownBy(() => TlsSocket.enable(near, hostile(7))).message).toMatch(/"context"/);
    const misplaced = thrownBy(() => TlsSocket.enable(near, server, { hostname: 'localhost' }));
    expect(misplaced.message).toMatch(/context/);
    for (const hostname of ['', 'a b', '-a.example', 'a..b', `${'a'.repeat(64)}.b`, 'a:80']) {
      const failure = thrownBy(() => TlsSocket.enable(near, client, { hostname }));
      expect(failure.message).toMatch(/hostname/);
    }
    await near.sendAll('still a plain socket');
  });

  const pathTo = useFolder();
});

/** The end of the connection without one of TLS: by a duplicate of the descriptor, from outside. */
function cutOff(socket: TlsSocket): void {
  // Sanitizers are for us alone.
  const { LD_PRELOAD: _, ...rest } = process.env;
  const script = `import socket,sys; socket.socket(fileno=3).shutdown(socket.SHUT_WR)`;
  const result = spawnSync('python3', ['-c', script], {
    stdio: ['ignore', 'ignore', 'ignore', socket.fd],
    env: rest,
  });
  expect(result.status).toBe(0);
}

describe('verification', () => {
  const { add: closing } = useCleanup();
  const pathTo = useFolder();

  async function outcome(
    client: TlsContext,
    server: TlsContext,
    hostname = 'localhost',
  ): Promise<[unknown, unknown]> {
    const ends = enableBoth(await tcpPair(), client, server, hostname).map(closing);
    const [near, far] = ends as [TlsSocket, TlsSocket];
    const settle = (end: TlsSocket) =>
      end.handshake({ timeout: 20_000 }).then(
        () => 'agreed',
        (error: unknown) => {
          end.close();
          return error;
        },
      );
    return (await Promise.all([settle(near), settle(far)])) as [unknown, unknown];
  }

  it('accepts a server that an authority answers for, by name and by address', async () => {
    const { client, server } = await goodSetting();
    expect(await outcome(client, server)).toEqual(['agreed', 'agreed']);
    expect(await outcome(client, server, 'LOCALHOST')).toEqual(['agreed', 'agreed']);
    expect(await outcome(client, server, '127.0.0.1')).toEqual(['agreed', 'agreed']);
    expect(await outcome(client, server, '::1')).toEqual(['agreed', 'agreed']);
  });

  it.each([
    ['for another name', { names: ['example.org'] }, 'hostname mismatch', 'bad_certificate'],
    ['that has expired', { days: [-3, -1] }, 'certificate has expired', 'certificate_expired'],
    ['that is for later', { days: [1, 3] }, 'certificate is not yet valid', 'bad_certificate'],
    ['for clients', { usage: ['clientAuth'] }, 'purpose', 'unsupported_certificate'],
  ] as const)(
    'refuses a certificate %s, and tells both sides why',
    async (_, wishes, why, alert) => {
      const { authority, client } = await goodSetting();
      const server = TlsContext.server(await authority.issue(wishes));
      const [near, far] = await outcome(client, server);
      expect(near).toMatchObject({
        name: 'TlsVerifyError',
        code: 'ERR_SOCK_TLS_VERIFY',
        problem: expect.stringMatching(new RegExp(why, 'i')),
      });
      expect(far).toMatchObject({ name: 'TlsHandshakeError', alert });
    },
  );

  it('refuses a name in the place of an address', async () => {
    const { authority, client } = await goodSetting();
    const server = TlsContext.server(await authority.issue({ names: ['localhost'] }));
    const [near] = await outcome(client, server, '127.0.0.1');
    expect(near).toMatchObject({ problem: expect.stringMatching(/ip address mismatch/i) });
  });

  it('refuses an authority that it was not told of', async () => {
    const { server } = await goodSetting();
    const stranger = await Authority.create('a stranger');
    for (const client of [TlsContext.client(), TlsContext.client({ ca: stranger.cert })]) {
      const [near, far] = await outcome(client, server);
      expect(near).toMatchObject({ name: 'TlsVerifyError', verifyCode: 20 });
      expect(far).toMatchObject({ alert: 'unknown_ca' });
    }
  });

  it('needs the certificates in between, and takes them from the file of the leaf', async () => {
    const { authority, client } = await goodSetting();
    const issued = await (await authority.subordinate()).issue();
    const cert = pathTo('chain.pem');
    const key = pathTo('key.pem');
    writeFileSync(cert, issued.cert);
    writeFileSync(key, issued.key);
    expect(await outcome(client, TlsContext.server({ cert, key }))).toEqual(['agreed', 'agreed']);

    const end = '-----END CERTIFICATE-----';
    const leaf = issued.cert.slice(0, issued.cert.indexOf(end) + end.length);
    const alone = TlsContext.server({ cert: leaf, key: issued.key });
    expect((await outcome(client, alone))[0]).toMatchObject({ name: 'TlsVerifyError' });
  });

  it('takes anybody where it is switched off, and only there', async () => {
    const { server } = await goodSetting();
    const client = TlsContext.client();
    client.setVerifyMode(TlsVerifyMode.None);
    expect(await outcome(client, server, 'another.example')).toEqual(['agreed', 'agreed']);
    client.setVerifyMode(TlsVerifyMode.Peer);
    expect((await outcome(client, server))[0]).toMatchObject({ name: 'TlsVerifyError' });
  });

  it('does not begin without a name to verify', async () => {
    const [near, far] = await tcpPair();
    closing(near);
    closing(far);
    const { client } = await goodSetting();
    const tls = TlsSocket.enable(near, client);
    expect(await failureOf(tls.handshake())).toMatchObject({ code: 'ERR_SOCK_TLS_HOSTNAME' });
    tls.setHostname('localhost');
    expect(tls.tryHandshake()).toBe(TlsHandshakeState.WantRead);
  });

  it('asks clients for a certificate where that is wanted', async () => {
    const { authority, issued, client } = await goodSetting();
    const server = TlsContext.server({ ...issued, ca: authority.cert });
    server.setVerifyMode(TlsVerifyMode.FailIfNoPeerCert);
    expect((await outcome(client, server))[1]).toMatchObject({
      name: 'TlsHandshakeError',
      reason: 'peer did not return a certificate',
    });
    const own = await authority.issue({ names: ['a client'], usage: ['clientAuth'] });
    const known = TlsContext.client({ ...own, ca: authority.cert });
    const [near, far] = enableBoth(await tcpPair(), known, server).map(closing);
    await Promise.all([near?.handshake(), far?.handshake()]);
    expect(far?.peerCertificate?.subject).toBe('CN=a client');
    expect(far?.verifyResult).toBe(0);
  });
});

describe('connectTls', () => {
  const { add: closing } = useCleanup();

  it('connects and makes the handshake', async () => {
    const { client, server } = await goodSetting();
    const listener = closing(listen({ host: '127.0.0.1' }));
    const connecting = connectTls({
      host: 'localhost',
      port: listener.localPort,
      context: client,
      timeout: 20_000,
    });
    const far = closing(TlsSocket.enable(await listener.accept(), server));
    await far.handshake();
    const near = closing(await connecting);
    await near.sendAll('hello');
    expect((await far.recv()).toString()).toBe('hello');
  });

  it('waits no longer than connections of this thread do by default', async () => {
    const listener = closing(listen({ host: '127.0.0.1' }));
    const { connectTimeout } = Socket.getDefaultTimeouts();
    Socket.setDefaultTimeouts({ connectTimeout: 50 });
    try {
      // Nobody answers the first message.
      const connecting = connectTls({ host: '127.0.0.1', port: listener.localPort });
      const message = 'connectTls timed out after 50 ms';
      expect(await failureOf(connecting)).toMatchObject({ message, timeout: 50 });
    } finally {
      Socket.setDefaultTimeouts({ connectTimeout });
    }
  });

  it('leaves nothing behind when the other side does not speak TLS', async () => {
    const { client } = await goodSetting();
    const listener = closing(listen({ host: '127.0.0.1' }));
    const before = openSockets();
    const target = { host: 'localhost', port: listener.localPort, context: client };
    const failure = failureOf(connectTls({ ...target, timeout: 20_000 }));
    const far = await listener.accept();
    await far.sendAll('220 welcome\r\n');
    expect(await failure).toMatchObject({ name: 'TlsHandshakeError' });
    far.close();
    expect(openSockets()).toBe(before);

    expect(await failureOf(connectTls({ ...target, timeout: 30 }))).toMatchObject({
      code: 'ERR_SOCK_TIMEOUT',
    });
    listener.tryAccept()?.close();
    expect(openSockets()).toBe(before);
  });

  it('refuses arguments that are wrong, and names them', async () => {
    const { server } = await goodSetting();
    const target = { host: 'localhost', port: 1 };
    const wrong = [
      [{ ...target, context: server }, /options.context/],
      [{ ...target, hostname: 'a b' }, /options.hostname/],
      [{ ...target, timeout: -1 }, /timeout/],
      [{ ...target, unknown: 1 }, /unknown/],
    ] as const;
    for (const [options, message] of wrong) {
      expect((await failureOf(connectTls(options))).message).toMatch(message);
    }
  });
});

it('says so where the runtime has no OpenSSL', () => {
  const available = jest.spyOn(binding, 'tlsIsAvailable').mockReturnValue(false);
  const failure = thrownBy(() => TlsContext.client());
  available.mockRestore();
  expect(failure).toMatchObject({ name: 'TlsError', code: 'ERR_SOCK_NO_OPENSSL' });
});
