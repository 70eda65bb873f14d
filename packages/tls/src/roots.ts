/** Whom clients trust unless told. */
import { existsSync } from 'node:fs';

/** Where systems keep the certificates of the authorities that they trust, in one file. */
const bundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

export interface Roots {
  /** PEM text. */
  readonly texts: readonly string[];
  /** Paths of files with PEM text. */
  readonly files: readonly string[];
}

/**
 * What `SSL_CERT_FILE` names, else the bundle of the system, else those that Node carries; and what
 * `NODE_EXTRA_CA_CERTS` names besides.
 */
export function systemRoots(env: NodeJS.ProcessEnv = process.env): Roots {
  const extra = [env.NODE_EXTRA_CA_CERTS].filter((path) => isFile(path));
  const file = [env.SSL_CERT_FILE, ...bundles].find((path) => isFile(path));
  if (file === undefined) {
    // Loaded where it is needed: it brings half of Node's network modules along.
    const { rootCertificates } = require('node:tls') as typeof import('node:tls');
    return { texts: rootCertificates, files: extra };
  }
  return { texts: [], files: [...new Set([file, ...extra])] };
}

function isFile(path: string | undefined): path is string {
  return path !== undefined && path !== '' && existsSync(path);
}
