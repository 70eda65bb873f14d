import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describeWithPeers } from '@sock/testing';

const addon =
  process.env.SOCK_NATIVE_PATH ??
  join(__dirname, '..', '..', '..', 'native', 'build', 'Release', 'sock_native.node');

/** Names that the addon wants from whoever loads it, with nm's letter: `w` may be missing. */
function wanted(): { letter: string; name: string }[] {
  const lines = execFileSync('nm', ['--dynamic', '--undefined-only', addon], { encoding: 'utf8' });
  return lines
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .map(([letter = '', name = '']) => ({ letter, name }));
}

describeWithPeers(['nm'], 'the addon', () => {
  it('loads where there is no OpenSSL: it insists on none of its functions', () => {
    const ofOpenSsl = wanted().filter(({ name }) => /^([A-Z][A-Z\d]+|d2i|i2d)_/.test(name));
    expect(ofOpenSsl.filter(({ name }) => name.startsWith('SSL_')).length).toBeGreaterThan(30);
    expect(ofOpenSsl.filter(({ letter }) => letter.toLowerCase() !== 'w')).toEqual([]);
  });

  it('brings no OpenSSL of its own', () => {
    const stdout = execFileSync('ldd', [addon], { encoding: 'utf8' });
    expect(stdout).not.toMatch(/libssl|libcrypto/);
  });
});
