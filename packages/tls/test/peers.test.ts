/** Programs of others, on both sides. */

import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import * as node from 'node:tls';
import { connect, listen, toDuplex } from '@sock/core';
import { describeWithPeers, failureOf, launch, until, useCleanup, useFolder } from '@sock/testing';
import { connectTls, listenTls, TlsContext, type TlsListener, TlsVerifyMode } from '@sock/tls';
import { goodSetting } from './support.js';

const { add: closing } = useCleanup();
const pathTo = useFolder();
const host = '127.0.0.1';

/** Answers every chunk with itself, and ends when the client does. */
async function echoing(context: TlsContext): Promise<TlsListener> {
  const listener = closing(listenTls({ host, context }));
  void (async () => {
    for await (const socket of listener) {
      void (async () => {
        for await (const chunk of socket) await socket.sendAll(chunk);
        await socket.end({ timeout: 10_000 });
      })().catch(() => socket.close());
    }
  })();
  return listener;
}

/** Node's HTTP server over our TLS. */
async function greeting(): Promise<TlsListener> {
  const { server: context } = await goodSetting();
  const listener = closing(listenTls({ host, context }));
  const web = createServer((request, response) => response.end(`hello ${request.url}`));
  void (async () => {
    for await (const socket of listener) {
      web.emit('connection', toDuplex(socket, { allowHalfOpen: true }));
    }
  })();
  return listener;
}

async function trust(): Promise<string> {
  const path = pathTo('ca.pem');
  writeFileSync(path, (await goodSetting()).authority.cert);
  return path;
}

/** The files of the server's certificate and its key. */
async function files(): Promise<{ cert: string; key: string }> {
  const { issued } = await goodSetting();
  const paths = { cert: pathTo('cert.pem'), key: pathTo('key.pem') };
  writeFileSync(paths.cert, issued.cert);
  writeFileSync(paths.key, issued.key);
  return paths;
}

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('node:tls', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'is served over %s, and hears the end',
    async (version) => {
      const { issued, authority } = await goodSetting();
      const context = TlsContext.server(issued);
      context.setMinProtocol('TLSv1.2');
      context.setAlpnProtocols(['h2', 'echo']);
      const { localPort: port = 0 } = await echoing(context);
      const client = node.connect({
        ...{ host, port, ca: authority.cert, servername: 'localhost' },
        ...{ minVersion: version, maxVersion: version, ALPNProtocols: ['echo', 'other'] },
      });
      await once(client, 'secureConnect');
      expect(client).toMatchObject({ authorized: true, alpnProtocol: 'echo' });
      expect(client.getProtocol()).toBe(version);
      const sent = Buffer.alloc(200_000, 'from node');
      client.end(sent);
      const chunks: Buffer[] = [];
      for await (const chunk of client) chunks.push(chunk as Buffer);
      expect(Buffer.concat(chunks).equals(sent)).toBe(true);
    },
  );

  it('is refused when it offers other protocols only', async () => {
    const { issued, authority } = await goodSetting();
    const context = TlsContext.server(issued);
    context.setAlpnProtocols(['h2']);
    const { localPort: port = 0 } = await echoing(context);
    const options = { host, port, ca: authority.cert, servername: 'localhost' };
    const client = node.connect({ ...options, ALPNProtocols: ['http/1.1'] });
    const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
    expect(error.message).toMatch(/no application protocol/);
  });

  it('serves, and is told who the client is', async () => {
    const { issued, authority } = await goodSetting();
    const own = await authority.issue({ names: ['a client'], usage: ['clientAuth'] });
    const names: unknown[] = [];
    const server = node.createServer(
      { ...issued, ca: authority.cert, requestCert: true, ALPNProtocols: ['echo'] },
      (socket) => {
        names.push(socket.getPeerCertificate().subject.CN);
        socket.pipe(socket);
      },
    );
    server.listen(0, host);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const context = TlsContext.client({ ...own, ca: authority.cert });
    context.setAlpnProtocols(['other', 'echo']);
    const client = closing(await connectTls({ host: 'localhost', port, context }));
    expect(client.alpnProtocol).toBe('echo');
    const sent = Buffer.alloc(200_000, 'to node');
    const all = client.sendAll(sent);
    expect((await client.recvAll(sent.length)).equals(sent)).toBe(true);
    await all;
    await client.end({ timeout: 10_000 });
    expect(names).toEqual(['a client']);
    server.close();
    await once(server, 'close');
  });

  it('is held to the protocols under a name of its own, too', async () => {
    const { issued, authority } = await goodSetting();
    const context = TlsContext.server(issued);
    context.addCertificate(
      'own.example.org',
      await authority.issue({ names: ['own.example.org'] }),
    );
    context.setAlpnProtocols(['h2']);
    const { localPort: port = 0 } = await echoing(context);
    const options = { host, port, ca: authority.cert, servername: 'own.example.org' };
    const good = node.connect({ ...options, ALPNProtocols: ['h2'] });
    await once(good, 'secureConnect');
    expect(good.alpnProtocol).toBe('h2');
    good.destroy();
    const other = node.connect({ ...options, ALPNProtocols: ['http/1.1'] });
    const [error] = (await once(other, 'error')) as [Error];
    expect(error.message).toMatch(/no application protocol/);
  });

  it('gets the certificate for the name that it asks for', async () => {
    const { issued, authority } = await goodSetting();
    const context = TlsContext.server(issued);
    context.addCertificate('*.example.org', await authority.issue({ names: ['*.example.org'] }));
    context.addCertificate(
      'own.example.org',
      await authority.issue({ names: ['own.example.org'] }),
    );
    const listener = await echoing(context);
    const nameFor = async (servername: string): Promise<unknown> => {
      const port = listener.localPort ?? 0;
      const ca = authority.cert;
      const client = node.connect({ host, port, ca, servername, rejectUnauthorized: false });
      await once(client, 'secureConnect');
      const { CN } = client.getPeerCertificate().subject;
      client.destroy();
      return CN;
    };
    expect(await nameFor('A.Example.ORG')).toBe('*.example.org');
    expect(await nameFor('own.example.org')).toBe('own.example.org');
    expect(await nameFor('a.b.example.org')).toBe('localhost');
    context.addCertificate('own.example.org', null);
    expect(await nameFor('own.example.org')).toBe('*.example.org');
  });
});

