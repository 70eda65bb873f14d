/** Who may come in: by address, and by how many came before. */
import { RateLimiter } from '@sock/core';
import { checkInteger, checkObject } from '@sock/native';
import { CidrList } from './cidr-list.js';
import { IpTracker } from './ip-tracker.js';
import type { PeerAddress } from './network-key.js';
import type { StoreLimits } from './store-limits.js';

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
  /** Where limits are shared with other processes. */
  store: StoreLimits | null = null;

  constructor(limiter: RateLimiter | undefined, perIp: IpTracker | undefined) {
    this.limiter = limiter ?? null;
    this.perIp = perIp ?? new IpTracker(Number.POSITIVE_INFINITY, { uniqueMax: 2 ** 20 });
  }

  /** What keeps it out, or null: it is counted then, until {@link release}. */
  admit(ip: PeerAddress | undefined): AdmissionRefusal | null {
    if (this.#isDenied(ip)) return 'denied';
    if (this.store !== null && !this.store.isUp) this.store.localDecisions++;
    if (ip !== undefined && !this.track(ip)) return 'per-ip';
    const refused = this.#trackPrefixes(ip);
    if (refused !== null) return refused;
    // Last, so that no token is spent on somebody who is not let in.
    if (this.#takeToken()) return null;
    this.release(ip);
    return 'rate';
  }

  release(ip: PeerAddress | undefined): void {
    if (ip === undefined) return;
    this.untrack(ip);
    for (const { tracker } of this.#trackersOf(ip)) tracker.releaseAddress(ip);
  }

  /** Counts one more of an address, here and in the store, unless it has as many as it may. */
  track(ip: PeerAddress): boolean {
    if (!this.perIp.trackAddress(ip)) return false;
    if (this.store?.enter(this.perIp.networkOf(ip), this.perIp.max) ?? true) return true;
    this.perIp.releaseAddress(ip);
    return false;
  }

  untrack(ip: PeerAddress): void {
    this.perIp.releaseAddress(ip);
    this.store?.leave(this.perIp.networkOf(ip));
  }

  /** From now on limits are shared there, those who are here included; null: they are not. */
  setStore(store: StoreLimits | null, present: Iterable<PeerAddress | undefined>): void {
    void this.store?.close();
    this.store = store;
    if (store === null) return;
    for (const ip of present) if (ip !== undefined) store.add(this.perIp.networkOf(ip));
  }

  /** What {@link admit} would find, counting nothing. */
  refusalOf(ip: PeerAddress | undefined): AdmissionRefusal | null {
    if (this.#isDenied(ip)) return 'denied';
    if (ip !== undefined) {
      if (!this.#hasRoom(ip)) return 'per-ip';
      for (const { tracker } of this.#trackersOf(ip)) {
        if (!tracker.hasRoomFor(ip)) return 'per-prefix';
      }
    }
    return this.#hasToken() ? null : 'rate';
  }

  /** As {@link refusalOf}, of one that is here, and is let go if there is something. */
  turnAway(ip: PeerAddress | undefined): AdmissionRefusal | null {
    const reason = this.refusalOf(ip);
    if (reason === null || reason === 'denied') return reason;
    if (this.store !== null && !this.store.isUp) this.store.localDecisions++;
    return reason;
  }

  setRate(perSecond: number, burst: number | undefined): void {
    if (perSecond === Number.POSITIVE_INFINITY) this.limiter = null;
    else if (this.limiter === null) this.limiter = new RateLimiter(perSecond, burst);
    else this.limiter.configure(perSecond, burst ?? Math.max(1, Math.ceil(perSecond)));
  }

  /** Those who are there count in the new networks, even where they are too many. */
  setPrefixLimits(limits: PrefixLimits, present: Iterable<PeerAddress | undefined>): void {
    const { ipv4, ipv6 } = checkObject<PrefixLimits>('limits', limits);
    this.#prefixes = [...checkPrefixLimit('ipv4', ipv4), ...checkPrefixLimit('ipv6', ipv6)];
    for (const { tracker, family } of this.#prefixes) {
      const { max } = tracker;
      tracker.max = Number.POSITIVE_INFINITY;
      for (const ip of present) {
        if (ip !== undefined && familyOf(ip) === family) tracker.trackAddress(ip);
      }
      tracker.max = max;
    }
  }

  #takeToken(): boolean {
    return this.store?.takeToken() ?? (this.limiter === null || this.limiter.tryAcquire());
  }

  #hasToken(): boolean {
    return this.store?.hasToken() ?? (this.limiter === null || this.limiter.available >= 1);
  }

  #hasRoom(ip: PeerAddress): boolean {
    if (!this.perIp.hasRoomFor(ip)) return false;
    return this.store?.hasRoom(this.perIp.networkOf(ip), this.perIp.max) ?? true;
  }

  #trackersOf(ip: PeerAddress): PrefixTracker[] {
    if (this.#prefixes.length === 0) return this.#prefixes;
    const family = familyOf(ip);
    return this.#prefixes.filter((prefix) => prefix.family === family);
  }

  #trackPrefixes(ip: PeerAddress | undefined): AdmissionRefusal | null {
    if (ip === undefined) return null;
    for (const { tracker } of this.#trackersOf(ip)) {
      if (tracker.trackAddress(ip)) continue;
      // There is one of a family.
      this.untrack(ip);
      return 'per-prefix';
    }
    return null;
  }

  #isDenied(ip: PeerAddress | undefined): boolean {
    if (this.allow.isEmpty && this.deny.isEmpty) return false;
    if (ip === undefined) return !this.allow.isEmpty;
    return this.deny.has(ip) || !(this.allow.isEmpty || this.allow.has(ip));
  }
}

function familyOf({ family, mappedIpv4 }: PeerAddress): 'ipv4' | 'ipv6' {
  return mappedIpv4 === undefined ? family : 'ipv4';
}
