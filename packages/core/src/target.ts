/** Where a socket may bind or connect to, checked against its family. */

import type { Family } from '@sock/native';
import { isIP, isIPv4 } from './ip.js';
import { checkHost, checkLiteral, checkPath, checkPort, invalidValue } from './validate.js';

/** A literal address with its port, or a Unix path. */
export type Target = { address: string; port: number } | { path: string };

export function checkAddress(host: string, family: Family): void {
  checkLiteral(host);
  if (family === (isIPv4(host) ? 'ipv4' : 'ipv6')) return;
  throw invalidValue('host', `must be an address of the socket's family, ${family}`, host);
}

/** A literal, or a name to be looked up. */
export function checkInetTarget(host: string, port: number, family: Family): void {
  checkHost(host);
  checkPort(port);
  if (family === 'unix') throw invalidValue('host', 'needs an inet socket', host);
  if (isIP(host) !== 0) checkAddress(host, family);
}

export function literalTarget(host: string, port: number | undefined, family: Family): Target {
  checkAddress(host, family);
  return { address: host, port: checkPort(port) };
}

export function unixTarget(path: string, family: Family): Target {
  checkPath(path);
  if (family !== 'unix') throw invalidValue('path', 'needs a Unix socket', path);
  return { path };
}
