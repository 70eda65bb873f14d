/** Types of what limits rates: compiled, never run. */
import {
  type OperationOptions,
  RateLimitError,
  RateLimiter,
  type Socket,
  type SocketError,
} from '@sock/core';

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

export async function bandwidth(socket: Socket, view: Uint8Array): Promise<number[]> {
  socket.setBandwidth(1_000);
  const sent: number | null = socket.trySendLimited('x');
  const chunk: Buffer | 0 | null = socket.tryRecvLimited();
  const count: number | null = socket.tryRecvLimited(view);
  const received: Buffer = await socket.recvLimited(10, { timeout: 5 });
  const filled: number = await socket.recvLimited(view);
  // @ts-expect-error: of two directions
  socket.bandwidthWaitMs(5, 'both');
  return [sent ?? 0, count ?? 0, received.length, filled, chunk === 0 ? 0 : (chunk?.length ?? 0)];
}
