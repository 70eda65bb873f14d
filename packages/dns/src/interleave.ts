import type { Family } from './hostname.js';

export function familyOf(address: string): Family {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}

/**
 * RFC 8305, section 4: `count` addresses of the first family, then one of each in turn, so that a
 * family that does not work costs one delay and not one for each address it has. The order within a
 * family stays.
 */
export function interleave(
  addresses: readonly string[],
  first: Family | undefined,
  count: number,
): string[] {
  const [best] = addresses;
  if (best === undefined) return [];
  const isFirst = (address: string) => familyOf(address) === (first ?? familyOf(best));
  const own = addresses.filter(isFirst);
  const others = addresses.filter((address) => !isFirst(address));
  const mixed = own.splice(0, count);
  while (own.length > 0 || others.length > 0) {
    mixed.push(...others.splice(0, 1), ...own.splice(0, 1));
  }
  return mixed;
}
