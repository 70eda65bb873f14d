import {
  type OperationOptions,
  type ResolvedAddress,
  ResolveError,
  type SocketClosedError,
  type SocketError,
  type TimeoutError,
} from '@sock/core';
import {
  checkFunction,
  checkOneOf,
  checkOptions,
  checkPort,
  checkSetting,
  checkSignal,
  checkTime,
  type Limits,
} from '@sock/native';
import { Cache } from './cache.js';
import { CaresEngine } from './cares-engine.js';
import { systemClock } from './clock.js';
import type { Engine, Outcome, ServiceRecord } from './engine.js';
import { closeWhenForgotten, notForgotten, type Resources } from './forgotten.js';
import {
  checkHost,
  checkLiteral,
  checkName,
  type Family,
  type Host,
  type NamedHost,
} from './hostname.js';
import { type Counters, type Hand, Lookups, type Question, zeroCounters } from './lookups.js';
import { makeLookup, type NodeLookup } from './node-lookup.js';
import { addressesOf, Requests, type ResolveCallback, ResolveRequest } from './resolve-request.js';
import { checkMaxPending, checkSettings, type ResolverOptions, type Settings } from './settings.js';
import { SystemEngine } from './system-engine.js';
import type { Waiter } from './waiter.js';

/** Limits of one lookup, and what is wanted. */
export interface ResolveOptions extends OperationOptions {
  /** Addresses of this family only. Default: both. */
  family?: 'ipv4' | 'ipv6' | undefined;
}

/** What is wanted of a lookup that is driven by hand. */
export interface SubmitOptions {
  /** Addresses of this family only. Default: both. */
  family?: 'ipv4' | 'ipv6' | undefined;
  /** Milliseconds from this call, as with {@link Resolver.resolve}. Default: the resolver's. */
  timeout?: number | undefined;
}

/** What a resolver has done so far, and does at the moment. All are counts. */
export interface ResolverStats {
  /** Lookups that were begun, literals aside; each ends as one of the next three. */
  readonly lookups: number;
  /** With an answer. */
  readonly answered: number;
  /** With an error; `timedOut` and `refused` are among them unless a stale answer stood in. */
  readonly failed: number;
  /** By an abort, or by `close()`. */
  readonly cancelled: number;
  /** Whose time was over. */
  readonly timedOut: number;
  /** That found the queue full. */
  readonly refused: number;
  /** That joined one that was under way. */
  readonly coalesced: number;
  /** Different questions that are under way now. */
  readonly pending: number;
  /** Of those, the ones that wait for a thread; with c-ares, queries under way. */
  readonly queued: number;
  /** Threads there are now; 0 with c-ares. They end after five seconds without work. */
  readonly threads: number;
  /** Of those, the ones that hang in a lookup nobody waits for. */
  readonly stuckThreads: number;
  /** Of the cache; all 0 without one. */
  readonly cache: {
    /** Answers and failures it holds. */
    readonly size: number;
    /** Lookups it answered. */
    readonly hits: number;
    /** Lookups it answered with "no such name". */
    readonly negativeHits: number;
    /** Lookups it could not answer. */
    readonly misses: number;
    /** Lookups that got an answer past its time, as no new one could be had. */
    readonly staleHits: number;
    /** Entries that made room for others. */
    readonly evictions: number;
  };
}

const resolveOptionKeys = ['family', 'signal', 'timeout'] as const;
const unlimited: Limits = { signal: undefined, timeoutMs: Number.POSITIVE_INFINITY };
const submitOptionKeys = ['family', 'timeout'] as const;
const operationKeys = ['signal', 'timeout'] as const;
const wildcards: Readonly<Record<Family | 'any', readonly string[]>> = {
  any: ['0.0.0.0', '::'],
  ipv4: ['0.0.0.0'],
  ipv6: ['::'],
};

