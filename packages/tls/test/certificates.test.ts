/** Whom a client trusts: every kind of certificate, beside what others say of it. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { utimesSync, writeFileSync } from 'node:fs';
import { type AddressInfo, isIP } from 'node:net';
import { dirname } from 'node:path';
import { connect as connectNode, createSecureContext, createServer } from 'node:tls';
import { domainToASCII } from 'node:url';
import { listen, type TlsError } from '@sock/core';
import { describeWithPeers, launch, thrownBy, useCleanup, useFolder } from '@sock/testing';
import { Authority, type Issued } from '@sock/testing/authority';
import { connectTls, TlsContext, TlsSocket } from '@sock/tls';
import { certificateCases } from './certificate-cases.js';
import { ocspResponse } from './responder.js';
import { goodSetting } from './support.js';

const host = '127.0.0.1';

/** A server that makes handshakes until it is closed. */
function serve(context: TlsContext): { port: number; close(): void } {
  const listener = listen({ host });
  void (async () => {
    for await (const socket of listener) {
      const tls = TlsSocket.enable(socket, context);
      tls.handshake({ timeout: 10_000 }).then(
        () => tls.end().catch(() => tls.close()),
        () => tls.close(),
      );
    }
  })().catch(() => {});
  return { port: listener.localPort ?? 0, close: () => listener.close() };
}

/** Where to go, and with what to judge. */
interface Target {
  readonly port: number;
  readonly hostname: string;
  readonly ca: string;
  readonly crl: string | undefined;
  /** Whether the server's own word on its certificate is asked for. */
  readonly asksStatus: boolean;
}

function ourVerdict({ port, hostname, ca, crl, asksStatus }: Target): Promise<string> {
  const context = TlsContext.client({ ca });
  if (crl !== undefined) context.loadCrl(crl);
  if (asksStatus) context.requestOcsp();
  return verdictOf(context, port, hostname);
}

function verdictOf(context: TlsContext, port: number, hostname: string): Promise<string> {
  const connecting = connectTls({ host, port, hostname, context, timeout: 10_000 });
  return connecting.then(
    (socket) => {
      socket.close();
      return 'agreed';
    },
    (error: { problemName?: string }) => String(error.problemName ?? error),
  );
}

function nodeVerdict({ port, hostname, ca, crl, asksStatus }: Target): Promise<string> {
  // It checks the address that it connects to where no name is told.
  const servername = isIP(hostname) === 0 ? domainToASCII(hostname) : '';
  // Its types do not know of requestOCSP, which its manual has.
  const target = { host, port, ca, crl, servername, requestOCSP: asksStatus };
  return new Promise((resolve) => {
    const socket = connectNode(target, () => {
      resolve('agreed');
      socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)));
  });
}

/** A server of Node's, which shows what ours refuses to. */
async function serveWeakly(issued: Issued): Promise<{ port: number; close(): void }> {
  const server = createServer({ ...issued, ciphers: 'DEFAULT@SECLEVEL=0' }, (socket) => {
    socket.on('error', () => {});
    socket.end();
  });
  server.on('tlsClientError', () => {});
  await once(server.listen(0, host), 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, close: () => server.close() };
}

