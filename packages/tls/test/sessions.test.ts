import { randomBytes } from 'node:crypto';
import type { Socket } from '@sock/core';
import { readCounters } from '@sock/native';
import { thrownBy, useCleanup } from '@sock/testing';
import { connectTls, listenTls, TlsContext, TlsSocket, TlsVerifyMode } from '@sock/tls';
import { enableBoth, goodSetting, tcpPair } from './support.js';

describe('sessions', () => {
  const { add: closing } = useCleanup();

  /** Speaks once over a connection of its own, so that what the server gives has come. */
  async function visit(
    client: TlsContext,
    server: TlsContext,
    options: { session?: Uint8Array | undefined; hostname?: string } = {},
  ): Promise<{ isReused: boolean; session: Buffer | undefined }> {
    const { hostname = 'localhost', session } = options;
    const [near, far] = (await tcpPair()).map(closing) as [Socket, Socket];
    const ours = TlsSocket.enable(near, client, { hostname, session });
    const theirs = TlsSocket.enable(far, server);
    await Promise.all([ours.handshake(), theirs.handshake()]);
    await theirs.sendAll('welcome');
    await ours.recvAll(7);
    expect(theirs.isSessionReused).toBe(ours.isSessionReused);
    const told = { isReused: ours.isSessionReused, session: ours.session };
    await Promise.all([ours.end(), theirs.end()]);
    return told;
  }

  async function contexts(): Promise<{ client: TlsContext; server: TlsContext }> {
    const { authority, issued } = await goodSetting();
    return {
      client: TlsContext.client({ ca: authority.cert }),
      server: TlsContext.server(issued),
    };
  }

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'of %s are gone on with when handed in',
    async (version) => {
      const { client, server } = await contexts();
      for (const context of [client, server]) {
        context.setMinProtocol('TLSv1.2');
        context.setMaxProtocol(version);
      }
      const before = readCounters();
      const { isReused, session } = await visit(client, server);
      expect(isReused).toBe(false);
      expect(session?.length).toBeGreaterThan(100);
      expect((await visit(client, server, { session })).isReused).toBe(true);
      expect(readCounters().tls_resumptions - before.tls_resumptions).toBe(2);
    },
  );

  it('are kept by a client that is told to, and used once each', async () => {
    const { client, server } = await contexts();
    await visit(client, server);
    expect((await visit(client, server)).isReused).toBe(false);
    client.enableSessionCache();
    server.enableSessionCache();
    const listener = closing(listenTls({ host: '127.0.0.1', context: server }));
    const reused: boolean[] = [];
    for (let count = 0; count < 3; count++) {
      const accepting = listener.accept();
      const port = listener.localPort;
      const near = closing(await connectTls({ host: 'localhost', port, context: client }));
      const far = closing(await accepting);
      await far.sendAll('x');
      await near.recvAll(1);
      reused.push(near.isSessionReused);
      near.close();
      far.close();
    }
    expect(reused).toEqual([false, true, true]);
    expect(client.cacheStats).toEqual({ hits: 2, misses: 1, stores: 3 });
    expect(server.cacheStats).toEqual({ hits: 2, misses: 1, stores: 3 });
  });

  it('never serve another host, and are no session if they are altered', async () => {
    const { client, server } = await contexts();
    const { session = Buffer.alloc(0) } = await visit(client, server);
    const [near, far] = await tcpPair();
    closing(near);
    closing(far);
    const offer = (hostname: string, bytes: Uint8Array): string =>
      thrownBy(() => TlsSocket.enable(near, client, { hostname, session: bytes })).message;
    expect(offer('example.org', session)).toMatch(/options.session/);
    // The socket went along: it was TLS's already.
    expect(near.fd).toBe(-1);
    const [other, peer] = await tcpPair();
    closing(other);
    closing(peer);
    const hostile = { hostname: 'localhost', session: Buffer.from('no session') };
    expect(thrownBy(() => TlsSocket.enable(other, client, hostile)).message).toMatch(/session/);
  });

  it('do not stand in for a verification that never was', async () => {
    const { server } = await contexts();
    const careless = TlsContext.client();
    careless.setVerifyMode(TlsVerifyMode.None);
    const { session } = await visit(careless, server);
    const sockets = (await tcpPair()).map(closing) as [Socket, Socket];
    const careful = { hostname: 'localhost', session };
    const failure = thrownBy(() => TlsSocket.enable(sockets[0], TlsContext.client(), careful));
    expect(failure.message).toMatch(/options.session.*under the same terms/);
  });

  it('are taken by every server with the same key, and for one key longer', async () => {
    const { issued } = await goodSetting();
    const { client, server } = await contexts();
    const [first, second, third] = [randomBytes(80), randomBytes(80), randomBytes(80)];
    const sibling = TlsContext.server(issued);
    server.enableSessionTickets(first);
    sibling.enableSessionTickets(first);
    const { session } = await visit(client, server);
    expect((await visit(client, sibling, { session })).isReused).toBe(true);
    sibling.enableSessionTickets(second);
    expect((await visit(client, sibling, { session })).isReused).toBe(true);
    sibling.enableSessionTickets(third);
    expect((await visit(client, sibling, { session })).isReused).toBe(false);
  });

  it('are forgotten when other terms are set, and beyond their size', async () => {
    const { authority } = await goodSetting();
    const { client, server } = await contexts();
    client.enableSessionCache({ size: 1 });
    await visit(client, server);
    client.loadCa(authority.cert);
    expect((await visit(client, server)).isReused).toBe(false);
    client.setSessionCacheSize(2);
    client.close();
    const [near, far] = await tcpPair();
    closing(near);
    closing(far);
    expect(thrownBy(() => TlsSocket.enable(near, client))).toMatchObject({
      code: 'ERR_SOCK_CLOSED',
    });
  });

  it('with client certificates are resumed too', async () => {
    const { authority, issued } = await goodSetting();
    const own = await authority.issue({ names: ['a client'], usage: ['clientAuth'] });
    const client = TlsContext.client({ ...own, ca: authority.cert });
    const server = TlsContext.server({ ...issued, ca: authority.cert });
    server.setVerifyMode(TlsVerifyMode.FailIfNoPeerCert);
    const { session } = await visit(client, server);
    expect((await visit(client, server, { session })).isReused).toBe(true);
  });

  it('end with the trust that they stand for, whatever they are sealed with', async () => {
    const { authority, issued } = await goodSetting();
    const own = await authority.issue({ names: ['a client'], usage: ['clientAuth'] });
    const client = TlsContext.client({ ...own, ca: authority.cert });
    const server = TlsContext.server({ ...issued, ca: authority.cert });
    server.enableSessionTickets(randomBytes(80));
    server.setVerifyMode(TlsVerifyMode.FailIfNoPeerCert);
    const { session } = await visit(client, server);
    server.setAlpnProtocols(['h2']);
    expect((await visit(client, server, { session })).isReused).toBe(true);
    server.loadCrl(await authority.revocations());
    expect((await visit(client, server, { session })).isReused).toBe(false);
  });

  it('refuse arguments that are wrong, and name them', async () => {
    const { client, server } = await contexts();
    const wrong = [
      [() => client.enableSessionCache({ size: 0 }), /options.size/],
      [() => client.enableSessionCache({ timeout: 1 }), /options.timeout/],
      [() => client.setSessionCacheSize(5), /no sessions are kept/],
      [() => client.enableSessionTickets(randomBytes(80)), /for servers/],
      [() => server.enableSessionTickets(randomBytes(48)), /80 bytes, not 48/],
      [() => server.enableSessionTickets('k'.repeat(80) as never), /key/],
    ] as const;
    for (const [call, message] of wrong) expect(thrownBy(call).message).toMatch(message);
    const ends = enableBoth(await tcpPair(), client, server).map(closing);
    expect(ends.map((end) => end.session)).toEqual([undefined, undefined]);
  });
});
