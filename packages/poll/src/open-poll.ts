import { PollError } from '@sock/core';
import { binding, Control } from '@sock/native';
import { lastCallError } from './errors.js';
import type { PollBackend } from './poll-events.js';

/** A poll of the addon: its number, and the memory that events are written to. */
export function openPoll(
  backend: PollBackend,
  maxEvents: number,
): { id: number; words: Int32Array } {
  if (!binding.backends.includes(backend)) {
    const message = `${backend} is not available here; there is ${binding.backends.join(', ')}`;
    throw new PollError(message, { code: 'ERR_SOCK_UNSUPPORTED' });
  }
  const words = binding.pollCreate(backend, maxEvents);
  if (typeof words === 'number') throw lastCallError(words, 'no poll could be made');
  return { id: binding.control[Control.Extra] as number, words };
}
