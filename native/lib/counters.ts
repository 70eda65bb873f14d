/** What this process has done, in numbers: over all threads, those that have ended included. */
import { type CounterName, counterNames } from './constants.js';
import { binding } from './reactor.js';

const indexes = new Map(counterNames.map((name, index) => [name, index]));
const values = new Float64Array(counterNames.length);

/** One more, or so many, of what only JavaScript knows of. */
export function count(name: CounterName, by = 1): void {
  binding.count(indexes.get(name) as number, by);
}

/** All counts, as of now; integers that are exact up to 2^53. */
export function readCounters(): Record<CounterName, number> {
  binding.readCounters(values);
  const entries = counterNames.map((name, index) => [name, values[index]] as const);
  return Object.fromEntries(entries) as Record<CounterName, number>;
}

/**
 * Whether connections of this thread count what TCP had to send again when they are closed. Off at
 * first: it takes a system call for each.
 */
export function countRetransmits(on: boolean): void {
  binding.countRetransmits(on);
}
