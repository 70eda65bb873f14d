/** So many of something per second, and a burst of them. */
import {
  checkInteger,
  checkOptions,
  checkRate,
  checkSignal,
  checkTimeout,
  operationOptionKeys,
  outOfRange,
} from '@sock/native';
import { Bucket } from './bucket.js';
import { AbortError, RateLimitError } from './errors.js';
import type { OperationOptions } from './operation.js';
import { checkShared, SharedBucket } from './shared-bucket.js';
import { type Clock, systemClock, TokenQueue } from './token-queue.js';

/** Beyond that a bucket is no limit that anybody would notice; the moment fits its word. */
const fillSecondsMax = 365 * 24 * 3600;
/** Another thread may have changed the rate, or filled the bucket. */
const lookAgainMs = 1_000;

/** What a limiter can be made from instead of numbers: its bucket, and a clock. */
class Made {
  static is(value: unknown): value is Made {
    return typeof value === 'object' && value !== null && #made in value;
  }

  readonly #made = true;

  constructor(
    readonly bucket: Bucket,
    readonly clock: Clock,
  ) {}
}

function checkBurst(value: unknown, rate: number): number {
  const burst = checkInteger('burst', value, 1, Number.MAX_SAFE_INTEGER);
  if (burst / rate > fillSecondsMax) {
    throw outOfRange('burst', `what the rate fills in ${fillSecondsMax} seconds`, burst);
  }
  return burst;
}

function bucketOf(rate: unknown, burst: unknown, clock: Clock): Bucket {
  const perSecond = checkRate('tokensPerSecond', rate);
  const size = checkBurst(burst ?? Math.max(1, Math.ceil(perSecond)), perSecond);
  return new Bucket(perSecond, size, clock.now());
}

/**
 * A token bucket: `tokensPerSecond` on average, and up to `burst` at once after a pause. It begins
 * full. Fractions of tokens are kept, whatever the pace of asking.
 *
 * A limiter belongs to its thread; {@link share} gives its bucket to others.
 * @example
 * ```ts
 * const limiter = new RateLimiter(100, 10);
 * for (const request of requests) {
 *   await limiter.acquire();
 *   await socket.sendAll(request);
 * }
 * ```
 */
export class RateLimiter {
  readonly #queue: TokenQueue;
  #closed = false;