function makeEngine(settings: Settings): Engine {
  const { threads, threadsMax, maxPending, servers } = settings;
  return settings.engine === 'system'
    ? new SystemEngine(threads, threadsMax, maxPending)
    : new CaresEngine(servers, maxPending);
}

/** What is kept for others, as an array of one's own. */
async function copied<T>(found: Promise<readonly T[]>): Promise<T[]> {
  return [...(await found)];
}

function checkFamily(value: unknown): Family | undefined {
  return checkOneOf('options.family', value, [undefined, 'ipv4', 'ipv6'] as const);
}

function wrongFamily(hostname: string, family: Family): ResolveError {
  const message = `getaddrinfo ENOTFOUND ${hostname}: it is no address of family ${family}`;
  return new ResolveError(message, { code: 'ENOTFOUND', gaiCode: 0, hostname });
}

/** Of what is its own answer; undefined for a name. */
function knownAddresses(
  host: Host | null,
  family: Family | undefined,
): readonly string[] | ResolveError | undefined {
  if (host === null) return wildcards[family ?? 'any'];
  if (host.kind === 'name') return undefined;
  if (family === undefined || family === host.family) return [host.address];
  return wrongFamily(host.address, family);
}

/**
 * Looks names up, without holding up anybody: neither what else waits for libuv's few threads, as
 * `dns.lookup` does, nor other lookups, nor the caller for longer than allowed.
 *
 * Every lookup ends when its time is over or its signal says so, whatever the name server does. A
 * thread that hangs in the C library is replaced. Lookups for the same thing at the same time are
 * one, which each caller can leave without the others noticing. Literal addresses are answered at
 * once, from no thread.
 *
 * Pending lookups keep the process alive, an idle resolver does not. It belongs to its thread. One
 * that is forgotten is closed with a warning.
 *
 * @example
 * ```ts
 * const resolver = new Resolver({ timeout: 2_000, cache: { ttl: 60_000 } });
 * const addresses = await resolver.resolve('localhost', 80);
 * resolver.close();
 * ```
 * @see getaddrinfo(3)
 */
export class Resolver implements Disposable {
  /**
   * `dns.lookup` with this resolver behind it, to be passed to whatever takes a `lookup` option:
   * `net.connect`, `http.request`, undici's `connect`, `connect` of `@sock/core`. It needs no
   * `this`.
   *
   * The options are those of `dns.lookup`: `family`, `all`, `order` or `verbatim`, and `hints`,
   * which the c-ares engine ignores. The time limit is the resolver's. The callback is called once,
   * never within the call; errors are {@link ResolveError}, as well for names that cannot be one,
   * {@link TimeoutError}, `ERR_SOCK_QUEUE_FULL` and `ERR_SOCK_CLOSED`. Wrong types throw a
   * `TypeError`.
   * @see https://nodejs.org/api/dns.html#dnslookuphostname-options-callback
   */
  readonly lookup: NodeLookup;
  /** What looks names up: `'system'` or `'c-ares'`. */
  readonly engine: 'system' | 'c-ares';

  private readonly source: Engine;
  private readonly counters: Counters = { ...zeroCounters };
  private readonly cache: Cache<Outcome<string>> | undefined;
  private readonly addresses: Lookups<string>;
  private readonly services: Lookups<ServiceRecord>;
  private timeoutMs: number;
  private pendingMax: number;
  private closed = false;
  /** Once something was submitted, or the descriptor asked for. */
  private requests: Requests | undefined;
  private readonly resources: Resources;

