import { writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { runScript, startScript, stopPeers, useFolder } from '@sock/testing';
import { Authority } from '@sock/testing/authority';
import { bodyOf, expectOutput } from './example.js';

describe('of TLS, the example', () => {
  let authority: Authority;
  let env: Record<string, string>;
  const inFolder = useFolder();

  beforeAll(async () => {
    authority = await Authority.create();
    const { cert, key } = await authority.issue();
    const own = await authority.issue({ names: ['billing'], usage: ['clientAuth'] });
    env = { CERT: cert, KEY: key, CA: authority.cert, OWN_CERT: own.cert, OWN_KEY: own.key };
  });
  afterEach(stopPeers);

  it('tls is answered, and knows by what version', async () => {
    expectOutput(await runScript(bodyOf('tls'), { env }), ['TLSv1.3 you said "hello"']);
  });

  it('mutual-tls shows each side who the other is', async () => {
    const told = ['CN=billing talks to CN=localhost'];
    expectOutput(await runScript(bodyOf('mutual-tls'), { env }), told);
  });

  it('certificate-rotation shows another certificate, and fails nobody', async () => {
    const next = await authority.issue();
    const contents = {
      'tls.crt': env.CERT,
      'tls.key': env.KEY,
      'next.crt': next.cert,
      'next.key': next.key,
    };
    for (const [name, text] of Object.entries(contents)) writeFileSync(inFolder(name), text ?? '');
    const result = await runScript(bodyOf('certificate-rotation'), {
      env: { ...env, FOLDER: inFolder('') },
    });
    expectOutput(result, ['another certificate is shown, and no request has failed']);
  });

  it('https-server gives its pages to a client of Node', async () => {
    const server = await startScript(bodyOf('https-server'), {
      env: { ...env, PORT: '0' },
      ready: /listening on port (\d+)/,
    });
    const url = `https://localhost:${server.ready[1]}/page`;
    const page = new Promise<string>((resolve, reject) => {
      const request = get(url, { ca: authority.cert, family: 4, agent: false }, (response) => {
        response.setEncoding('utf8').once('data', resolve);
      });
      request.once('error', reject);
    });
    expect(await page).toBe('hello /page\n');
  });
});
