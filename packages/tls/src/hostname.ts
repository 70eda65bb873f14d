/** Names of hosts, as they are sent to servers and found in certificates. */
import { domainToASCII } from 'node:url';
import { binding, invalidType, invalidValue } from '@sock/native';

const hostnameMax = 253;
/** RFC 1123, 2.1: letters, digits and hyphens, not at either end, at most 63 of them. */
const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

export interface CheckedHostname {
  readonly name: string;
  readonly isAddress: boolean;
}

/** In lower case and in ASCII; an address stays what it is. */
export function checkHostname(argument: string, value: unknown): CheckedHostname {
  if (typeof value !== 'string') throw invalidType(argument, 'a string', value);
  if (binding.addressFamily(value) !== 0) return { name: value, isAddress: true };
  const name = domainToASCII(value).replace(/\.$/, '');
  if (!isName(name)) throw invalidValue(argument, 'must be a host name or an address', value);
  return { name, isAddress: false };
}

/** A name that a certificate is for, perhaps with `*` in place of the first label. */
export function checkCertificateName(argument: string, value: unknown): string {
  if (typeof value !== 'string') throw invalidType(argument, 'a string', value);
  const isWildcard = value.startsWith('*.');
  const name = domainToASCII(isWildcard ? value.slice(2) : value);
  if (!isName(name) || (isWildcard && !name.includes('.'))) {
    const wanted = 'must be a host name, or "*." and one of at least two labels';
    throw invalidValue(argument, wanted, value);
  }
  return isWildcard ? `*.${name}` : name;
}

function isName(name: string): boolean {
  if (name.length === 0 || name.length > hostnameMax) return false;
  return name.split('.').every((part) => label.test(part));
}
