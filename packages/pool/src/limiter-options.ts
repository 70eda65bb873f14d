/** How a pool uses a store of limits. */
import { checkBoolean, checkDuration, checkInteger, checkOptions, outOfRange } from '@sock/native';

/** What {@link SocketPool.setLimiter} takes from the store, and how far ahead. */
export interface LimiterOptions {
  /**
   * Whether connections take their tokens from the store. Default `true`; `false` where only the
   * counts by address are to be shared.
   */
  rate?: boolean | undefined;
  /**
   * The most tokens that are taken ahead, and so the largest burst that comes in here at once: an
   * integer from 1 to 2^31−1. Default: a tenth of the store's points, rounded up.
   */
  lease?: number | undefined;
  /**
   * The most connections of one address that may have come in here without the store having
   * answered yet: an integer from 1 to 65,536. Default 4.
   */
  ahead?: number | undefined;
  /**
   * How long counts by address last, in milliseconds, without being renewed: 1,000 to 86,400,000,
   * rounded up to whole seconds. It must be the same in all processes. Default 30,000.
   */
  lifetime?: number | undefined;
  /** A call that takes longer has failed, in milliseconds: 1 to 60,000. Default 500. */
  timeout?: number | undefined;
  /**
   * The most calls about addresses at a time: an integer from 1 to 1,024. Besides them there are at
   * most one for the rate and one for the lifetimes. Default 16.
   */
  maxCalls?: number | undefined;
}

export interface CheckedLimiterOptions {
  readonly leasesRate: boolean;
  /** Undefined: by the store's points. */
  readonly lease: number | undefined;
  readonly ahead: number;
  readonly lifetimeMs: number;
  readonly timeoutMs: number;
  readonly callsMax: number;
}

const known = ['rate', 'lease', 'ahead', 'lifetime', 'timeout', 'maxCalls'] as const;

const lifetimeMinMs = 1_000;
const lifetimeMaxMs = 86_400_000;
const timeoutMaxMs = 60_000;

function checkAtMost(name: string, value: unknown, minMs: number, maxMs: number): number {
  const durationMs = checkDuration(name, value, minMs);
  if (durationMs > maxMs) throw outOfRange(name, `>= ${minMs} and <= ${maxMs}`, value);
  return durationMs;
}

export function checkLimiterOptions(value: unknown): CheckedLimiterOptions {
  const { rate, lease, ahead, lifetime, timeout, maxCalls } = checkOptions<LimiterOptions>(
    value,
    known,
  );
  const lifetimeMs = checkAtMost(
    'options.lifetime',
    lifetime ?? 30_000,
    lifetimeMinMs,
    lifetimeMaxMs,
  );
  return {
    leasesRate: checkBoolean('options.rate', rate ?? true),
    lease: lease === undefined ? lease : checkInteger('options.lease', lease, 1, 2 ** 31 - 1),
    ahead: checkInteger('options.ahead', ahead ?? 4, 1, 65_536),
    // Stores count in seconds.
    lifetimeMs: Math.ceil(lifetimeMs / 1000) * 1000,
    timeoutMs: checkAtMost('options.timeout', timeout ?? 500, 1, timeoutMaxMs),
    callsMax: checkInteger('options.maxCalls', maxCalls ?? 16, 1, 1_024),
  };
}
