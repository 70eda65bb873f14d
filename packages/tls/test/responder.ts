/** What an authority's responder says of a certificate (OCSP): openssl's word, in DER. */
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import type { Authority, Issued } from '@sock/testing/authority';

/** `V` for valid, `R` for revoked, nothing: unknown to it. */
export type OcspState = 'V' | 'R' | '';

/** Signed by the authority itself; good for a day. Its files are in a folder of the test. */
export async function ocspResponse(
  authority: Authority,
  { cert }: Issued,
  state: OcspState,
  pathTo: (name: string) => string,
): Promise<Uint8Array> {
  const [root, key, leaf, index, out] = ['root', 'key', 'leaf', 'index', 'out'].map(pathTo);
  const { serialNumber } = new X509Certificate(cert);
  const revoked = state === 'R' ? '250101000000Z,keyCompromise' : '';
  const entry = `${state}\t351231000000Z\t${revoked}\t${serialNumber}\tunknown\t/CN=localhost\n`;
  writeFileSync(String(root), authority.cert);
  writeFileSync(String(key), await authority.key());
  writeFileSync(String(leaf), cert);
  writeFileSync(String(index), state === '' ? '' : entry);
  execFileSync(
    'openssl',
    ['ocsp', '-index', index, '-CA', root, '-rsigner', root, '-rkey', key, '-issuer', root]
      .concat(['-cert', leaf, '-respout', out, '-ndays', '1', '-noverify'])
      .map(String),
    { env: { PATH: process.env.PATH }, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  return readFileSync(String(out));
}
