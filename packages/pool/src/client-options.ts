/** How a {@link ClientPool} is made. */
import { connect, type StreamSocket } from '@sock/core';
import {
  checkArray,
  checkFunction,
  checkHost,
  checkInteger,
  checkObject,
  checkOptions,
  checkSetting,
  invalidType,
  invalidValue,
} from '@sock/native';
import { systemClock, type TimerClock } from '@sock/reconnect';
import type { PoolAddress } from './address-book.js';
import { checkClock } from './pool-options.js';

/** Makes a connection of a {@link ClientPool}. */
export type PoolConnectFunction<S extends StreamSocket> = (
  host: string,
  port: number,
  options: { signal: AbortSignal },
) => Promise<S>;

/** Where a client pool connects to, and how many connections it keeps. Times in milliseconds. */
export interface ClientPoolOptions<S extends StreamSocket> {
  /** A name or a literal address. Needed, with `port`, unless there are `addresses`. */
  host?: string | undefined;
  /** 1 to 65,535. */
  port?: number | undefined;
  /** Several places that serve the same, at least one, instead of `host` and `port`. */
  addresses?: readonly PoolAddress[] | undefined;
  /** Makes the connections. Default: `connect` of `@sock/core`, with its limits. */
  connect?: PoolConnectFunction<S> | undefined;
  /**
   * Connections that are kept though nobody needs them, made at once and again when they are lost:
   * an integer from 0 to `max`. Default 0.
   */
  min?: number | undefined;
  /** The most connections at a time: an integer from 1 to 65,536. Default 10. */
  max?: number | undefined;
  /**
   * A connection is not lent out again when it is older, above 0. Each one's is shorter by up to a
   * tenth, by chance, so that they do not end together. Default `Infinity`.
   */
  maxLifetime?: number | undefined;
  /**
   * A connection beyond `min` that nobody has needed for so long is closed, above 0; within half as
   * long again. Default 30,000; `Infinity`: none is.
   */
  idleTimeout?: number | undefined;
  /**
   * Whether a connection is good for use, asked each time before it is lent out again: `false`, or
   * an error, and it is closed, and the next one tried. Default: only whether the peer has hung up
   * is looked at, which reads nothing.
   */
  validate?: ((connection: S) => boolean | Promise<boolean>) | undefined;
  /**
   * The most who may wait for a connection to be given back, when there are as many as there may
   * be: an integer from 0 to 2^31−1. Default 1,000.
   */
  maxWaiting?: number | undefined;
  /** How long each waits at most, above 0, or `Infinity`. Default 30,000. */
  acquireTimeout?: number | undefined;
  /**
   * A connection that is lent out for longer than this brings one process warning
   * (`SOCK_POOL_LEAK`), with the stack of who has it: above 0, or `Infinity`, the default. For
   * finding mistakes: taking a stack costs a few microseconds.
   */
  leakWarningAfter?: number | undefined;
  /** Where the time comes from, and timers. Default: the monotonic clock, and the event loop's. */
  clock?: TimerClock | undefined;
  /** Chance, for lifetimes and delays: a number from 0 up to, and without, 1. */
  random?: (() => number) | undefined;
}

export interface CheckedClientOptions<S extends StreamSocket> {
  readonly addresses: readonly PoolAddress[];
  readonly connect: PoolConnectFunction<S>;
  readonly min: number;
  readonly max: number;
  readonly lifetimeMs: number;
  readonly idleMs: number;
  readonly validate: ClientPoolOptions<S>['validate'];
  readonly waitingMax: number;
  readonly acquireMs: number;
  readonly leakMs: number;
  readonly clock: TimerClock;
  readonly random: (() => number) | undefined;
}

const known = [
  'host',
  'port',
  'addresses',
  'connect',
  'min',
  'max',
  'maxLifetime',
  'idleTimeout',
  'validate',
  'maxWaiting',
  'acquireTimeout',
  'leakWarningAfter',
  'clock',
  'random',
] as const;

const none = Number.POSITIVE_INFINITY;

function checkAddresses(given: Partial<ClientPoolOptions<never>>): PoolAddress[] {
  const { addresses, host, port } = given;
  if (addresses === undefined) {
    const checkedPort = checkInteger('options.port', port, 1, 65_535);
    return [{ host: checkHost(host, 'options.host'), port: checkedPort }];
  }
  if (host !== undefined || port !== undefined) {
    throw invalidValue('options.addresses', 'stands instead of a host and a port', addresses);
  }
  const entries = checkArray('options.addresses', addresses, 'an array of addresses');
  if (entries.length === 0) throw invalidValue('options.addresses', 'must not be empty', addresses);
  return entries.map((entry, index) => {
    const name = `options.addresses[${index}]`;
    const address = checkObject<PoolAddress>(name, entry);
    const checkedPort = checkInteger(`${name}.port`, address.port, 1, 65_535);
    return { host: checkHost(address.host, `${name}.host`), port: checkedPort };
  });
}

function connectByCore<S>(
  host: string,
  port: number,
  options: { signal: AbortSignal },
): Promise<S> {
  // Whoever has a pool of other connections says how these are made.
  return connect({ host, port, ...options }) as Promise<unknown> as Promise<S>;
}

export function checkClientOptions<S extends StreamSocket>(
  value: unknown,
): CheckedClientOptions<S> {
  if (value === undefined) throw invalidType('options', 'an object', value);
  const given = checkOptions<ClientPoolOptions<S>>(value, known);
  for (const name of ['connect', 'validate', 'random'] as const) {
    if (given[name] !== undefined) checkFunction(`options.${name}`, given[name]);
  }
  const max = checkInteger('options.max', given.max ?? 10, 1, 65_536);
  const time = (
    name: 'maxLifetime' | 'idleTimeout' | 'acquireTimeout' | 'leakWarningAfter',
    or: number,
  ) => checkSetting(`options.${name}`, given[name] ?? or);
  return {
    addresses: checkAddresses(given as Partial<ClientPoolOptions<never>>),
    connect: given.connect ?? connectByCore,
    min: checkInteger('options.min', given.min ?? 0, 0, max),
    max,
    lifetimeMs: time('maxLifetime', none),
    idleMs: time('idleTimeout', 30_000),
    validate: given.validate,
    waitingMax: checkInteger('options.maxWaiting', given.maxWaiting ?? 1_000, 0, 2 ** 31 - 1),
    acquireMs: time('acquireTimeout', 30_000),
    leakMs: time('leakWarningAfter', none),
    clock: checkClock(given.clock ?? systemClock),
    random: given.random,
  };
}
