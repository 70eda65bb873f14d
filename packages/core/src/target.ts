/** Where a socket may bind or connect to, checked against its family. */

import type { Family } from '@sock/native';
import {
  checkArray,
  checkHost,
  checkInteger,
  checkLiteral,
  checkObject,
  checkPath,
  checkPort,
  invalidValue,
} from '@sock/native';
import { SocketError } from './errors.js';
import { isIP, isIPv4 } from './ip.js';

/** A literal address with its port. */
export type InetTarget = { address: string; port: number };

/** Where to connect: an address, or a Unix path. */
export type Target = InetTarget | { path: string };

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

/** An address of a host, found by a name lookup: where one can connect to. */
export interface ResolvedAddress {
  /** A literal IPv4 or IPv6 address. */
  address: string;
  /** 0 to 65,535. */
  port: number;
  /** Of the address. */
  family: 'ipv4' | 'ipv6';
}

/** The addresses as targets, whatever their family. */
export function checkResolved(addresses: unknown, family: Family): InetTarget[] {
  const entries = checkArray('addresses', addresses, 'an array of addresses');
  if (entries.length === 0) throw invalidValue('addresses', 'must not be empty', addresses);
  if (family === 'unix') throw invalidValue('addresses', 'need an inet socket', addresses);
  return entries.map((value, index) => {
    const name = `addresses[${index}]`;
    const { address, port } = checkObject<ResolvedAddress>(name, value);
    return {
      address: checkLiteral(address, `${name}.address`),
      port: checkInteger(`${name}.port`, port, 0, 65535),
    };
  });
}

/** Those that a socket of the family can reach, at least one. */
export function ofFamily(targets: readonly InetTarget[], family: Family): InetTarget[] {
  const own = targets.filter(({ address }) => family === (isIPv4(address) ? 'ipv4' : 'ipv6'));
  if (own.length > 0) return own;
  const code = 'EAFNOSUPPORT';
  throw new SocketError(`connect ${code}: none of the addresses is of family ${family}`, {
    code,
    syscall: 'connect',
    ...targets[0],
  });
}

export function unixTarget(path: string, family: Family): Target {
  checkPath(path);
  if (family !== 'unix') throw invalidValue('path', 'needs a Unix socket', path);
  return { path };
}