describeWithPeers(['curl', 'gnutls-cli', 'openssl'], 'a client', () => {
  const { add: closing } = useCleanup();
  const pathTo = useFolder();

  const fileOf = (name: string, text: string): string => {
    writeFileSync(pathTo(name), text);
    return pathTo(name);
  };

  async function curlVerdict({ port, hostname, ca, crl, asksStatus }: Target): Promise<string> {
    const args = ['--silent', '--max-time', '10', '--cacert', fileOf('ca.pem', ca)];
    const name = domainToASCII(hostname);
    args.push('--resolve', `${name}:${port}:${host}`);
    if (crl !== undefined) args.push('--crlfile', fileOf('crl.pem', crl));
    if (asksStatus) args.push('--cert-status');
    const url = `https://${name}:${port}/`;
    const { code } = await (await launch('curl', [...args, url], { input: '' })).ended;
    // 52: agreed, and no answer to the request.
    return { 52: 'agreed', 60: 'refused', 91: 'bad status' }[code ?? 0] ?? `curl: ${code}`;
  }

  async function gnutlsVerdict({ port, hostname, ca, crl }: Target): Promise<string> {
    const args = ['--x509cafile', fileOf('ca.pem', ca), '--verify-hostname', hostname];
    if (isIP(hostname) === 0) args.push('--sni-hostname', hostname);
    if (crl !== undefined) args.push('--x509crlfile', fileOf('crl.pem', crl));
    const all = [...args, '--port', String(port), host];
    const { ended } = await launch('gnutls-cli', all, { input: '' });
    const { stdout, stderr } = await ended;
    const printed = `${stdout}${stderr}`;
    const status = /- Status: The certificate is (?:NOT )?(trusted)\. *(.*)/.exec(printed);
    return status?.[2] || status?.[1] || printed;
  }

  it.each(certificateCases)('says of $what what node:tls, curl and GnuTLS say', async (each) => {
    const { authority } = await goodSetting();
    const { names, hostname = 'localhost', revokedBy, ours, gnutls } = each;
    const make = each.make ?? ((root) => root.issue(names === undefined ? {} : { names }));
    const issued = await make(authority);
    const server = each.isWeak ? null : TlsContext.server(issued);
    const asksStatus = revokedBy === 'response';
    if (asksStatus) server?.setOcspResponse(await ocspResponse(authority, issued, 'R', pathTo));
    const { port } = closing(server === null ? await serveWeakly(issued) : serve(server));
    const revoked = revokedBy === 'list' ? { revoked: [issued] } : undefined;
    const crl = revoked && (await authority.revocations(revoked));
    const target = { port, hostname, ca: authority.cert, crl, asksStatus };
    expect({
      ours: await ourVerdict(target),
      node: await nodeVerdict(target),
      curl: await curlVerdict(target),
      gnutls: await gnutlsVerdict(target),
    }).toEqual({
      ours,
      node: each.node ?? ours,
      curl: each.curl ?? (ours === 'agreed' ? 'agreed' : 'refused'),
      gnutls: expect.stringContaining(gnutls),
    });
  });
});

describe('a server', () => {
  const weak = certificateCases.filter(({ isWeak }) => isWeak);
  const outcomeOf = (act: () => unknown): string => {
    try {
      act();
      return 'shown';
    } catch (error) {
      return (error as TlsError).reason ?? String(error);
    }
  };

  it('does not show one whose key is weak', async () => {
    const { authority } = await goodSetting();
    const issued = await authority.issue({ key: 'rsa1024' });
    expect(thrownBy(() => TlsContext.server(issued))).toMatchObject({
      code: 'ERR_SOCK_TLS_SETTING',
      reason: 'ee key too small',
    });
  });

  // How one is signed is for clients to judge, says OpenSSL from 2026 on.
  it.each(weak)('shows $what only where OpenSSL does', async ({ make }) => {
    const { authority } = await goodSetting();
    const issued = (await make?.(authority)) as Issued;
    const asOurs = { ...issued, ciphers: 'DEFAULT@SECLEVEL=2' };
    const expected = outcomeOf(() => createSecureContext(asOurs));
    expect(outcomeOf(() => TlsContext.server(issued))).toBe(expected);
  });
});

