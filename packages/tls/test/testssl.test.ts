/**
 * What Debian's testssl finds in our server: its versions, and how it bears injected messages,
 * renegotiation and fallbacks.
 *
 * The other sections are left out, since each takes as long as these together. Some judge what is
 * not this package's: the certificate (-S), HTTP (-h, -B), simulated clients (-c). The others look
 * for ciphers and extensions that OpenSSL has no more, or that our list has not.
 */
import { readFileSync } from 'node:fs';
import { describeWithPeers, launch, useCleanup, useFolder } from '@sock/testing';
import { listenTls, TlsContext } from '@sock/tls';
import { goodSetting } from './support.js';

interface Finding {
  readonly id: string;
  readonly severity: string;
  readonly finding: string;
}

const sections = ['--protocols', '--ccs-injection', '--renegotiation', '--tls-fallback'];
/** Of the program itself, not of our server. */
const itsOwn = new Set(['engine_problem', 'service', 'pre_128cipher', 'scanTime']);
/** Hundreds of programs one after the other, on a machine that does other things. */
const limitMs = 300_000;

describeWithPeers(['testssl'], 'testssl', () => {
  const { add: closing } = useCleanup();
  const pathTo = useFolder();

  it(
    'finds nothing to object to in a server of both versions',
    async () => {
      const { issued } = await goodSetting();
      const context = TlsContext.server(issued);
      context.setMinProtocol('TLSv1.2');
      context.setAlpnProtocols(['http/1.1']);
      const listener = closing(listenTls({ host: '127.0.0.1', context }));
      void (async () => {
        for await (const socket of listener) {
          void (async () => {
            await socket.recv();
            await socket.sendAll(
              'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
            );
            await socket.end({ timeout: 5_000 });
          })().catch(() => socket.close());
        }
      })();
      const file = pathTo('findings.json');
      const quietly = ['--quiet', '--color', '0', '--warnings', 'batch', '--assume-http'];
      const nowhereElse = ['--nodns', 'none', '--ip', '127.0.0.1'];
      const args = [...quietly, ...nowhereElse, '--jsonfile', file, ...sections];
      const target = `localhost:${listener.localPort}`;
      const { code } = await (await launch('testssl', [...args, target], { input: '' })).ended;
      expect(code).toBe(0);
      const findings = JSON.parse(readFileSync(file, 'utf8')) as Finding[];
      const said = findings
        .filter(({ id }) => !itsOwn.has(id))
        .map(({ id, severity, finding }) => `${id}: ${severity}, ${finding}`);
      expect(said).toEqual([
        'SSLv2: OK, not offered',
        'SSLv3: OK, not offered',
        'TLS1: INFO, not offered',
        'TLS1_1: INFO, not offered',
        'TLS1_2: OK, offered',
        'TLS1_3: OK, offered with final',
        'NPN: INFO, not offered',
        'ALPN: INFO, http/1.1',
        'CCS: OK, not vulnerable',
        'secure_renego: OK, supported',
        'secure_client_renego: OK, not vulnerable',
        'fallback_SCSV: OK, no protocol below TLS 1.2 offered',
      ]);
    },
    limitMs,
  );
});
