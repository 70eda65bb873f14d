/** How the forms that block this thread wait: in poll(2), between two tries. */
import type { Endpoint } from './endpoint.js';
import { binding } from './reactor.js';

const { now } = binding;

/** Counts down over all the waits of one call. */
export class Countdown {
  readonly timeoutMs: number;
  private readonly untilMs: number;

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs;
    this.untilMs = now() + timeoutMs;
  }

  get leftMs(): number {
    return Math.max(0, this.untilMs - now());
  }

  /**
   * Blocks until one of the poll(2) events holds, which it returns; 0 when the time is over, or a
   * negative errno: EBADF when the socket is closed.
   */
  waitFor({ slot, generation }: Endpoint, events: number): number {
    const { leftMs } = this;
    const limitMs = leftMs === Number.POSITIVE_INFINITY ? -1 : leftMs;
    return binding.wait(slot, generation, events, limitMs);
  }
}
