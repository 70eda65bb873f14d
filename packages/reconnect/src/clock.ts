/**
 * Time and chance, as everything here sees them: passed in, so that tests can stop and repeat
 * them.
 */
import { monotonicMs } from '@sock/core';

/** Where the time comes from. */
export interface Clock {
  /** Milliseconds, never going back. */
  now(): number;
}

/** What waits by itself needs more: the timers that go with the time. */
export interface TimerClock extends Clock {
  /** Runs the task once, that much later. */
  setTimeout(task: () => void, delayMs: number): unknown;
  /** What the other has returned runs no more; anything else is passed over. */
  clearTimeout(timer: unknown): void;
}

/** @internal The monotonic clock, and the timers of the event loop. */
export const systemClock: TimerClock = {
  now: monotonicMs,
  setTimeout: (task, delayMs) => setTimeout(task, delayMs),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
};
