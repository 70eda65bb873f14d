/** Whom a client trusts: every kind of bad certificate, beside what others say of it. */
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { utimesSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { connect as connectNode, createServer } from 'node:tls';
import { listen } from '@sock/core';
import { describeWithPeers, launch, thrownBy, useCleanup, useFolder } from '@sock/testing';
import { Authority, type Issued } from '@sock/testing/authority';
import { connectTls, TlsContext, TlsSocket } from '@sock/tls';
import { goodSetting } from './support.js';

/** A server that makes handshakes until it is closed. */
function serve(context: TlsContext): { port: number; close(): void } {
  const listener = listen({ host: '127.0.0.1' });
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

interface Target {
  readonly port: number;
  readonly hostname: string;
  readonly ca: string;
}

function ourVerdict({ port, hostname, ca }: Target): Promise<string> {
  return verdictOf(TlsContext.client({ ca }), port, hostname);
}

function verdictOf(context: TlsContext, port: number, hostname: string): Promise<string> {
  const connecting = connectTls({ host: '127.0.0.1', port, hostname, context, timeout: 10_000 });
  return connecting.then(
    (socket) => {
      socket.close();
      return 'agreed';
    },
    (error: { problemName?: string }) => String(error.problemName ?? error),
  );
}

function nodeVerdict({ port, hostname, ca }: Target): Promise<string> {
  return new Promise((resolve) => {
    const socket = connectNode({ host: '127.0.0.1', port, servername: hostname, ca }, () => {
      resolve('agreed');
      socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)));
  });
}

interface Case {
  readonly what: string;
  readonly names?: readonly string[];
  readonly hostname?: string;
  readonly make?: (root: Authority) => Promise<Issued>;
  readonly ours: string;
  /** Where Node has another name for it, or another opinion. */
  readonly node?: string;
}

const altName = 'ERR_TLS_CERT_ALTNAME_INVALID';

const cases: readonly Case[] = [
  { what: 'a good one', ours: 'agreed' },
  {
    what: 'one that has expired',
    make: (root) => root.issue({ days: [-3, -1] }),
    ours: 'CERT_HAS_EXPIRED',
  },
  {
    what: 'one that is not valid yet',
    make: (root) => root.issue({ days: [1, 3] }),
    ours: 'CERT_NOT_YET_VALID',
  },
  {
    what: 'one for another host',
    names: ['example.org'],
    ours: 'HOSTNAME_MISMATCH',
    node: altName,
  },
  {
    what: 'one for clients',
    make: (root) => root.issue({ usage: ['clientAuth'] }),
    ours: 'INVALID_PURPOSE',
  },
  {
    what: 'one that answers for itself',
    make: () => Authority.issueSelfSigned(),
    ours: 'DEPTH_ZERO_SELF_SIGNED_CERT',
  },
  {
    what: 'one without the certificate in between',
    make: async (root) => {
      const issued = await (await root.subordinate()).issue();
      return { ...issued, cert: new X509Certificate(issued.cert).toString() };
    },
    ours: 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    node: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  },
  {
    what: 'one of an authority that may not issue for the name',
    make: async (root) => (await root.subordinate('bound', { permitted: 'example.org' })).issue(),
    ours: 'PERMITTED_VIOLATION',
    node: 'UNSPECIFIED',
  },
  {
    what: 'one with more authorities in between than are allowed',
    make: async (root) => {
      const last = await root.subordinate('last', { pathLength: 0 });
      return (await last.subordinate('one too many')).issue();
    },
    ours: 'PATH_LENGTH_EXCEEDED',
  },
  {
    what: 'a wildcard for one label',
    names: ['*.example.org'],
    hostname: 'www.example.org',
    ours: 'agreed',
  },
  {
    what: 'a wildcard for no label',
    names: ['*.example.org'],
    hostname: 'example.org',
    ours: 'HOSTNAME_MISMATCH',
    node: altName,
  },
  {
    what: 'a wildcard for two labels',
    names: ['*.example.org'],
    hostname: 'a.b.example.org',
    ours: 'HOSTNAME_MISMATCH',
    node: altName,
  },
  {
    what: 'an internationalised name',
    names: ['xn--bcher-kva.example'],
    hostname: 'xn--bcher-kva.example',
    ours: 'agreed',
  },
];

describeWithPeers(['curl'], 'a client', () => {
  const { add: closing } = useCleanup();
  const pathTo = useFolder();

  it.each(cases)('says of $what what node:tls and curl say', async (each) => {
    const { authority } = await goodSetting();
    const { names, hostname = 'localhost', ours } = each;
    const make = each.make ?? ((root) => root.issue(names === undefined ? {} : { names }));
    const server = closing(serve(TlsContext.server(await make(authority))));
    const target = { port: server.port, hostname, ca: authority.cert };
    expect(await ourVerdict(target)).toBe(ours);
    expect(await nodeVerdict(target)).toBe(each.node ?? ours);

    const caFile = pathTo('ca.pem');
    writeFileSync(caFile, authority.cert);
    const resolve = `${hostname}:${server.port}:127.0.0.1`;
    const args = ['--silent', '--max-time', '10', '--cacert', caFile, '--resolve', resolve];
    const url = `https://${hostname}:${server.port}/`;
    const { code } = await (await launch('curl', [...args, url], { input: '' })).ended;
    // 60: the certificate was refused. 52: agreed, and no answer to the request.
    expect(code).toBe(ours === 'agreed' ? 52 : 60);
  });
});

describe('weak certificates', () => {
  const weak = {
    CA_MD_TOO_WEAK: async (root: Authority) =>
      (await root.subordinate('a weak one', { signature: 'sha1' })).issue(),
    EE_KEY_TOO_SMALL: (root: Authority) => root.issue({ key: 'rsa1024' }),
  };

  it.each([
    ['CA_MD_TOO_WEAK', 'ca md too weak'],
    ['EE_KEY_TOO_SMALL', 'ee key too small'],
  ] as const)(
    'are refused by clients, and by servers that should show them: %s',
    async (name, reason) => {
      const { authority } = await goodSetting();
      const issued = await weak[name](authority);
      expect(thrownBy(() => TlsContext.server(issued))).toMatchObject({
        code: 'ERR_SOCK_TLS_SETTING',
        reason,
      });

      const server = createServer({ ...issued, ciphers: 'DEFAULT@SECLEVEL=0' });
      server.on('tlsClientError', () => {});
      await once(server.listen(0, '127.0.0.1'), 'listening');
      const { port } = server.address() as AddressInfo;
      expect(await ourVerdict({ port, hostname: 'localhost', ca: authority.cert })).toBe(name);
      await new Promise((resolve) => server.close(resolve));
    },
  );
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