describeWithPeers(['openssl'], 'the authorities of the system', () => {
  const { add } = useCleanup();
  const pathTo = useFolder();
  const { SSL_CERT_FILE, SSL_CERT_DIR } = process.env;

  afterEach(() => {
    for (const [name, value] of Object.entries({ SSL_CERT_FILE, SSL_CERT_DIR })) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });

  it('are read once, and again when their file is another', async () => {
    const { authority, server } = await goodSetting();
    const { port } = add(serve(server));
    const file = pathTo('bundle.pem');
    process.env.SSL_CERT_FILE = file;

    writeFileSync(file, (await Authority.create('another root')).cert);
    const before = TlsContext.client();
    expect(await verdictOf(before, port, 'localhost')).toBe('UNABLE_TO_GET_ISSUER_CERT_LOCALLY');
    writeFileSync(file, authority.cert);
    utimesSync(file, 1, 1);
    expect(await verdictOf(TlsContext.client(), port, 'localhost')).toBe('agreed');
    // Who has begun with the others keeps them.
    expect(await verdictOf(before, port, 'localhost')).toBe('UNABLE_TO_GET_ISSUER_CERT_LOCALLY');
  });

  it('are looked up in the folder that SSL_CERT_DIR names', async () => {
    const { authority, server } = await goodSetting();
    const { port } = add(serve(server));
    const hash = execFileSync('openssl', ['x509', '-noout', '-subject_hash'], {
      input: authority.cert,
      encoding: 'utf8',
      env: { PATH: process.env.PATH },
    });
    writeFileSync(pathTo(`${hash.trim()}.0`), authority.cert);
    process.env.SSL_CERT_DIR = dirname(pathTo('any'));
    expect(await verdictOf(TlsContext.client(), port, 'localhost')).toBe('agreed');
  });

  it('are shared by contexts, but not what one has of revocations', async () => {
    const { authority, server } = await goodSetting();
    const { port } = add(serve(server));
    process.env.SSL_CERT_FILE = pathTo('bundle.pem');
    writeFileSync(process.env.SSL_CERT_FILE, authority.cert);
    const other = await (await Authority.create('another root')).revocations();
    const strict = TlsContext.client();
    strict.loadCrl(other);
    expect(await verdictOf(strict, port, 'localhost')).toBe('UNABLE_TO_GET_CRL');
    expect(await verdictOf(TlsContext.client(), port, 'localhost')).toBe('agreed');
  });
});

describe('revocation lists', () => {
  const { add: closing } = useCleanup();
  const pathTo = useFolder();

  const verdict = (context: TlsContext, port: number) => verdictOf(context, port, 'localhost');

  it('refuse what was revoked, and are replaced while connections begin', async () => {
    const authority = await Authority.create();
    const issued = await authority.issue();
    const { port } = closing(serve(TlsContext.server(issued)));
    const client = TlsContext.client({ ca: authority.cert });
    client.loadCrl(await authority.revocations());
    expect(await verdict(client, port)).toBe('agreed');
    client.refreshCrl(await authority.revocations({ revoked: [issued] }));
    expect(await verdict(client, port)).toBe('CERT_REVOKED');
    const path = pathTo('good.crl');
    writeFileSync(path, await authority.revocations());
    client.refreshCrl(path);
    expect(await verdict(client, port)).toBe('agreed');
    client.refreshCrl(await authority.revocations({ days: [-3, -1] }));
    expect(await verdict(client, port)).toBe('CRL_HAS_EXPIRED');
    client.refreshCrl([]);
    expect(await verdict(client, port)).toBe('agreed');
  });

  it('are needed of every authority, or of that of the leaf alone', async () => {
    const authority = await Authority.create();
    const middle = await authority.subordinate();
    const issued = await middle.issue();
    const { port } = closing(serve(TlsContext.server(issued)));
    const client = TlsContext.client({ ca: authority.cert });
    client.loadCrl(await middle.revocations());
    expect(await verdict(client, port)).toBe('UNABLE_TO_GET_CRL');
    client.refreshCrl(await middle.revocations(), { leafOnly: true });
    expect(await verdict(client, port)).toBe('agreed');
    client.refreshCrl(await middle.revocations({ revoked: [issued] }));
    expect(await verdict(client, port)).toBe('CERT_REVOKED');
    client.refreshCrl(await authority.revocations(), { leafOnly: false });
    expect(await verdict(client, port)).toBe('UNABLE_TO_GET_CRL');
    client.loadCrl(await middle.revocations());
    expect(await verdict(client, port)).toBe('agreed');
  });

  it('are refused where they are none, and nothing changes', async () => {
    const { authority, issued, client: good } = await goodSetting();
    expect(thrownBy(() => good.loadCrl(authority.cert))).toMatchObject({
      code: 'ERR_SOCK_TLS_SETTING',
    });
    expect(thrownBy(() => good.loadCrl(7 as never)).message).toMatch(/"crl"/);
    expect(thrownBy(() => good.loadCrl([], { leafOnly: 1 as never })).message).toMatch(/leafOnly/);
    const { port } = closing(serve(TlsContext.server(issued)));
    expect(await verdict(good, port)).toBe('agreed');
  });
});
