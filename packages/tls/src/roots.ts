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
  /** Where OpenSSL looks for files by the hash of a name. */
  readonly directories: readonly string[];
}

export const noRoots: Roots = { texts: [], files: [], directories: [] };

/**
 * What `SSL_CERT_FILE` and `SSL_CERT_DIR` name, else the bundle of the system, else those that Node
 * carries; and what `NODE_EXTRA_CA_CERTS` names besides.
 *
 * @see SSL_CTX_set_default_verify_paths(3) for the two variables
 */
export function systemRoots(env: NodeJS.ProcessEnv = process.env): Roots {
  const extra = existing([env.NODE_EXTRA_CA_CERTS]);
  const directories = existing(env.SSL_CERT_DIR?.split(':') ?? []);
  const chosen = existing([env.SSL_CERT_FILE]);
  const files = chosen.length + directories.length > 0 ? chosen : existing(bundles).slice(0, 1);
  if (files.length + directories.length > 0) {
    return { texts: [], files: [...new Set([...files, ...extra])], directories };
  }
  // Loaded where it is needed: it brings half of Node's network modules along.
  const { rootCertificates } = require('node:tls') as typeof import('node:tls');
  return { texts: rootCertificates, files: extra, directories };
}

function existing(paths: readonly (string | undefined)[]): string[] {
  return paths.filter((path): path is string => path !== undefined && existsSync(path));
}
