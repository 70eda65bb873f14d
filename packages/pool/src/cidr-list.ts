/** Networks, of which it is quickly known whether an address lies in one. */
import { parseNetwork } from '@sock/core';
import { checkArray } from '@sock/native';
import { networkKey, type PeerAddress } from './network-key.js';

/** By the length of the prefix, so that a look takes as many steps as there are lengths. */
type Keys = Map<number, Set<string>>;

export class CidrList {
  /** As they were given. */
  readonly cidrs: readonly string[];
  readonly #ipv4: Keys = new Map();
  readonly #ipv6: Keys = new Map();

  constructor(name: string, cidrs: unknown) {
    const given = checkArray(name, cidrs, 'an array of networks');
    for (const [index, cidr] of given.entries()) {
      const { bytes, prefix } = parseNetwork(cidr, `${name}[${index}]`);
      const keys = bytes.length === 4 ? this.#ipv4 : this.#ipv6;
      const same = keys.get(prefix) ?? new Set();
      keys.set(prefix, same.add(networkKey(bytes, prefix)));
    }
    this.cidrs = Object.freeze(given as string[]);
  }

  get isEmpty(): boolean {
    return this.cidrs.length === 0;
  }

  /** As `cidrMatch`: a mapped address lies in networks of both families. */
  has({ bytes, family, mappedIpv4 }: PeerAddress): boolean {
    if (family === 'ipv4') return holds(this.#ipv4, bytes);
    return (
      holds(this.#ipv6, bytes) ||
      (mappedIpv4 !== undefined && holds(this.#ipv4, bytes.subarray(12)))
    );
  }
}

function holds(keys: Keys, bytes: Uint8Array): boolean {
  for (const [prefix, same] of keys) if (same.has(networkKey(bytes, prefix))) return true;
  return false;
}