  /**
   * Starts nothing yet: threads come with the first lookup.
   *
   * @param options See {@link ResolverOptions}.
   * @throws TypeError, RangeError when an option is wrong, unknown, or for the other engine.
   */
  constructor(options?: ResolverOptions) {
    const settings = checkSettings(options);
    this.engine = settings.engine;
    this.source = makeEngine(settings);
    this.timeoutMs = settings.timeoutMs;
    this.pendingMax = settings.maxPending;
    const limits = settings.cache;
    this.cache = limits === undefined ? undefined : new Cache(limits, systemClock.now);
    this.addresses = new Lookups(systemClock, this.counters, this.cache, this);
    this.services = new Lookups<ServiceRecord>(systemClock, this.counters, undefined, this);
    this.resources = { what: 'a resolver', parts: [this.source] };
    closeWhenForgotten(this, this.resources);
    this.lookup = makeLookup(async (hostname, family, flags) => {
      const host = checkHost(hostname);
      // As with dns.lookup, an address is the answer whatever family is wanted.
      const wanted = host.kind === 'name' ? family : undefined;
      const found = await this.find(host, wanted, flags, this.limits({}));
      return found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    });
  }

  /**
   * The limit of lookups that bring none of their own, in milliseconds: more than 0, `Infinity` for
   * none. Setting it concerns later lookups.
   *
   * @throws TypeError, RangeError when it is set to anything else.
   */
  get timeout(): number {
    return this.timeoutMs;
  }

  /** See the getter. */
  set timeout(value: number) {
    this.timeoutMs = checkSetting('timeout', value);
  }

  /**
   * How many lookups may wait for a thread (with c-ares: may be under way), 1 to 1,000,000. Setting
   * it below what waits already refuses new ones and leaves those alone.
   *
   * @throws TypeError, RangeError when it is set to anything else.
   */
  get maxPending(): number {
    return this.pendingMax;
  }

  /** See the getter. */
  set maxPending(value: number) {
    this.pendingMax = checkMaxPending(value, 'maxPending');
    this.source.resize(value);
  }

  /** Whether {@link Resolver.close} was called. */
  get isClosed(): boolean {
    return this.closed;
  }

  /** Counts, taken now; the object does not change later. */
  get stats(): ResolverStats {
    const { counters, cache, source } = this;
    const { lookups, answered, failed, cancelled, timedOut, refused, coalesced } = counters;
    return {
      ...{ lookups, answered, failed, cancelled, timedOut, refused, coalesced },
      pending: this.addresses.pending + this.services.pending,
      ...source.load,
      cache: {
        size: cache?.size ?? 0,
        hits: counters.cacheHits,
        negativeHits: counters.cacheNegativeHits,
        misses: counters.cacheMisses,
        staleHits: counters.cacheStaleHits,
        evictions: cache?.evicted ?? 0,
      },
    };
  }

  /**
   * The addresses of a host.
   *
   * @param host A literal address, which is its own answer: IPv4, or IPv6 with a zone or without.
   * Or a name: labels of letters, digits, hyphens inside and underscores, 253 characters at most,
   * in any case. An international name is looked up in its ASCII form. A final dot keeps search
   * domains away. Or `null`, for the wildcard addresses that a listener binds to.
   * @param port 0 to 65,535, passed on into the addresses. Default 0.
   * @param options `timeout` in milliseconds from this call, 0 to 2^31−1: 0 takes what the cache
   * has and asks nobody, `Infinity` waits without limit, `undefined` takes the resolver's. `signal`
   * gives up at once; other lookups of the same name go on. `family` for one family only.
   * @returns At least one address, each with the port, in the order of RFC 6724: the first is the
   * one to try first. The array and its objects are yours.
   * @throws TypeError, RangeError at the call when an argument is wrong. `127.1`, `0x7f.0.0.1` and
   * other forms that are IPv4 addresses for the C library only are refused.
   *
   * Rejects with {@link ResolveError} (`ENOTFOUND`; `EAI_AGAIN` when no name server answers; with
   * c-ares `ENODATA`, `ESERVFAIL`, `ETIMEOUT`, …), {@link TimeoutError} (`ERR_SOCK_TIMEOUT`),
   * `AbortError`, {@link SocketError} with `ERR_SOCK_QUEUE_FULL`, {@link SocketClosedError} with
   * `ERR_SOCK_CLOSED` when the resolver is closed, before or meanwhile.
   * @see getaddrinfo(3), RFC 6724, RFC 5890
   */
  resolve(host: string | null, port = 0, options?: ResolveOptions): Promise<ResolvedAddress[]> {
    const target = host === null ? null : checkHost(host);
    checkPort(port);
    const checked = checkOptions<ResolveOptions>(options, resolveOptionKeys);
    const family = checkFamily(checked.family);
    return this.resolveChecked(target, port, family, this.limits(checked));
  }

