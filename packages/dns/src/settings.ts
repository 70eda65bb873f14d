/** Options of a resolver, checked. */
import {
  binding,
  checkArray,
  checkInteger,
  checkOneOf,
  checkOptions,
  checkSetting,
  checkTime,
  invalidType,
  invalidValue,
} from '@sock/native';
import type { CacheLimits } from './cache.js';

/** What answers are kept for, and how long. */
export interface CacheOptions {
  /** How many answers and failures, 1 to 1,000,000; the least recently used go. Default 1,000. */
  max?: number | undefined;
  /**
   * Milliseconds for which an answer is kept, more than 0. Default 30,000; `Infinity`: for as long
   * as the resolver lives. With the c-ares engine answers are kept for the time that the name
   * server says, and this is the most.
   */
  ttl?: number | undefined;
  /**
   * Milliseconds for which it is kept that there is no such name (`ENOTFOUND`, `ENODATA`). Default
   * 5,000; 0 keeps none. Other failures are never kept.
   */
  negativeTtl?: number | undefined;
  /**
   * Milliseconds for which an answer whose time is over may still be given, when a new one cannot
   * be had: the name server fails, the queue is full, or the caller's time is over. Default 0: not
   * at all. A name that is said not to exist any more is not answered so. See RFC 8767.
   */
  staleIfError?: number | undefined;
}

/** How a resolver works. */
export interface ResolverOptions {
  /**
   * `'system'`, the default: getaddrinfo(3) on threads of the resolver's own, with the hosts file,
   * nsswitch.conf(5) and search domains. `'c-ares'`: Node's own, which asks name servers only, can
   * be told which, and knows how long answers hold and about services.
   */
  engine?: 'system' | 'c-ares' | undefined;
  /** Lookups that run at a time, 1 to 256. Default 4. For the system engine. */
  threads?: number | undefined;
  /**
   * Threads there may be, those included that hang in a lookup nobody waits for any more; from
   * `threads` to 256. Default 16, or `threads` if that is more. For the system engine.
   */
  threadsMax?: number | undefined;
  /**
   * Lookups that may wait for a thread, 1 to 1,000,000; with c-ares, that may be under way. Default
   * 1,000. More are refused with `ERR_SOCK_QUEUE_FULL`.
   */
  maxPending?: number | undefined;
  /**
   * Milliseconds for a lookup that brings no limit of its own, more than 0 and up to 2^31−1,
   * counted from the call. Default 5,000; `Infinity`: no limit.
   */
  timeout?: number | undefined;
  /**
   * Name servers for the c-ares engine: literal addresses, with `:port` where it is not 53 (an IPv6
   * address in brackets then). Default: those of resolv.conf(5).
   */
  servers?: readonly string[] | undefined;
  /** Keeps answers. Default: none are kept. `{}` takes all defaults. */
  cache?: CacheOptions | undefined;
}

export interface Settings {
  readonly engine: 'system' | 'c-ares';
  readonly threads: number;
  readonly threadsMax: number;
  readonly maxPending: number;
  readonly timeoutMs: number;
  readonly servers: readonly string[] | undefined;
  readonly cache: CacheLimits | undefined;
}

const known = [
  'engine',
  'threads',
  'threadsMax',
  'maxPending',
  'timeout',
  'servers',
  'cache',
] as const;
const knownOfCache = ['max', 'ttl', 'negativeTtl', 'staleIfError'] as const;
const { addressFamily } = binding;
const threadsCeiling = 256;
const countCeiling = 1_000_000;

export function checkMaxPending(value: unknown, name: string): number {
  return checkInteger(name, value, 1, countCeiling);
}

function checkCache(value: unknown): CacheLimits | undefined {
  if (value === undefined) return undefined;
  const options = checkOptions<CacheOptions>(value, knownOfCache, 'options.cache');
  const { max = 1_000, ttl = 30_000, negativeTtl = 5_000, staleIfError = 0 } = options;
  return {
    max: checkInteger('options.cache.max', max, 1, countCeiling),
    ttlMs: checkSetting('options.cache.ttl', ttl),
    negativeTtlMs: checkTime('options.cache.negativeTtl', negativeTtl, 0),
    staleMs: checkTime('options.cache.staleIfError', staleIfError, 0),
  };
}

/** `192.0.2.1`, `192.0.2.1:53`, `2001:db8::1`, `[2001:db8::1]:53`. */
function isServer(text: string): boolean {
  if (text.includes('\0')) return false;
  if (addressFamily(text) !== 0) return true;
  const parts = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  if (parts === null) return false;
  const [, ipv6, ipv4, port = '53'] = parts;
  const isAddress =
    ipv6 === undefined ? addressFamily(ipv4 ?? '') === 4 : addressFamily(ipv6) === 6;
  return isAddress && Number(port) >= 1 && Number(port) <= 65535;
}

function checkServers(value: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const servers = checkArray('options.servers', value, 'an array of addresses');
  if (servers.length === 0) throw invalidValue('options.servers', 'must not be empty', value);
  return servers.map((server, index) => {
    const name = `options.servers[${index}]`;
    if (typeof server !== 'string') throw invalidType(name, 'a string', server);
    if (isServer(server)) return server;
    throw invalidValue(name, 'must be an IP address, with a port or without', server);
  });
}

/** An option of the other engine would do nothing, which nobody wants who sets it. */
function refuse(options: Partial<ResolverOptions>, names: (keyof ResolverOptions)[]): void {
  for (const name of names) {
    if (options[name] === undefined) continue;
    throw invalidValue(`options.${name}`, 'is for the other engine', options[name]);
  }
}

export function checkSettings(value: unknown): Settings {
  const options = checkOptions<ResolverOptions>(value, known);
  const engine = checkOneOf('options.engine', options.engine ?? 'system', ['system', 'c-ares']);
  refuse(options, engine === 'system' ? ['servers'] : ['threads', 'threadsMax']);
  const threads = checkInteger('options.threads', options.threads ?? 4, 1, threadsCeiling);
  const threadsMax = options.threadsMax ?? Math.max(16, threads);
  return {
    engine: engine as 'system' | 'c-ares',
    threads,
    threadsMax: checkInteger('options.threadsMax', threadsMax, threads, threadsCeiling),
    maxPending: checkMaxPending(options.maxPending ?? 1_000, 'options.maxPending'),
    timeoutMs: checkSetting('options.timeout', options.timeout ?? 5_000),
    servers: checkServers(options.servers),
    cache: checkCache(options.cache),
  };
}