  /**
   * @param tokensPerSecond A number above 0 and up to 2^53−1, with fractions: 0.5 is one every two
   * seconds.
   * @param burst An integer from 1 to 2^53−1, no more than the rate fills in a year. Default: what
   * comes in a second, rounded up.
   * @throws TypeError, RangeError for a wrong argument.
   */
  constructor(tokensPerSecond: number, burst?: number) {
    const given: unknown = tokensPerSecond;
    const clock = Made.is(given) ? given.clock : systemClock;
    const bucket = Made.is(given) ? given.bucket : bucketOf(given, burst, clock);
    this.#queue = new TokenQueue(bucket, 'acquire', clock, () => {
      return new RateLimitError('the burst is less by now than what is waited for', {
        code: 'ERR_SOCK_RATE_LIMIT',
      });
    });
    if (bucket instanceof SharedBucket) this.#queue.lookAgainMs = lookAgainMs;
  }

  /**
   * The limiter that another thread shared: all of them together get what one would.
   *
   * @param shared What {@link share} returned, passed on as `workerData` or in a message.
   * @throws TypeError when it is anything else.
   */
  static from(shared: SharedArrayBuffer): RateLimiter {
    return limiterOf(new SharedBucket(checkShared(shared)), systemClock);
  }

  /** Tokens per second. */
  get rate(): number {
    return this.#queue.bucket.rate;
  }

  /** The most tokens that it holds. */
  get burst(): number {
    return this.#queue.bucket.burst;
  }

  /** Whole tokens that can be had at once; 0 while others wait, and once closed. */
  get available(): number {
    return this.#closed ? 0 : this.#queue.available;
  }

  /**
   * Takes tokens if they are there, all of them or none.
   *
   * @param n An integer from 0 on, default 1; 0 is always there, more than {@link burst} never.
   * @returns `false` also while others wait in {@link acquire}: they come first.
   * @throws TypeError, RangeError for a wrong argument; `RateLimitError` (`ERR_SOCK_CLOSED`).
   */
  tryAcquire(n = 1): boolean {
    this.#check(n);
    return n === 0 || this.#queue.take(n, n) > 0;
  }

  /**
   * Waits for tokens, and takes them: first come, first served on this thread. Between threads
   * those are served who ask when tokens are there.
   *
   * @param n An integer from 0 to {@link burst}, default 1.
   * @param options `timeout` (ms; 0 looks once, none unless told) and `signal`. Who gives up has
   * taken nothing, and those behind move up.
   * @returns Resolves once they are taken. The event loop stays alive until then.
   *
   * Rejects with `TimeoutError`, `AbortError`, or `RateLimitError`: `ERR_SOCK_CLOSED`, also where
   * {@link close} comes while it waits; `ERR_SOCK_RATE_LIMIT` where the burst is made smaller than
   * `n` meanwhile, by another thread within a second of its noticing.
   * @throws TypeError, RangeError (`ERR_OUT_OF_RANGE`) for a wrong argument.
   */
  acquire(n = 1, options?: OperationOptions): Promise<void> {
    checkInteger('n', n, 0, this.burst);
    const given = checkOptions<OperationOptions>(options, operationOptionKeys);
    const limits = { signal: checkSignal(given.signal), timeoutMs: checkTimeout(given.timeout) };
    if (this.#closed) return Promise.reject(closedError());
    if (limits.signal?.aborted) return Promise.reject(new AbortError(limits.signal));
    if (n === 0) return Promise.resolve();
    return this.#queue.acquire(n, n, limits).then(nothing);
  }

  /**
   * How long it takes until as many tokens are there, if nobody else takes any; those who wait in
   * {@link acquire} are served first. Takes nothing.
   *
   * @param n An integer from 0 on, default 1.
   * @returns Milliseconds, rounded up; 0 when they are there, `Infinity` when `n` is more than
   * {@link burst}: they never will be.
   * @throws TypeError, RangeError for a wrong argument; `RateLimitError` (`ERR_SOCK_CLOSED`).
   */
  waitTimeMs(n = 1): number {
    this.#check(n);
    if (n === 0) return 0;
    return n > this.burst ? Number.POSITIVE_INFINITY : this.#queue.waitMs(n);
  }

  /**
   * Changes the rate, the burst, or both. What came until now came at the old rate; tokens above a
   * smaller burst are lost, and a larger one adds none.
   *
   * @param tokensPerSecond As for the constructor; `undefined` leaves it.
   * @param burst As for the constructor; `undefined` leaves it.
   * @throws TypeError, RangeError for a wrong argument, after which nothing has changed;
   * `RateLimitError` (`ERR_SOCK_CLOSED`).
   */
  configure(tokensPerSecond?: number, burst?: number): void {
    const rate = checkRate('tokensPerSecond', tokensPerSecond ?? this.rate);
    const size = checkBurst(burst ?? this.burst, rate);
    this.#check(0);
    this.#queue.configure(rate, size);
  }

  /** Fills the bucket. Throws `RateLimitError` (`ERR_SOCK_CLOSED`) once closed. */
  reset(): void {
    this.#check(0);
    this.#queue.fill();
  }

  /**
   * The bucket for other threads: hand it to a worker, and make a limiter {@link from} it there.
   * From the first call on the bucket is in shared memory; a thread may be terminated at any
   * moment, and takes with it no more than the tokens it had. Every acquire then costs up to a
   * nanosecond's tokens more, by rounding.
   *
   * @returns The same memory each time.
   * @throws `RateLimitError` (`ERR_SOCK_CLOSED`) once closed.
   */
  share(): SharedArrayBuffer {
    this.#check(0);
    const { bucket } = this.#queue;
    if (bucket instanceof SharedBucket) return bucket.memory;
    const shared = SharedBucket.share(bucket, this.#queue.nowMs);
    this.#queue.bucket = shared;
    this.#queue.lookAgainMs = lookAgainMs;
    return shared.memory;
  }

  /**
   * Ends this limiter: those who wait are rejected with `ERR_SOCK_CLOSED`, as is everything that is
   * called afterwards. Others that share its bucket go on. Again: does nothing.
   */
  close(): void {
    this.#closed = true;
    this.#queue.close(closedError);
  }

  /** {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #check(n: number): void {
    checkInteger('n', n, 0, Number.MAX_SAFE_INTEGER);
    if (this.#closed) throw closedError();
  }
}

/** A limiter over a bucket that is there, on a clock that may be a test's. */
export function limiterOf(bucket: Bucket, clock: Clock): RateLimiter {
  // Seen from outside, the constructor takes numbers only.
  return new RateLimiter(new Made(bucket, clock) as unknown as number);
}

function closedError(): RateLimitError {
  return new RateLimitError('the limiter is closed', { code: 'ERR_SOCK_CLOSED' });
}

function nothing(): void {}