  /**
   * {@link Resolver.resolve} for whoever drives things by hand, with a poll and without promises:
   * watch {@link Resolver.pollFd}, and call {@link Resolver.check} when it is readable. With the
   * system engine nothing of it needs the event loop, which a worker may block in `waitSync()`.
   *
   * @param host As with {@link Resolver.resolve}.
   * @param port 0 to 65,535. Default 0.
   * @param callback Called once, within {@link Resolver.check} or {@link Resolver.close}, in the
   * asynchronous context of this call. What it throws is an uncaught exception. Without one, look
   * at the request.
   * @param options See {@link SubmitOptions}.
   * @returns The request. Whatever goes wrong later is told by it, a full queue included.
   * @throws TypeError, RangeError when an argument is wrong; {@link SocketClosedError}
   * (`ERR_SOCK_CLOSED`); {@link SocketError} (`EMFILE`, `ENFILE`, `ENOMEM`) from the first call.
   * @example
   * ```ts
   * poll.add(resolver.pollFd, PollEvents.Read);
   * const request = resolver.submit('localhost', 80);
   * while (request.state === 'pending') {
   *   poll.waitSync();
   *   resolver.check();
   * }
   * if (request.error !== null) throw request.error;
   * ```
   */
  submit(
    host: string | null,
    port = 0,
    callback?: ResolveCallback,
    options?: SubmitOptions,
  ): ResolveRequest {
    const target = host === null ? null : checkHost(host);
    checkPort(port);
    if (callback !== undefined) checkFunction('callback', callback);
    const checked = checkOptions<SubmitOptions>(options, submitOptionKeys);
    const family = checkFamily(checked.family);
    const limits = this.limits(checked);
    this.addresses.check(limits);
    const requests = this.openRequests();
    const request = new ResolveRequest(host, port, requests, callback);
    const known = knownAddresses(target, family);
    if (known === undefined) {
      const settle = request.settle.bind(request);
      const question = this.question(target as NamedHost, family, 0);
      request.wait(this.addresses.submit(question, limits, requests.driver, settle));
    } else if (known instanceof Error) {
      request.settle(undefined, known);
    } else {
      request.settle(known, undefined);
    }
    return request;
  }

  /**
   * A descriptor that is readable whenever {@link Resolver.check} has something to do, for a poll
   * that watches it for reading: answers, and time limits that have passed. It is made by the first
   * use of this property or of {@link Resolver.submit}, stays the same, and is the resolver's to
   * close: take it out of your poll before. −1 once closed.
   *
   * @throws `SocketError` (`EMFILE`, `ENFILE`, `ENOMEM`) when there is none to be had.
   */
  get pollFd(): number {
    return this.closed ? -1 : this.openRequests().driver.fd;
  }

  /**
   * Ends the requests of {@link Resolver.submit} that have an answer or whose time is over, and
   * calls their callbacks. It never waits. With the c-ares engine, answers come by the event loop,
   * and only wait for this call.
   *
   * @returns How many have ended since the last call, the cancelled ones included.
   * @throws `SocketClosedError` (`ERR_SOCK_CLOSED`).
   */
  check(): number {
    this.addresses.check(unlimited);
    const { requests } = this;
    if (requests === undefined) return 0;
    requests.driver.look(() => this.source.collect());
    return requests.tell();
  }

