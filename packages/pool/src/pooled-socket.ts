/** What a pool takes, and what it asks of it. */
import type { StreamSocket } from '@sock/core';
import { checkFunction, checkObject } from '@sock/native';

/**
 * A connected stream that a pool can hold: sockets of `@sock/core` and `@sock/tls` are, and so is
 * every other {@link StreamSocket}. With the members here the pool knows more of it.
 */
export interface PooledSocket extends StreamSocket {
  /** The peer's address, by which connections are counted and refused. */
  readonly remoteAddress?: string | undefined;
  /** Bytes received; with `bytesWritten` the sign of life that keeps it from being idle. */
  readonly bytesRead?: number | undefined;
  /** Bytes sent. */
  readonly bytesWritten?: number | undefined;
}

/** Sockets of ours tell when they are closed; of others it is noticed at the next sweep. */
interface TellsClose extends PooledSocket {
  whenClosed?(listener: () => void): void;
  notWhenClosed?(listener: () => void): void;
}

export function checkSocket<S extends PooledSocket>(value: unknown): S {
  const socket = checkObject<PooledSocket>('socket', value);
  for (const verb of ['send', 'recv', 'close'] as const) {
    checkFunction(`socket.${verb}`, socket[verb]);
  }
  return value as S;
}

export function bytesMoved({ bytesRead = 0, bytesWritten = 0 }: PooledSocket): number {
  return bytesRead + bytesWritten;
}

export function whenClosed(socket: PooledSocket, listener: () => void): void {
  (socket as TellsClose).whenClosed?.(listener);
}

export function notWhenClosed(socket: PooledSocket, listener: () => void): void {
  (socket as TellsClose).notWhenClosed?.(listener);
}
