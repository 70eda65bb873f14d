/** A store of limits that several processes share, and what it answers. */
import { checkFunction, checkObject } from '@sock/native';

/** What a {@link LimiterStore} says of a key; a `RateLimiterRes` is one. */
export interface LimiterAnswer {
  /** Points that were consumed in the key's present duration: an integer. */
  readonly consumedPoints: number;
  /** Points that are left in it; 0 where more were consumed than there are. */
  readonly remainingPoints: number;
  /** Milliseconds until the key begins anew; −1 where it never does. */
  readonly msBeforeNext: number;
}

/** How a {@link LimiterStore} is to treat one call. */
export interface LimiterCallOptions {
  /** Seconds that a key is kept which this call makes; 0: for ever. */
  customDuration?: number;
}

/**
 * Numbers by key that processes share, in which each change is one step: what every limiter of the
 * package `rate-limiter-flexible` is that heeds `customDuration`, over Redis, Valkey, PostgreSQL
 * and others. It should have no `insuranceLimiter`, which would hide that the store fails. Pools
 * whose limits are not to be shared need stores with another `keyPrefix`.
 *
 * {@link SocketPool.setLimiter} never has a connection wait for the store. Tokens of the rate are
 * taken ahead, as a lease, and a connection spends one that is here, or is refused. Connections by
 * address are told to the store as they come and go, and judged by what it answered last. So:
 *
 * - in one duration of the store, at most one `lease` per process comes in beyond its points;
 * - an address has at most `ahead` connections per process beyond its limit, and keeps them;
 * - fewer come in than might while other processes hold tokens that they do not use, up to a lease
 *   each, and for a second after connections of an address to other processes have ended;
 * - while the store is down each process goes by its own limits alone;
 * - a process that drains hands back what it has. Of one that has died, tokens are over with the
 *   store's duration, and connections count for one and a quarter `lifetime` at most, or one
 *   lifetime more where it died at the very moment of renewing;
 * - what a store has lost of connections, it is told again after a `lifetime` at most.
 *
 * All methods may reject with an `Error`: the store has failed. So it has when it does not answer
 * in time, or says what makes no sense; one such call is enough. Whether it is back is asked after
 * 100 ms, and then less often, up to every 5 s.
 */
export interface LimiterStore {
  /** Points per duration; without it, it is learnt from the first answer to {@link consume}. */
  readonly points?: number | undefined;
  /** Takes points. Rejects with a {@link LimiterAnswer} where there are too few. */
  consume(key: string, points?: number, options?: LimiterCallOptions): Promise<LimiterAnswer>;
  /** Takes points, few or not. */
  penalty(key: string, points?: number, options?: LimiterCallOptions): Promise<LimiterAnswer>;
  /** Gives points back. */
  reward(key: string, points?: number, options?: LimiterCallOptions): Promise<LimiterAnswer>;
  /** What there is of a key, or `null` where there is none; changes nothing. */
  get(key: string, options?: LimiterCallOptions): Promise<LimiterAnswer | null>;
}

/** An answer that makes sense. */
export interface Answer {
  readonly consumed: number;
  readonly remaining: number;
  /** Infinity: never. */
  readonly untilNextMs: number;
  /** Whether the store rejected with it. */
  readonly isRefusal: boolean;
}

/** Of a key that is not there. */
export const absent: LimiterAnswer = { consumedPoints: 0, remainingPoints: 0, msBeforeNext: 0 };

export function checkStore(value: unknown): LimiterStore {
  const store = checkObject<LimiterStore>('store', value);
  for (const verb of ['consume', 'penalty', 'reward', 'get'] as const) {
    checkFunction(`store.${verb}`, store[verb]);
  }
  return value as LimiterStore;
}

/** What a store resolved or rejected with; null where that is no answer. */
export function parseAnswer(value: unknown, isRefusal: boolean): Answer | null {
  // Errors of some clients have more on them than a message.
  if (typeof value !== 'object' || value === null || value instanceof Error) return null;
  try {
    const { consumedPoints, remainingPoints, msBeforeNext } = value as Partial<LimiterAnswer>;
    if (!Number.isSafeInteger(consumedPoints) || !Number.isFinite(msBeforeNext)) return null;
    if (!Number.isFinite(remainingPoints)) return null;
    const leftMs = msBeforeNext as number;
    return {
      consumed: consumedPoints as number,
      remaining: Math.max(0, remainingPoints as number),
      untilNextMs: leftMs < 0 ? Number.POSITIVE_INFINITY : leftMs,
      isRefusal,
    };
  } catch {
    return null;
  }
}