  /**
   * The names of an address.
   *
   * @param address A literal, IPv6 with a zone or without.
   * @param options As with {@link Resolver.resolve}.
   * @returns At least one name; the system engine knows one only.
   * @throws TypeError, RangeError at the call when an argument is wrong.
   *
   * Rejects as {@link Resolver.resolve} does; `ENOTFOUND` when the address has no name.
   * @see getnameinfo(3)
   */
  reverse(address: string, options?: OperationOptions): Promise<string[]> {
    const literal = checkLiteral(address, 'address').address;
    const limits = this.limits(checkOptions<OperationOptions>(options, operationKeys));
    return copied(
      this.addresses.ask(
        {
          key: `name ${literal}`,
          kind: 'names',
          hostname: literal,
          family: undefined,
          start: this.source.names(literal),
        },
        limits,
      ),
    );
  }

  /**
   * The servers of a service. Only the c-ares engine knows them.
   *
   * @param name Such as `_xmpp-client._tcp.example.org`.
   * @param options As with {@link Resolver.resolve}.
   * @returns The records as they came; sort them by priority, and share out by weight. They are not
   * cached.
   * @throws TypeError, RangeError at the call when an argument is wrong; {@link SocketError} with
   * `ERR_SOCK_UNSUPPORTED` with the system engine.
   *
   * Rejects as {@link Resolver.resolve} does.
   * @see RFC 2782
   */
  resolveSrv(name: string, options?: OperationOptions): Promise<ServiceRecord[]> {
    const checked = checkName(name);
    const limits = this.limits(checkOptions<OperationOptions>(options, operationKeys));
    const start = this.source.services(checked);
    const subject = { hostname: checked, kind: 'services', family: undefined } as const;
    return copied(this.services.ask({ key: checked, ...subject, start }, limits));
  }

  /**
   * Rejects all lookups that are pending, with `ERR_SOCK_CLOSED`, ends all requests so, and returns
   * at once; threads that hang end by themselves. Closing again does nothing.
   */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.addresses.close();
    this.services.close();
    this.source.close();
    this.requests?.close();
    notForgotten(this);
  }

  /** {@link Resolver.close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * @internal A lookup for a race that is driven by hand; the settling may be within the call.
   */
  lookUpByHand(
    host: NamedHost,
    family: Family,
    hand: Hand,
    settle: (addresses: readonly string[] | undefined, error: Error | undefined) => void,
  ): Waiter<string> {
    const limits = { signal: undefined, timeoutMs: this.timeoutMs };
    return this.addresses.submit(this.question(host, family, 0), limits, hand, settle);
  }

  /** @internal Settles what is answered by now, without waiting for the event loop. */
  collect(): void {
    this.source.collect();
  }

  /** @internal Whether it works without the event loop. */
  get isCollectable(): boolean {
    return this.source.isCollectable;
  }

  private openRequests(): Requests {
    if (this.requests === undefined) {
      this.requests = new Requests();
      this.resources.parts.push(this.requests.driver);
    }
    return this.requests;
  }

  private limits({ signal, timeout }: OperationOptions): Limits {
    const timeoutMs = timeout === undefined ? this.timeoutMs : checkTime('timeout', timeout, 0);
    return { signal: checkSignal(signal), timeoutMs };
  }

  private async resolveChecked(
    host: Host | null,
    port: number,
    family: Family | undefined,
    limits: Limits,
  ): Promise<ResolvedAddress[]> {
    return addressesOf(await this.find(host, family, 0, limits), port);
  }

  private async find(
    host: Host | null,
    family: Family | undefined,
    flags: number,
    limits: Limits,
  ): Promise<readonly string[]> {
    this.addresses.check(limits);
    const known = knownAddresses(host, family);
    if (known instanceof Error) throw known;
    if (known !== undefined) return known;
    return this.addresses.ask(this.question(host as NamedHost, family, flags), limits);
  }

  private question(
    { name, keys }: NamedHost,
    family: Family | undefined,
    flags: number,
  ): Question<string> {
    const key = keys[family ?? 'any'];
    return {
      key: flags === 0 ? key : `${flags} ${key}`,
      kind: 'addresses',
      hostname: name,
      family,
      start: this.source.addresses(name, family, flags),
    };
  }
}
