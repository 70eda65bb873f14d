import type { OperationOptions, ResolvedAddress } from '@sock/core';
import {
  checkBoolean,
  checkInteger,
  checkOptions,
  checkSetting,
  checkSignal,
  checkTime,
  invalidType,
} from '@sock/native';
import type { AddressMemory } from './address-memory.js';

/** What looks names up for a race: a {@link Resolver}, or anything with its `resolve`. */
export interface RaceResolver {
  /** As {@link Resolver.resolve}; asked once for each family. */
  resolve(
    host: string,
    port: number,
    options: { family: 'ipv4' | 'ipv6'; signal: AbortSignal },
  ): Promise<ResolvedAddress[]>;
}

/** How a race is run. Times are in milliseconds. */
export interface HappyEyeballsConfig extends OperationOptions {
  /**
   * How long after an attempt began the next one may, unless that one fails before: 10 to 2,000.
   * Default 250. RFC 8305 section 5 calls it Connection Attempt Delay.
   */
  firstAttemptDelay?: number | undefined;
  /** The time for each attempt, more than 0; `Infinity`: none of its own. Default 5,000. */
  attemptTimeout?: number | undefined;
  /**
   * The time for all of it, the lookups included, more than 0. Default 30,000; `Infinity`: no
   * limit. Where `timeout` is given too, the shorter of the two counts; the default counts only
   * without.
   */
  totalTimeout?: number | undefined;
  /**
   * How long an answer of the other family waits for the preferred one's: 0 to 2,000. Default 50.
   * RFC 8305 section 3.
   */
  resolutionDelay?: number | undefined;
  /**
   * Which family begins: `true` IPv6, `false` IPv4, `undefined` the one that RFC 6724 puts first
   * among the addresses known when the race begins, which is IPv6 wherever it works. The answer for
   * IPv4, or with `false` the one for IPv6, waits for the other's.
   */
  preferIpv6?: boolean | undefined;
  /** How many addresses of that family begin, before they take turns: 1 to 100. Default 1. */
  firstFamilyCount?: number | undefined;
  /** How many addresses are tried at most, 1 or more. Default `Infinity`: every one. */
  maxAttempts?: number | undefined;
  /** Looks the name up. Default: a resolver that all races of this thread share. */
  resolver?: RaceResolver | undefined;
  /** Remembers what worked, and how fast it was. Default: nothing is remembered. */
  memory?: AddressMemory | undefined;
}

/** The default values of {@link HappyEyeballsConfig}. */
export interface HappyEyeballsDefaults {
  /** 250. */
  readonly firstAttemptDelay: number;
  /** 5,000. */
  readonly attemptTimeout: number;
  /** 30,000. */
  readonly totalTimeout: number;
  /** 50. */
  readonly resolutionDelay: number;
  /** 1. */
  readonly firstFamilyCount: number;
  /** `Infinity`. */
  readonly maxAttempts: number;
}

export const defaults: HappyEyeballsDefaults = Object.freeze({
  firstAttemptDelay: 250,
  attemptTimeout: 5_000,
  totalTimeout: 30_000,
  resolutionDelay: 50,
  firstFamilyCount: 1,
  maxAttempts: Number.POSITIVE_INFINITY,
});

/** RFC 8305, section 5: it must not be below 10 ms, and is recommended not to exceed 2 s. */
export const delayMinMs = 10;
export const delayMaxMs = 2_000;

const known = [
  'firstAttemptDelay',
  'attemptTimeout',
  'totalTimeout',
  'resolutionDelay',
  'preferIpv6',
  'firstFamilyCount',
  'maxAttempts',
  'resolver',
  'memory',
  'timeout',
  'signal',
] as const;

export interface CheckedConfig {
  readonly attemptDelayMs: number;
  readonly attemptTimeoutMs: number;
  readonly totalTimeoutMs: number;
  readonly resolutionDelayMs: number;
  readonly first: 'ipv4' | 'ipv6' | undefined;
  readonly firstFamilyCount: number;
  readonly attemptsMax: number;
  readonly resolver: RaceResolver | undefined;
  readonly memory: AddressMemory | undefined;
  readonly signal: AbortSignal | undefined;
}

/** `timeout` is of this call and may be 0; `totalTimeout` is a setting. */
function totalOf({ timeout, totalTimeout }: Partial<HappyEyeballsConfig>): number {
  const settingMs = checkSetting('config.totalTimeout', totalTimeout ?? defaults.totalTimeout);
  if (timeout === undefined) return settingMs;
  const callMs = checkTime('config.timeout', timeout, 0);
  return totalTimeout === undefined ? callMs : Math.min(callMs, settingMs);
}

function familyFor(preferIpv6: unknown): 'ipv4' | 'ipv6' | undefined {
  if (preferIpv6 === undefined) return undefined;
  return checkBoolean('config.preferIpv6', preferIpv6) ? 'ipv6' : 'ipv4';
}

function checkResolver(value: RaceResolver | undefined): RaceResolver | undefined {
  if (value === undefined || typeof value?.resolve === 'function') return value;
  throw invalidType('config.resolver', 'a Resolver', value);
}

function checkMemory(value: AddressMemory | undefined): AddressMemory | undefined {
  if (value === undefined || typeof value?.roundTrip === 'function') return value;
  throw invalidType('config.memory', 'an AddressMemory', value);
}

/** Which options a form of the race does not have. */
const excluded = {
  promise: [],
  'by hand': ['resolver'],
  blocking: ['signal'],
} as const satisfies Record<string, readonly (keyof HappyEyeballsConfig)[]>;

export function checkConfig(
  value: unknown,
  form: keyof typeof excluded = 'promise',
): CheckedConfig {
  const none: readonly string[] = excluded[form];
  const allowed = known.filter((name) => !none.includes(name));
  const given = checkOptions<HappyEyeballsConfig>(value, allowed, 'config');
  const delay = given.firstAttemptDelay ?? defaults.firstAttemptDelay;
  const attemptTimeout = given.attemptTimeout ?? defaults.attemptTimeout;
  const resolutionDelay = given.resolutionDelay ?? defaults.resolutionDelay;
  const count = given.firstFamilyCount ?? defaults.firstFamilyCount;
  const attempts = given.maxAttempts ?? defaults.maxAttempts;
  return {
    attemptDelayMs: checkInteger('config.firstAttemptDelay', delay, delayMinMs, delayMaxMs),
    attemptTimeoutMs: checkSetting('config.attemptTimeout', attemptTimeout),
    totalTimeoutMs: totalOf(given),
    resolutionDelayMs: checkInteger('config.resolutionDelay', resolutionDelay, 0, delayMaxMs),
    first: familyFor(given.preferIpv6),
    firstFamilyCount: checkInteger('config.firstFamilyCount', count, 1, 100),
    attemptsMax:
      attempts === defaults.maxAttempts
        ? attempts
        : checkInteger('config.maxAttempts', attempts, 1, 2 ** 31 - 1),
    resolver: checkResolver(given.resolver),
    memory: checkMemory(given.memory),
    signal: checkSignal(given.signal),
  };
}
