/** How a {@link SocketPool} is made. */
import { Arena, RateLimiter } from '@sock/core';
import {
  checkFunction,
  checkInteger,
  checkObject,
  checkOptions,
  checkSetting,
  invalidType,
} from '@sock/native';
import { systemClock, type TimerClock } from '@sock/reconnect';
import { IpTracker } from './ip-tracker.js';

/** The size of a pool, and what its connections get. */
export interface SocketPoolOptions {
  /** The most connections at a time: an integer from 1 to 1,048,576. */
  maxConnections: number;
  /** Bytes of each connection's input and output buffer: 512 to 1,048,576. Default 8,192. */
  bufferSize?: number | undefined;
  /**
   * Where the buffers' memory comes from; it has to outlive the pool. Default: memory of their own.
   */
  arena?: Arena | undefined;
  /**
   * A connection over which nothing went for so long is removed and closed, in milliseconds above
   * 0; the pool looks often enough to notice within half as long again. Default `Infinity`: only
   * {@link SocketPool.cleanup} does that. It does not keep the event loop alive.
   */
  idleTimeout?: number | undefined;
  /**
   * The rate of connections, such as one that threads share (`RateLimiter.from`). It stays the
   * caller's to close. Default: none, until {@link SocketPool.setConnectionRate}.
   */
  rateLimiter?: RateLimiter | undefined;
  /**
   * Where connections are counted by address, such as one that threads share
   * ({@link IpTracker.from}), with its limit. Default: one of its own, without a limit until
   * {@link SocketPool.setMaxPerIp}.
   */
  ipTracker?: IpTracker | undefined;
  /** Where the time comes from, and timers. Default: the monotonic clock, and the event loop's. */
  clock?: TimerClock | undefined;
}

export interface CheckedPoolOptions {
  readonly maxConnections: number;
  readonly bufferSize: number;
  readonly arena: Arena | undefined;
  readonly idleTimeoutMs: number;
  readonly rateLimiter: RateLimiter | undefined;
  readonly ipTracker: IpTracker | undefined;
  readonly clock: TimerClock;
}

const known = [
  'maxConnections',
  'bufferSize',
  'arena',
  'idleTimeout',
  'rateLimiter',
  'ipTracker',
  'clock',
] as const;
/** More descriptors than Linux gives a process unless told (fs.nr_open). */
const connectionsMax = 2 ** 20;
/** The C library's limits. */
const bufferSizeMin = 512;
const bufferSizeMax = 2 ** 20;
const bufferSizeDefault = 8_192;

export function checkMaxConnections(name: string, value: unknown): number {
  return checkInteger(name, value, 1, connectionsMax);
}

export function checkBufferSize(name: string, value: unknown): number {
  return checkInteger(name, value, bufferSizeMin, bufferSizeMax);
}

export function checkClock(value: unknown): TimerClock {
  const clock = checkObject<TimerClock>('options.clock', value);
  for (const key of ['now', 'setTimeout', 'clearTimeout'] as const) {
    checkFunction(`options.clock.${key}`, clock[key]);
  }
  return value as TimerClock;
}

export function checkPoolOptions(value: unknown): CheckedPoolOptions {
  if (value === undefined) throw invalidType('options', 'an object', value);
  const given = checkOptions<SocketPoolOptions>(value, known);
  const { arena, bufferSize = bufferSizeDefault, idleTimeout = Number.POSITIVE_INFINITY } = given;
  if (arena !== undefined && !(arena instanceof Arena)) {
    throw invalidType('options.arena', 'an instance of Arena', arena);
  }
  const { rateLimiter, ipTracker } = given;
  if (rateLimiter !== undefined && !(rateLimiter instanceof RateLimiter)) {
    throw invalidType('options.rateLimiter', 'an instance of RateLimiter', rateLimiter);
  }
  if (ipTracker !== undefined && !(ipTracker instanceof IpTracker)) {
    throw invalidType('options.ipTracker', 'an instance of IpTracker', ipTracker);
  }
  return {
    rateLimiter,
    ipTracker,
    maxConnections: checkMaxConnections('options.maxConnections', given.maxConnections),
    bufferSize: checkBufferSize('options.bufferSize', bufferSize),
    arena,
    idleTimeoutMs: checkSetting('options.idleTimeout', idleTimeout),
    clock: checkClock(given.clock ?? systemClock),
  };
}
