import { channel } from 'node:diagnostics_channel';
import { connect, type Socket } from '@sock/core';
import { readCounters } from '@sock/native';
import { failureOf, isPending, thrownBy, until, useCleanup, within } from '@sock/testing';
import {
  connectTls,
  type HandshakeErrorEvent,
  type HandshakeEvent,
  type ListenTlsOptions,
  listenTls,
  TlsContext,
  type TlsListener,
  TlsSocket,
} from '@sock/tls';
import { goodSetting, securedPair, tcpPair } from './support.js';

describe('listenTls', () => {
  const { add: closing } = useCleanup();

  async function listening(options: Partial<ListenTlsOptions> = {}): Promise<TlsListener> {
    const { server } = await goodSetting();
    return closing(listenTls({ host: '127.0.0.1', context: server, ...options }));
  }

  async function client(listener: TlsListener): Promise<TlsSocket> {
    const { client: context } = await goodSetting();
    return closing(await connectTls({ host: 'localhost', port: listener.localPort, context }));
  }

  async function mute(listener: TlsListener): Promise<Socket> {
    return closing(await connect({ host: '127.0.0.1', port: listener.localPort }));
  }

  it('yields connections that bytes can be sent over', async () => {
    const listener = await listening();
    const accepting = listener.accept();
    const near = await client(listener);
    const far = closing(await accepting);
    await far.sendAll('welcome');
    expect((await near.recv()).toString()).toBe('welcome');
  });

  it('is iterated over until it is closed', async () => {
    const listener = await listening();
    const serving = (async () => {
      let count = 0;
      for await (const socket of listener) {
        count++;
        await socket.end();
      }
      return count;
    })();
    for (let count = 0; count < 3; count++) await (await client(listener)).end();
    listener.close();
    expect(await serving).toBe(3);
    expect(await failureOf(listener.accept())).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    expect(listener).toMatchObject({ localAddress: undefined, localPort: undefined });
  });

  it('is held up by nobody who says nothing', async () => {
    const listener = await listening();
    const accepting = listener.accept();
    for (let count = 0; count < 5; count++) await mute(listener);
    const near = await client(listener);
    closing(await accepting);
    expect(near.isConnected).toBe(true);
  });

  it('drops who takes too long, and tells', async () => {
    const errors: unknown[] = [];
    const onError = (error: unknown): void => void errors.push(error);
    const listener = await listening({ handshakeTimeout: 500, onError });
    const accepting = listener.accept();
    const silent = await mute(listener);
    expect(await failureOf(silent.recv())).toMatchObject({ code: 'ERR_SOCK_EOF' });
    expect(errors).toMatchObject([{ code: 'ERR_SOCK_TIMEOUT', timeout: 500 }]);
    await client(listener);
    closing(await accepting);
  });

  it('begins no more handshakes than it may, until one is over', async () => {
    const listener = await listening({ maxHandshakes: 2 });
    const accepting = listener.accept();
    const [first] = [await mute(listener), await mute(listener)];
    const third = client(listener);
    expect(await isPending(accepting)).toBe(true);
    first.close();
    const near = await third;
    closing(await accepting);
    expect(near.isConnected).toBe(true);
  });

  it('tells who waits that the socket below was closed, though it may accept nobody', async () => {
    const listener = await listening({ maxHandshakes: 1 });
    const accepting = failureOf(listener.accept());
    const step = listener[Symbol.asyncIterator]().next();
    closing(await mute(listener));
    listener.listener.close();
    expect(await within(2_000, accepting)).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    expect(await within(2_000, step)).toMatchObject({ done: true });
  });

  it('survives clients that break off, talk nonsense, or refuse the certificate', async () => {
    const errors: unknown[] = [];
    const listener = await listening({ onError: (error) => void errors.push(error) });
    const accepting = listener.accept();
    (await mute(listener)).close();
    await (await mute(listener)).sendAll('GET / HTTP/1.1\r\n\r\n');
    const refusal = connectTls({ host: 'localhost', port: listener.localPort, hostname: 'other' });
    expect(await failureOf(refusal)).toMatchObject({ name: 'TlsVerifyError' });
    await client(listener);
    closing(await accepting);
    await until(2_000, () => errors.length === 3);
    expect(errors).toMatchObject([
      { code: 'ERR_SOCK_TLS_TRUNCATED' },
      { reason: 'http request' },
      { alert: 'unknown_ca' },
    ]);
  });

  it('gives up waiting after a time or when it is aborted, and loses nobody', async () => {
    const listener = await listening();
    expect(await failureOf(listener.accept({ timeout: 10 }))).toMatchObject({
      code: 'ERR_SOCK_TIMEOUT',
      timeout: 10,
    });
    const controller = new AbortController();
    const aborted = failureOf(listener.accept({ signal: controller.signal }));
    controller.abort();
    expect(await aborted).toMatchObject({ code: 'ABORT_ERR' });
    const { signal } = controller;
    expect(await failureOf(listener.accept({ signal }))).toMatchObject({ code: 'ABORT_ERR' });
    await client(listener);
    closing(await listener.accept());
  });

  it('takes those along that nobody has taken when it is closed', async () => {
    const listener = await listening();
    const accepting = listener.accept();
    await client(listener);
    closing(await accepting);
    const left = await client(listener);
    const shaking = await mute(listener);
    const waiting = failureOf(left.recv());
    listener.close();
    listener.close();
    expect(await waiting).toMatchObject({ name: expect.stringMatching(/Socket|Tls/) });
    expect(await failureOf(shaking.recv())).toBeInstanceOf(Error);
  });

  it('goes on with what the context has become', async () => {
    const { authority, issued } = await goodSetting();
    const context = TlsContext.server(issued);
    const listener = await listening({ context });
    const first = listener.accept();
    const before = await client(listener);
    closing(await first);
    const other = await authority.issue({ names: ['localhost', 'renewed.example'] });
    context.loadCertificate(other.cert, other.key);
    const second = listener.accept();
    const after = await client(listener);
    closing(await second);
    expect(before.peerCertificate?.subjectAltName).not.toContain('renewed.example');
    expect(after.peerCertificate?.subjectAltName).toContain('renewed.example');
    expect(before.isConnected).toBe(true);
  });

  it('refuses arguments that are wrong, and names them', async () => {
    const { client: context, server } = await goodSetting();
    const wrong = [
      [{ context }, /options.context/],
      [{ context: server, handshakeTimeout: 0 }, /options.handshakeTimeout/],
      [{ context: server, maxHandshakes: 0 }, /options.maxHandshakes/],
      [{ context: server, onError: 1 as never }, /options.onError/],
      [{ context: server, port: -1 }, /port/],
      [{ context: server, unknown: 1 }, /unknown/],
    ] as const;
    for (const [options, message] of wrong) {
      expect(thrownBy(() => listenTls(options)).message).toMatch(message);
    }
  });
});