describeWithPeers(['openssl'], 'openssl', () => {
  it('s_client is served, verifies, and hears the end', async () => {
    const { server } = await goodSetting();
    const { localPort = 0 } = await echoing(server);
    const args = ['s_client', '-connect', `${host}:${localPort}`, '-CAfile', await trust()];
    const wishes = ['-verify_return_error', '-verify_hostname', 'localhost', '-quiet'];
    const client = await launch('openssl', [...args, ...wishes, '-servername', 'localhost']);
    client.stdin.write('from openssl\n');
    await until(5_000, () => client.stdout.includes('from openssl'));
    await client.stop();
  });

  it('s_server serves us, over TLS 1.2 too, and its certificate is verified', async () => {
    const { authority } = await goodSetting();
    const { cert, key } = await files();
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const flag = version === 'TLSv1.2' ? '-tls1_2' : '-tls1_3';
      const args = ['s_server', '-accept', `${host}:0`, '-cert', cert, '-key', key, '-rev', flag];
      const server = await launch('openssl', args, { ready: /ACCEPT \S+:(\d+)/ });
      const context = TlsContext.client({ ca: authority.cert });
      context.setMinProtocol('TLSv1.2');
      const port = Number(server.ready[1]);
      const client = closing(await connectTls({ host: 'localhost', port, context }));
      expect(client.version).toBe(version);
      await client.sendAll('reversed\n');
      expect((await client.recvAll(9)).toString()).toBe('desrever\n');
      client.close();
      await server.stop();
    }
  });
});

describeWithPeers(['curl'], 'curl', () => {
  it('speaks HTTPS to an http server of Node over our TLS', async () => {
    const listener = await greeting();
    const url = (path: string): string => `https://localhost:${listener.localPort}${path}`;
    const args = ['--silent', '--show-error', '--http1.1', '--cacert', await trust()];
    const client = await launch('curl', [...args, '--ipv4', url('/one'), url('/two')]);
    const { code, stdout, stderr } = await client.ended;
    expect({ code, stdout: stdout.toString(), stderr }).toEqual({
      code: 0,
      stdout: 'hello /onehello /two',
      stderr: '',
    });
  });
});

describeWithPeers(['gnutls-cli', 'gnutls-serv'], 'GnuTLS', () => {
  it('is served, and verifies', async () => {
    const { server } = await goodSetting();
    const { localPort } = await echoing(server);
    const args = ['--x509cafile', await trust(), '--port', String(localPort), 'localhost'];
    const client = await launch('gnutls-cli', args, { input: 'from gnutls\n' });
    const { code, stdout } = await client.ended;
    expect(stdout.toString()).toMatch(/- Status: The certificate is trusted/);
    expect(stdout.toString()).toMatch(/from gnutls/);
    expect(code).toBe(0);
  });

  it('serves us', async () => {
    const { authority } = await goodSetting();
    const { cert, key } = await files();
    const port = await freePort();
    const args = ['--echo', '--port', String(port), '--x509certfile', cert, '--x509keyfile', key];
    await launch('gnutls-serv', args, { ready: /listening on IPv4 .*\.\.\.done/ });
    const context = TlsContext.client({ ca: authority.cert });
    const client = closing(await connectTls({ host: 'localhost', port, context }));
    await client.sendAll('to gnutls\n');
    expect((await client.recvAll(10)).toString()).toBe('to gnutls\n');
  });

  it('is refused without a certificate where one is wanted', async () => {
    const { issued, authority } = await goodSetting();
    const context = TlsContext.server({ ...issued, ca: authority.cert });
    context.setVerifyMode(TlsVerifyMode.FailIfNoPeerCert);
    const listener = closing(listenTls({ host, context }));
    const accepting = failureOf(listener.accept());
    const args = ['--x509cafile', await trust(), '--port', String(listener.localPort), 'localhost'];
    const client = await launch('gnutls-cli', args, { input: 'anything\n' });
    const { code } = await client.ended;
    expect(code).not.toBe(0);
    listener.close();
    expect(await accepting).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
  });
});

