import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What the key of a server is, as the openssl command wants it. */
const KEYS = {
  p256: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  rsa4096: ['-newkey', 'rsa:4096'],
} as const;

export type KeyKind = keyof typeof KEYS;

const files = new Map<KeyKind, string>();

/** A PEM file with a key and a certificate that it has signed itself; goes with the process. */
export function identityFile(kind: KeyKind): string {
  const known = files.get(kind);
  if (known !== undefined) return known;
  const folder = mkdtempSync(join(tmpdir(), 'sock-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true }));
  const key = join(folder, 'key.pem');
  const cert = join(folder, 'cert.pem');
  const paths = ['-keyout', key, '-out', cert];
  const request = ['req', '-x509', ...KEYS[kind], '-nodes', '-subj', '/CN=localhost', ...paths];
  const { status, stderr, error } = spawnSync('openssl', request, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl made no certificate: ${error?.message ?? stderr}`);
  const path = join(folder, 'identity.pem');
  writeFileSync(path, readFileSync(key, 'utf8') + readFileSync(cert, 'utf8'), { mode: 0o600 });
  files.set(kind, path);
  return path;
}