describe('handshakes', () => {
  const { add: closing } = useCleanup();

  it('are told on diagnostics channels, and counted', async () => {
    const done: HandshakeEvent[] = [];
    const failed: HandshakeErrorEvent[] = [];
    const onDone = (event: unknown): void => void done.push(event as HandshakeEvent);
    const onFailed = (event: unknown): void => void failed.push(event as HandshakeErrorEvent);
    channel('sock:tls:handshake').subscribe(onDone);
    channel('sock:tls:handshake-error').subscribe(onFailed);
    const before = readCounters();
    for (const socket of await securedPair()) closing(socket);
    const [near, far] = await tcpPair();
    closing(near);
    const { server } = await goodSetting();
    const failure = failureOf(closing(TlsSocket.enable(far, server)).handshake());
    await near.sendAll('nonsense');
    await failure;
    channel('sock:tls:handshake').unsubscribe(onDone);
    channel('sock:tls:handshake-error').unsubscribe(onFailed);

    const agreed = { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', resumed: false };
    expect(done.sort((a, b) => Number(a.server) - Number(b.server))).toMatchObject([
      { server: false, ...agreed, alpn: undefined },
      { server: true, ...agreed, alpn: undefined },
    ]);
    expect(failed).toMatchObject([{ server: true, error: { name: 'TlsHandshakeError' } }]);
    for (const { duration, time } of [...done, ...failed]) {
      expect(duration).toBeGreaterThan(0);
      expect(time).toBeGreaterThan(duration);
    }
    const after = readCounters();
    expect(after.tls_handshakes - before.tls_handshakes).toBe(2);
    expect(after.tls_handshake_failures - before.tls_handshake_failures).toBe(1);
  });
});
