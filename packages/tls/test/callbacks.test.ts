/** What a context asks of its users, or hands to them. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect as connectNode } from 'node:tls';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { TlsVerifyError } from '@sock/core';
import { describeWithPeers, failureOf, thrownBy, useCleanup, useFolder } from '@sock/testing';
import { Authority } from '@sock/testing/authority';
import {
  listenTls,
  TlsContext,
  type TlsContextShare,
  TlsSocket,
  type TlsVerdict,
  TlsVerifyMode,
} from '@sock/tls';
import { enableBoth, goodSetting, securedPair, tcpPair } from './support.js';

const { add } = useCleanup();

/** Both ends, and how the handshake went on each: null, or what it rejected with. */
async function shake(
  client: TlsContext,
  server: TlsContext,
  session?: Buffer,
): Promise<{ near: TlsSocket; far: TlsSocket; outcomes: unknown[] }> {
  const [ours, theirs] = await tcpPair();
  const near = add(TlsSocket.enable(ours, client, { hostname: 'localhost', session }));
  const far = add(TlsSocket.enable(theirs, server));
  const outcomes = await Promise.all(
    [near, far].map((end) =>
      end.handshake({ timeout: 10_000 }).then(
        () => null,
        (error: unknown) => {
          end.close();
          return error;
        },
      ),
    ),
  );
  return { near, far, outcomes };
}

