/** Whether a connection is of any more use to whoever borrows it. */
import type { StreamSocket } from '@sock/core';
import { binding, Errno, tcpFigures } from '@sock/native';

const figures = new Float64Array(tcpFigures.length);
const state = tcpFigures.indexOf('state');
/** As in TCP_INFO. */
const established = 1;

/** Of TLS, whose goodbye is bytes to the kernel. */
interface KnowsEnd extends StreamSocket {
  hasEnded?(): boolean;
}

/**
 * Whether the peer has hung up, as far as can be known by looking. Bytes that wait are fine, unless
 * they are its last.
 */
export function hasEnded(socket: StreamSocket): boolean {
  const { fd } = socket;
  const result = fd < 0 ? 0 : binding.peek(fd);
  if (result <= 0) return result !== -Errno.EAGAIN;
  // What is not TCP has no such state.
  const isHalf = binding.tcpInfoOf(fd, figures) === 0 && figures[state] !== established;
  return isHalf || ((socket as KnowsEnd).hasEnded?.() ?? false);
}
