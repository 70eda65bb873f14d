import { runScript } from '@sock/testing';
import { Authority } from '@sock/testing/authority';
import { bodyOf } from './example.js';

describe('of TLS, the example', () => {
  it('tls is answered, and knows by what version', async () => {
    const authority = await Authority.create();
    const { cert, key } = await authority.issue();
    const { code, stdout, stderr, leakedSockets } = await runScript(bodyOf('tls'), {
      env: { CERT: cert, KEY: key, CA: authority.cert },
    });
    expect({ code, stderr, leakedSockets }).toEqual({ code: 0, stderr: '', leakedSockets: 0 });
    expect(stdout).toBe('TLSv1.3 you said "hello"\n');
  });
});