describe('a verify callback', () => {
  it('is told what is wrong, and may accept it', async () => {
    const { server, issued } = await goodSetting();
    const stranger = await Authority.create('a stranger');
    const client = TlsContext.client({ ca: stranger.cert });
    const verdicts: TlsVerdict[] = [];
    client.setVerifyCallback((verdict) => {
      verdicts.push(verdict);
      return true;
    });
    const { near, outcomes } = await shake(client, server);
    expect(outcomes).toEqual([null, null]);
    expect(verdicts).toMatchObject([
      { ok: false, verifyCode: 20, problemName: 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY' },
    ]);
    expect(verdicts[0]?.chain.map(({ raw }) => raw)).toEqual([near.peerCertificate?.raw]);
    expect(issued.cert).toContain(verdicts[0]?.chain[0]?.toString().trim());
    expect(near.verifyResult).toBe(20);
  });

  it('may refuse a good one, at once or later, or by failing', async () => {
    const { client: trusting, server, authority } = await goodSetting();
    const failure = new Error('no');
    const refusals: [(verdict: TlsVerdict) => boolean | Promise<boolean>, unknown][] = [
      [({ ok, chain }) => !(ok && chain.length === 2), undefined],
      [async () => false, undefined],
      [() => Promise.reject(failure), failure],
      [
        () => {
          throw failure;
        },
        failure,
      ],
      [() => 'yes' as unknown as boolean, undefined],
    ];
    for (const [callback, cause] of refusals) {
      const client = TlsContext.client({ ca: authority.cert });
      client.setVerifyCallback(callback);
      const { near, outcomes } = await shake(client, server);
      expect(outcomes[0]).toBeInstanceOf(TlsVerifyError);
      expect(outcomes[0]).toMatchObject({
        verifyCode: 50,
        problemName: 'APPLICATION_VERIFICATION',
      });
      expect((outcomes[0] as Error).cause).toBe(cause);
      expect(near.isConnected).toBe(false);
    }
    expect((await shake(trusting, server)).outcomes).toEqual([null, null]);
  });

  it('carries no byte before it has answered', async () => {
    const { server, authority } = await goodSetting();
    const client = TlsContext.client({ ca: authority.cert });
    let answer: (isAccepted: boolean) => void = () => {};
    const asked = new Promise<TlsSocket>((resolve) => {
      client.setVerifyCallback((_, socket) => {
        resolve(socket);
        return new Promise((accept) => {
          answer = accept;
        });
      });
    });
    const [near, far] = enableBoth(await tcpPair(), client, server).map(add) as [
      TlsSocket,
      TlsSocket,
    ];
    const done = Promise.all([near.handshake(), far.handshake()]);
    expect(await asked).toBe(near);
    expect(thrownBy(() => near.trySend('x'))).toMatchObject({
      code: 'ERR_SOCK_TLS_HANDSHAKE_NEEDED',
    });
    answer(true);
    await done;
    await near.sendAll('x');
    expect((await far.recv()).toString()).toBe('x');
  });

  it('is waited for no longer than the handshake may take', async () => {
    const { server, authority } = await goodSetting();
    const client = TlsContext.client({ ca: authority.cert });
    client.setVerifyCallback(() => new Promise(() => {}));
    const [near, far] = enableBoth(await tcpPair(), client, server).map(add) as [
      TlsSocket,
      TlsSocket,
    ];
    const failure = failureOf(near.handshake({ timeout: 300 }));
    await far.handshake();
    expect(await failure).toMatchObject({ name: 'TimeoutError' });
  });

  it('judges clients, again when their session is resumed', async () => {
    const { authority } = await goodSetting();
    const issued = await authority.issue();
    const server = TlsContext.server({ ...issued, ca: authority.cert });
    server.setVerifyMode(TlsVerifyMode.FailIfNoPeerCert);
    let isWelcome = true;
    const asked: number[] = [];
    const reused: boolean[] = [];
    server.setVerifyCallback(({ chain }, socket) => {
      asked.push(chain.length);
      reused.push(socket.isSessionReused);
      return isWelcome;
    });
    const client = TlsContext.client({ ...issued, ca: authority.cert });
    let session: Buffer | undefined;
    for (const outcome of [null, null, expect.any(TlsVerifyError)]) {
      isWelcome = outcome === null;
      const { near, far, outcomes } = await shake(client, server, session);
      expect(outcomes[1]).toEqual(outcome);
      if (!isWelcome) continue;
      await far.sendAll('x');
      await near.recv();
      session = near.session;
      near.close();
      far.close();
    }
    // The root is not kept with a session.
    expect(asked).toEqual([2, 1, 1]);
    // Nothing is agreed before it has judged.
    expect(reused).toEqual([false, false, false]);
  });

  it('answers at once in the tempos that do not wait', async () => {
    const { server, authority } = await goodSetting();
    for (const [callback, code] of [
      [() => true, undefined],
      [() => false, 'ERR_SOCK_TLS_VERIFY'],
      [async () => true, 'ERR_SOCK_TLS_ASYNC'],
    ] as const) {
      const client = TlsContext.client({ ca: authority.cert });
      client.setVerifyCallback(callback);
      const [near, far] = enableBoth(await tcpPair(), client, server).map(add) as [
        TlsSocket,
        TlsSocket,
      ];
      near.tryHandshake();
      far.tryHandshake();
      const step = () => near.handshakeSync({ timeout: 5_000 });
      if (code === undefined) step();
      else expect(thrownBy(step)).toMatchObject({ code });
      near.close();
      far.close();
    }
  });
});

describe('an ALPN callback', () => {
  async function choice(
    choose: Parameters<TlsContext['setAlpnCallback']>[0],
    key: 'p256' | 'rsa2048' = 'p256',
  ) {
    const { authority } = await goodSetting();
    const server = TlsContext.server(await authority.issue({ key }));
    server.setAlpnCallback(choose);
    const client = TlsContext.client({ ca: authority.cert });
    client.setAlpnProtocols(['h2', 'http/1.1']);
    const { near, outcomes } = await shake(client, server);
    return outcomes[0] === null ? near.alpnProtocol : (outcomes[0] as { alert: string }).alert;
  }

  it('chooses among what the client offers, now or later', async () => {
    const told: unknown[] = [];
    expect(
      await choice((...args) => {
        told.push(args);
        return 'http/1.1';
      }),
    ).toBe('http/1.1');
    expect(told).toEqual([[['h2', 'http/1.1'], 'localhost']]);
    expect(await choice(async (protocols) => protocols[0] ?? null)).toBe('h2');
    // With such a key the handshake is made on a thread.
    expect(await choice(async () => 'http/1.1', 'rsa2048')).toBe('http/1.1');
    expect(await choice(() => 'h2', 'rsa2048')).toBe('h2');
  });

  it('refuses the client with null, with what was not offered, and when it fails', async () => {
    const refused = 'no_application_protocol';
    expect(await choice(() => null)).toBe(refused);
    expect(await choice(() => 'h3')).toBe(refused);
    expect(await choice(() => Promise.reject(new Error('no')))).toBe(refused);
    expect(
      await choice(() => {
        throw new Error('no');
      }),
    ).toBe(refused);
  });

  it('is asked by nobody who offers nothing, and by node:tls', async () => {
    const { issued, authority } = await goodSetting();
    const server = TlsContext.server(issued);
    let count = 0;
    server.setAlpnCallback(() => {
      count++;
      return 'b';
    });
    await shake(TlsContext.client({ ca: authority.cert }), server);
    expect(count).toBe(0);
    const listener = add(listenTls({ host: '127.0.0.1', context: server }));
    const target = { host: '127.0.0.1', port: listener.localPort, ca: authority.cert };
    const theirs = connectNode({ ...target, ALPNProtocols: ['a', 'b'] });
    theirs.on('error', () => {});
    const far = add(await listener.accept({ timeout: 10_000 }));
    expect(far.alpnProtocol).toBe('b');
    theirs.destroy();
  });
});

it('a key log has a line for each secret of both sides, and no others', async () => {
  const { issued, authority } = await goodSetting();
  const lines: string[][] = [];
  const server = TlsContext.server(issued);
  const client = TlsContext.client({ ca: authority.cert });
  for (const context of [client, server]) {
    const own: string[] = [];
    lines.push(own);
    context.setKeyLog((line) => own.push(line));
  }
  (await securedPair(undefined, { client, server })).map(add);
  const [ofClient = [], ofServer = []] = lines;
  const labels = ofClient.map((line) => line.split(' ')[0]);
  expect(labels).toEqual(expect.arrayContaining(['CLIENT_TRAFFIC_SECRET_0', 'EXPORTER_SECRET']));
  expect([...ofClient].sort()).toEqual([...ofServer].sort());
});

describeWithPeers(['openssl'], 'a PKCS#12 file', () => {
  const pathTo = useFolder();

  it('brings a certificate, its chain and its key', async () => {
    const authority = await Authority.create();
    const between = await authority.subordinate();
    const { cert, key } = await between.issue();
    writeFileSync(pathTo('cert'), cert);
    writeFileSync(pathTo('key'), key);
    const file = pathTo('file.p12');
    const args = ['pkcs12', '-export', '-in', pathTo('cert'), '-inkey', pathTo('key')];
    const env = { PATH: process.env.PATH };
    execFileSync('openssl', [...args, '-out', file, '-passout', 'pass:secret'], { env });

    const client = TlsContext.client({ ca: authority.cert });
    const server = TlsContext.server({ pkcs12: file, passphrase: 'secret' });
    expect((await shake(client, server)).outcomes).toEqual([null, null]);
    const other = TlsContext.server();
    other.addCertificate('localhost', { pkcs12: file, passphrase: 'secret' });
    expect((await shake(client, other)).outcomes).toEqual([null, null]);

    const refused = { code: 'ERR_SOCK_TLS_SETTING' };
    expect(thrownBy(() => server.loadPkcs12(file, 'wrong'))).toMatchObject(refused);
    expect(thrownBy(() => server.loadPkcs12(Buffer.from('nonsense')))).toMatchObject(refused);
    const both = { pkcs12: file, cert, key };
    expect(thrownBy(() => TlsContext.server(both)).message).toMatch(/options.pkcs12/);
  });
});

describe('a shared context', () => {
  /** As a worker would get it. */
  function post(share: TlsContextShare): TlsContextShare {
    const { port1, port2 } = new MessageChannel();
    port1.postMessage(share);
    const { message } = receiveMessageOnPort(port2) as { message: TlsContextShare };
    port1.close();
    return message;
  }

  it('makes the same connections, and takes the same sessions', async () => {
    const { issued, authority } = await goodSetting();
    const server = TlsContext.server();
    server.addCertificate('localhost', issued);
    const twin = TlsContext.from(post(server.share()));
    expect(twin.isServer).toBe(true);
    const client = TlsContext.from(post(TlsContext.client({ ca: authority.cert }).share()));
    let session: Buffer | undefined;
    for (const [context, isReused] of [
      [server, false],
      [twin, true],
      [server, true],
    ] as const) {
      const { near, far, outcomes } = await shake(client, context, session);
      expect(outcomes).toEqual([null, null]);
      expect(near.isSessionReused).toBe(isReused);
      await far.sendAll('x');
      await near.recv();
      session = near.session;
      near.close();
      far.close();
    }
  });

  it('has no callbacks, and is nothing that was made up', async () => {
    const { issued } = await goodSetting();
    const server = TlsContext.server(issued);
    server.setAlpnCallback(() => null);
    expect(thrownBy(() => server.share()).message).toMatch(/callbacks/);
    server.close();
    expect(thrownBy(() => server.share())).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    for (const share of [null, {}, { isServer: true }]) {
      expect(thrownBy(() => TlsContext.from(share as TlsContextShare)).message).toMatch(/share/);
    }
  });
});

it('callbacks have to be functions, and are for one side', () => {
  const client = TlsContext.client({ ca: [] });
  const none = 1 as unknown as null;
  expect(thrownBy(() => client.setVerifyCallback(none)).message).toMatch(/callback/);
  expect(thrownBy(() => client.setKeyLog(none)).message).toMatch(/callback/);
  expect(thrownBy(() => client.setAlpnCallback(null)).message).toMatch(/for servers/);
});