describeWithPeers(['nginx'], 'nginx', () => {
  /** Runs it in a folder of its own. */
  async function run(port: number, location: string, more = ''): Promise<void> {
    const folder = pathTo('nginx');
    mkdirSync(folder);
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => {
      return `${name}_temp_path ${folder}/${name};`;
    });
    const config = `
      daemon off; master_process off; pid ${folder}/pid; error_log stderr notice;
      events {}
      http {
        access_log off;
        ${temporary.join('\n')}
        server { listen ${host}:${port} ${more}; location / { ${location} } }
      }`;
    writeFileSync(join(folder, 'nginx.conf'), config);
    const args = ['-p', folder, '-c', join(folder, 'nginx.conf')];
    await launch('nginx', args, { ready: /start worker process|using the "epoll"|OS:/ });
    await until(5_000, async () => {
      const socket = await connect({ host, port }).catch(() => null);
      socket?.close();
      return socket !== null;
    });
  }

  it('serves us', async () => {
    const { authority } = await goodSetting();
    const { cert, key } = await files();
    const port = await freePort();
    const tls = `ssl; ssl_protocols TLSv1.3; ssl_certificate ${cert}; ssl_certificate_key ${key}`;
    await run(port, 'return 200 "served by nginx\\n";', tls);
    const context = TlsContext.client({ ca: authority.cert });
    const client = closing(await connectTls({ host: 'localhost', port, context }));
    await client.sendAll('GET / HTTP/1.0\r\nhost: localhost\r\n\r\n');
    const chunks: Buffer[] = [];
    for await (const chunk of client) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1.1 200 OK[\s\S]*served by nginx\n$/);
  });

  it('is served, as a proxy that verifies', async () => {
    const listener = await greeting();
    const port = await freePort();
    const verify = `proxy_ssl_verify on; proxy_ssl_trusted_certificate ${await trust()};
      proxy_ssl_name localhost; proxy_ssl_server_name on; proxy_ssl_protocols TLSv1.3;`;
    await run(port, `proxy_pass https://${host}:${listener.localPort}; ${verify}`);
    const response = await fetch(`http://${host}:${port}/through`);
    expect(await response.text()).toBe('hello /through');
  });
});

describeWithPeers(['stunnel4'], 'stunnel', () => {
  async function run(service: string): Promise<void> {
    const config = pathTo('stunnel.conf');
    writeFileSync(config, `foreground = yes\npid =\n[one]\n${service}`);
    await launch('stunnel4', [config], { ready: /Configuration successful/ });
  }

  it('serves us, in front of a plain server', async () => {
    const { authority } = await goodSetting();
    const { cert, key } = await files();
    const plain = closing(listen({ host }));
    const port = await freePort();
    const target = `connect = ${host}:${plain.localPort}`;
    await run(`accept = ${host}:${port}\n${target}\ncert = ${cert}\nkey = ${key}\n`);
    const context = TlsContext.client({ ca: authority.cert });
    const client = closing(await connectTls({ host: 'localhost', port, context }));
    const far = closing(await plain.accept());
    await client.sendAll('hello');
    expect((await far.recvAll(5)).toString()).toBe('hello');
    const ending = far.end({ timeout: 10_000 });
    expect(await failureOf(client.recv())).toMatchObject({ code: 'ERR_SOCK_EOF' });
    await client.end({ timeout: 10_000 });
    await ending;
  });

  it('is served, behind a plain client', async () => {
    const { server } = await goodSetting();
    const { localPort } = await echoing(server);
    const port = await freePort();
    const verify = `CAfile = ${await trust()}\nverifyChain = yes\ncheckHost = localhost\n`;
    await run(`client = yes\naccept = ${host}:${port}\nconnect = ${host}:${localPort}\n${verify}`);
    const plain = closing(await connect({ host, port }));
    await plain.sendAll('hello');
    expect((await plain.recvAll(5)).toString()).toBe('hello');
    await plain.shutdown();
    expect(await failureOf(plain.recv())).toMatchObject({ code: 'ERR_SOCK_EOF' });
  });
});
