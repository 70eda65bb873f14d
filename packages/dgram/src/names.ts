/** Host names of one socket: each is looked up once, in the socket's family, and kept. */
import { resolveHost, resolveHostSync } from '@sock/core';
import {
  binding,
  checkHost,
  checkPort,
  type Family,
  invalidValue,
  type Limits,
} from '@sock/native';
import { checkAddress, isKnown } from './addresses.js';
import type { Target } from './outgoing.js';

type InetFamily = Exclude<Family, 'unix'>;

export class Names {
  private readonly family: Family;
  private readonly found = new Map<string, string>();

  constructor(family: Family) {
    this.family = family;
  }

  /** The target, if its host is a literal, or a name that was looked up before. */
  find(host: unknown, port: unknown): Target | undefined {
    const { family } = this;
    if (family === 'unix') throw invalidValue('host', 'needs an inet socket', host);
    checkPort(port);
    const target = port as number;
    if (isKnown(host, family)) return { address: host, port: target };
    const text = checkHost(host);
    if (binding.addressFamily(text) !== 0) {
      return { address: checkAddress(text, family, 'host'), port: target };
    }
    const address = this.found.get(text);
    return address === undefined ? undefined : { address, port: target };
  }

  /** Looks the name up; whoever asks at the same time asks as well, and gets the same. */
  async resolve(host: string, port: number, limits: Limits): Promise<Target> {
    const [address] = await resolveHost(host, this.family as InetFamily, limits);
    return this.keep(host, address as string, port);
  }

  resolveSync(host: string, port: number, timeoutMs: number): Target {
    const [address] = resolveHostSync(host, this.family as InetFamily, timeoutMs);
    return this.keep(host, address as string, port);
  }

  private keep(host: string, address: string, port: number): Target {
    // The first answer is the one that stays, whoever brought another one meanwhile.
    const kept = this.found.get(host) ?? address;
    this.found.set(host, kept);
    return { address: kept, port };
  }
}
