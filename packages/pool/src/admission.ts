/** Who may come in: by address, and by how many came before. */
import { RateLimiter } from '@sock/core';
import { checkInteger, checkObject } from '@sock/native';
import { CidrList } from './cidr-list.js';
import { IpTracker } from './ip-tracker.js';
import { checkIp } from './network-key.js';

/** How many connections a network of that size may have. */
export interface PrefixLimit {
  /** First bits that its addresses have in common: 1 to 32 for IPv4, 1 to 128 for IPv6. */
  prefix: number;
  /** The most connections of all of them: an integer from 1 to 2^31−1. */
  max: number;
}

/** Limits for networks; a family that is not there has none. */
export interface PrefixLimits {
  /** For IPv4, and IPv4-mapped addresses. */
  ipv4?: PrefixLimit | undefined;
  /** For IPv6. */
  ipv6?: PrefixLimit | undefined;
}

/** Why an address, or a rate, does not let a connection in. */
export type AdmissionRefusal = 'denied' | 'per-ip' | 'per-prefix' | 'rate';

interface PrefixTracker {
  readonly family: 'ipv4' | 'ipv6';
  readonly tracker: IpTracker;
}

function checkPrefixLimit(
  family: 'ipv4' | 'ipv6',
  value: PrefixLimit | undefined,
): PrefixTracker[] {
  if (value === undefined) return [];
  const { prefix, max } = checkObject<PrefixLimit>(`limits.${family}`, value);
  const bits = checkInteger(`limits.${family}.prefix`, prefix, 1, family === 'ipv4' ? 32 : 128);
  const most = checkInteger(`limits.${family}.max`, max, 1, 2 ** 31 - 1);
  const size = family === 'ipv4' ? { ipv4Prefix: bits } : { ipv6Prefix: bits };
  return [{ family, tracker: new IpTracker(most, { ...size, uniqueMax: 2 ** 20 }) }];
}

export class Admission {
  limiter: RateLimiter | null;
  readonly perIp: IpTracker;
  #prefixes: PrefixTracker[] = [];
  allow = new CidrList('allow', []);
  deny = new CidrList('deny', []);

  constructor(limiter: RateLimiter | undefined, perIp: IpTracker | undefined) {
    this.limiter = limiter ?? null;
    this.perIp = perIp ?? new IpTracker(Number.POSITIVE_INFINITY, { uniqueMax: 2 ** 20 });
  }

  /** What keeps it out, or null: it is counted then, until {@link release}. */
  admit(ip: string | undefined): AdmissionRefusal | null {
    if (this.#isDenied(ip)) return 'denied';
    if (!this.perIp.track(ip)) return 'per-ip';
    const refused = this.#trackPrefixes(ip);
    if (refused !== null) return refused;
    // Last, so that no token is spent on somebody who is not let in.
    if (this.limiter === null || this.limiter.tryAcquire()) return null;
    this.release(ip);
    return 'rate';
  }

  release(ip: string | undefined): void {
    this.perIp.release(ip);
    for (const { tracker } of this.#trackersOf(ip)) tracker.release(ip);
  }

  /** As {@link admit} would find, counting nothing. */
  wouldAdmit(ip: string | undefined): boolean {
    return (
      !this.#isDenied(ip) &&
      this.perIp.count(ip) < this.perIp.max &&
      this.#trackersOf(ip).every(({ tracker }) => tracker.count(ip) < tracker.max) &&
      (this.limiter === null || this.limiter.available >= 1)
    );
  }

  setRate(perSecond: number, burst: number | undefined): void {
    if (perSecond === Number.POSITIVE_INFINITY) this.limiter = null;
    else if (this.limiter === null) this.limiter = new RateLimiter(perSecond, burst);
    else this.limiter.configure(perSecond, burst ?? Math.max(1, Math.ceil(perSecond)));
  }

  /** Those who are there count in the new networks, even where they are too many. */
  setPrefixLimits(limits: PrefixLimits, present: Iterable<string | undefined>): void {
    const { ipv4, ipv6 } = checkObject<PrefixLimits>('limits', limits);
    this.#prefixes = [...checkPrefixLimit('ipv4', ipv4), ...checkPrefixLimit('ipv6', ipv6)];
    for (const { tracker, family } of this.#prefixes) {
      const { max } = tracker;
      tracker.max = Number.POSITIVE_INFINITY;
      for (const ip of present) if (familyOf(ip) === family) tracker.track(ip);
      tracker.max = max;
    }
  }

  #trackersOf(ip: string | undefined): PrefixTracker[] {
    if (this.#prefixes.length === 0) return this.#prefixes;
    const family = familyOf(ip);
    return this.#prefixes.filter((prefix) => prefix.family === family);
  }

  #trackPrefixes(ip: string | undefined): AdmissionRefusal | null {
    for (const { tracker } of this.#trackersOf(ip)) {
      if (tracker.track(ip)) continue;
      // There is one of a family.
      this.perIp.release(ip);
      return 'per-prefix';
    }
    return null;
  }

  #isDenied(ip: string | undefined): boolean {
    if (this.allow.isEmpty && this.deny.isEmpty) return false;
    if (ip === undefined) return !this.allow.isEmpty;
    const address = checkIp('ip', ip);
    return this.deny.has(address) || !(this.allow.isEmpty || this.allow.has(address));
  }
}

function familyOf(ip: string | undefined): 'ipv4' | 'ipv6' | undefined {
  if (ip === undefined) return undefined;
  const { family, mappedIpv4 } = checkIp('ip', ip);
  return mappedIpv4 === undefined ? family : 'ipv4';
}
