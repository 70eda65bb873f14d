/** How the forms that block this thread wait: in poll(2), between two tries. */
import { binding, Errno } from '@sock/native';
import type { Endpoint } from './endpoint.js';
import { closedError, type SocketErrorDetails, systemError, TimeoutError } from './errors.js';
import { monotonicMs } from './monotonic.js';

/** Counts down over all the waits of one call. */
export class Patience {
  private readonly untilMs: number;
  private readonly timeoutMs: number;

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs;
    this.untilMs = monotonicMs() + timeoutMs;
  }

  get leftMs(): number {
    return Math.max(0, this.untilMs - monotonicMs());
  }

  /** Blocks until one of the poll(2) events holds; throws when the time is over. */
  wait(endpoint: Endpoint, events: number, verb: string, details?: SocketErrorDetails): void {
    const { leftMs } = this;
    const limitMs = leftMs === Number.POSITIVE_INFINITY ? -1 : leftMs;
    const ready = binding.wait(endpoint.slot, endpoint.generation, events, limitMs);
    if (ready === -Errno.EBADF) throw closedError();
    if (ready < 0) throw systemError(ready, { syscall: 'poll' });
    if (ready === 0) throw new TimeoutError(verb, this.timeoutMs, details);
  }

  /** Blocks for up to that many milliseconds, where there is nothing to poll for. */
  pause(ms: number, verb: string, details?: SocketErrorDetails): void {
    const { leftMs } = this;
    if (leftMs === 0) throw new TimeoutError(verb, this.timeoutMs, details);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.min(ms, leftMs));
  }
}
