/** What an authority says of a certificate, shown by servers and checked by clients. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { connect as connectNode, createServer } from 'node:tls';
import { describeWithPeers, launch, thrownBy, useCleanup, useFolder } from '@sock/testing';
import { Authority, type Issued } from '@sock/testing/authority';
import { connectTls, listenTls, TlsContext, type TlsListener } from '@sock/tls';
import { type OcspState, ocspResponse } from './responder.js';

describeWithPeers(['openssl'], 'OCSP', () => {
  const { add } = useCleanup();
  const pathTo = useFolder();
  let authority: Authority;
  let issued: Issued;
  let other: Issued;

  beforeAll(async () => {
    authority = await Authority.create();
    issued = await authority.issue();
    other = await authority.issue({ names: ['localhost', 'other.test'] });
  });

  const respond = (about: Issued, state: OcspState = 'V'): Promise<Uint8Array> =>
    ocspResponse(authority, about, state, pathTo);

  /** Serves whoever comes. */
  function serve(context: TlsContext): TlsListener {
    const listener = add(listenTls({ host: '127.0.0.1', context }));
    void (async () => {
      for await (const socket of listener) void socket.end().catch(() => socket.close());
    })();
    return listener;
  }

  function asking(required = false): TlsContext {
    const context = TlsContext.client({ ca: authority.cert });
    context.requestOcsp({ required });
    return context;
  }

  /** What a client makes of it. */
  async function visit(
    { localPort: port }: { localPort: number | undefined },
    context = asking(),
    hostname = 'localhost',
  ): Promise<string> {
    try {
      const connecting = connectTls({
        host: '127.0.0.1',
        hostname,
        port,
        context,
        timeout: 20_000,
      });
      return String(add(await connecting).ocspStatus);
    } catch (error) {
      return String((error as { problemName?: string }).problemName ?? error);
    }
  }

  it('responses are shown, and checked, whatever they say', async () => {
    const server = TlsContext.server(issued);
    const listener = serve(server);
    expect(await visit(listener)).toBe('absent');
    expect(await visit(listener, asking(true))).toBe('OCSP_VERIFY_NEEDED');
    const says = async (state: OcspState, about = issued) => {
      server.setOcspResponse(await respond(about, state));
      return visit(listener, asking(true));
    };
    expect(await says('V')).toBe('good');
    expect(await says('R')).toBe('CERT_REVOKED');
    expect(await says('')).toBe('OCSP_CERT_UNKNOWN');
    expect(await says('V', other)).toBe('OCSP_VERIFY_FAILED');
    server.setOcspResponse(null);
    expect(await visit(listener)).toBe('absent');
  });

  it('a client that does not verify is told, and one that does not ask is not', async () => {
    const server = TlsContext.server(issued);
    server.setOcspResponse(await respond(issued, 'R'));
    const listener = serve(server);
    const careless = asking();
    careless.setVerifyMode(0);
    expect(await visit(listener, careless)).toBe('revoked');
    expect(await visit(listener, TlsContext.client({ ca: authority.cert }))).toBe('undefined');
  });

  it('works with TLS 1.2, too', async () => {
    const server = TlsContext.server(issued);
    server.setOcspResponse(await respond(issued));
    const client = asking(true);
    for (const context of [server, client]) {
      context.setMinProtocol('TLSv1.2');
      context.setMaxProtocol('TLSv1.2');
    }
    expect(await visit(serve(server), client)).toBe('good');
  });

  it('is wanted of a server whose certificate promises it', async () => {
    const strict = await authority.issue({ mustStaple: true });
    const server = TlsContext.server(strict);
    const listener = serve(server);
    expect(await visit(listener)).toBe('OCSP_VERIFY_NEEDED');
    server.setOcspResponse(await respond(strict));
    expect(await visit(listener)).toBe('good');
  });

  it('responses come from a callback, once for each certificate', async () => {
    const server = TlsContext.server(issued);
    server.addCertificate('other.test', other);
    const asked: (string | undefined)[] = [];
    server.setOcspCallback(async (hostname) => {
      asked.push(hostname);
      return respond(hostname === undefined ? issued : other);
    });
    const listener = serve(server);
    const visits = Array.from({ length: 8 }, () => visit(listener));
    expect(new Set(await Promise.all(visits))).toEqual(new Set(['good']));
    expect(await visit(listener, asking(true), 'other.test')).toBe('good');
    expect(asked).toEqual([undefined, 'other.test']);
  });

  it('a callback that fails shows nothing, and is told of', async () => {
    const server = TlsContext.server(issued);
    const listener = serve(server);
    const errors: string[] = [];
    const note = (message: unknown): void => {
      errors.push(String((message as { error: unknown }).error));
    };
    subscribe('sock:tls:log', note);
    add({ close: () => unsubscribe('sock:tls:log', note) });
    const failure = new Error('the responder is away');
    for (const callback of [
      () => {
        throw failure;
      },
      () => Promise.reject(failure),
      () => Buffer.from('nonsense'),
    ]) {
      server.setOcspCallback(callback);
      expect(await visit(listener)).toBe('absent');
    }
    expect(errors).toEqual([
      String(failure),
      String(failure),
      'TypeError: a callback gave what is no OCSP response',
    ]);
    server.setOcspCallback(() => null);
    expect(await visit(listener)).toBe('absent');
    expect(errors.length).toBe(3);
  });

  it('openssl and node:tls are shown it, and show it', async () => {
    const response = await respond(issued);
    const server = TlsContext.server(issued);
    server.setOcspResponse(response);
    const { localPort: port } = serve(server);
    // Its types do not know of requestOCSP, which its manual has.
    const target = { host: '127.0.0.1', port, ca: authority.cert, requestOCSP: true };
    const socket = connectNode(target);
    const [shown] = (await once(socket, 'OCSPResponse')) as [Buffer];
    socket.destroy();
    expect(shown.equals(response)).toBe(true);

    writeFileSync(pathTo('root'), authority.cert);
    const args = ['s_client', '-connect', `127.0.0.1:${port}`, '-CAfile', pathTo('root')];
    const client = await launch('openssl', [...args, '-status'], { input: '' });
    const { stdout } = await client.ended;
    expect(stdout.toString()).toMatch(/OCSP Response Status: successful/);

    const theirs = createServer(issued);
    theirs.on('OCSPRequest', (_leaf, _issuer, callback) => callback(null, Buffer.from(response)));
    theirs.listen(0, '127.0.0.1');
    await once(theirs, 'listening');
    const localPort = (theirs.address() as AddressInfo).port;
    expect(await visit({ localPort }, asking(true))).toBe('good');
    theirs.close();
  });

  it('refuses what is no response, and names it', () => {
    const server = TlsContext.server(issued);
    const client = TlsContext.client({ ca: authority.cert });
    const none = 'nothing' as unknown as Uint8Array;
    expect(thrownBy(() => server.setOcspResponse(none)).message).toMatch(/response/);
    expect(thrownBy(() => server.setOcspResponse(Buffer.from('x'))).message).toMatch(/response/);
    expect(thrownBy(() => client.setOcspResponse(null)).message).toMatch(/for servers/);
    expect(thrownBy(() => server.requestOcsp()).message).toMatch(/for clients/);
    const callback = 1 as unknown as null;
    expect(thrownBy(() => server.setOcspCallback(callback)).message).toMatch(/callback/);
  });
});
