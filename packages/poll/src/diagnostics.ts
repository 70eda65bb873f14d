/**
 * What polls tell on node:diagnostics_channel. Where nobody listens, a wake-up costs a look at one
 * boolean.
 */
import { channel } from 'node:diagnostics_channel';
import { monotonicMs } from '@sock/core';
import type { PollBackend } from './poll-events.js';

/** The message of `sock:poll:wakeup`: a wait of a poll, in whatever form, has found something. */
export interface WakeupEvent {
  /** When, in milliseconds of `monotonicMs()`. */
  readonly time: number;
  /** Of the poll. */
  readonly backend: PollBackend;
  /** How many events it returns. None and no timers: somebody called `wake()`. */
  readonly events: number;
  /** How many timers have fired in it. */
  readonly timers: number;
}

// Held here: a channel that nobody holds is collected, and its subscribers with it.
const wakeup = channel('sock:poll:wakeup');

export function tellWakeup(backend: PollBackend, events: number, timers: number): void {
  if (!wakeup.hasSubscribers) return;
  wakeup.publish({ time: monotonicMs(), backend, events, timers } satisfies WakeupEvent);
}
