/** A certificate of a test's own. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** For localhost, signed by itself. Needs the peer 'openssl'. */
export function makeCertificate(pathTo: (name: string) => string): { key: Buffer; cert: Buffer } {
  const [key, cert] = [pathTo('key.pem'), pathTo('cert.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const files = ['-keyout', key, '-out', cert, '-days', '2'];
  execFileSync('openssl', ['req', '-x509', ...curve, ...subject, ...files], { stdio: 'ignore' });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}
