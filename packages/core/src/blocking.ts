/** How the forms that block this thread wait, and what they throw when the time is over. */
import { Countdown, type Endpoint, Errno } from '@sock/native';
import { closedError, type SocketErrorDetails, systemError, TimeoutError } from './errors.js';

export class Patience extends Countdown {
  /** Blocks until one of the poll(2) events holds; throws when the time is over. */
  wait(endpoint: Endpoint, events: number, verb: string, details?: SocketErrorDetails): void {
    const ready = this.waitFor(endpoint, events);
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
