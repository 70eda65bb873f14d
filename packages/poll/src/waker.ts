import { binding, checkInteger, invalidType } from '@sock/native';

/** What may be anything, a proxy that was revoked included. */
function idOf(waker: unknown): unknown {
  try {
    if (typeof waker === 'object' && waker !== null) return (waker as { id?: unknown }).id;
  } catch {
    // As nothing that has an id.
  }
  throw invalidType('waker', 'a Waker, or a copy of one', waker);
}

/**
 * Wakes a poll from any thread of this process. It is nothing but a number, so it can be posted to
 * a worker, which makes a waker of what arrives.
 *
 * @example
 * ```ts
 * worker.postMessage(poll.waker()); // here
 * parentPort.once('message', (message) => new Waker(message).wake()); // in the worker
 * ```
 */
export class Waker {
  /** Names the poll in this process, for as long as it is open; 1 to 2^53−1. */
  readonly id: number;

  /**
   * @param waker A waker, or what has become of one on its way between threads.
   * @throws TypeError or RangeError when it is neither.
   */
  constructor(waker: { readonly id: number }) {
    this.id = checkInteger('waker.id', idOf(waker), 1, Number.MAX_SAFE_INTEGER);
  }

  /**
   * The wait that is under way returns at once, with what there is; without one, the next wait
   * does. Several wake-ups before that are one.
   *
   * @returns False when the poll is closed, or belongs to another copy of `@sock/native`.
   */
  wake(): boolean {
    return binding.pollWake(this.id);
  }
}
