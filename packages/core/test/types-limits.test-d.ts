/** Types of what limits rates: compiled, never run. */
import { type OperationOptions, RateLimitError, RateLimiter, type SocketError } from '@sock/core';

export async function limits(options: OperationOptions): Promise<SharedArrayBuffer> {
  using limiter = new RateLimiter(0.5);
  const made: SocketError = new RateLimitError('x');
  await limiter.acquire(2, options);
  const got: boolean = limiter.tryAcquire();
  limiter.configure(undefined, got ? 5 : undefined);
  // @ts-expect-error: configure() changes it
  limiter.rate = 5;
  // @ts-expect-error: memory that is not shared
  RateLimiter.from(new Uint8Array(8), made);
  return limiter.share();
}
