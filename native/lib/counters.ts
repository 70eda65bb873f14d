/** What this process has done, in numbers: over all threads, those that have ended included. */
import { type CounterName, counterNames } from './constants.js';
import {
  type DurationCounts,
  type DurationName,
  durationCell,
  durationCells,
  durationCounts,
  type Outcome,
} from './duration-cells.js';
import { binding } from './reactor.js';

const indexes = new Map(counterNames.map((name, index) => [name, index]));
const values = new Float64Array(counterNames.length + durationCells);
const cells = values.subarray(counterNames.length);

/** One more, or so many, of what only JavaScript knows of. */
export function count(name: CounterName, by = 1): void {
  binding.count(indexes.get(name) as number, by);
}

/** Adds to the histogram of `name`. */
export function countDuration(name: DurationName, outcome: Outcome, durationMs: number): void {
  binding.countDuration(durationCell(name, outcome, durationMs), Math.round(durationMs * 1_000));
}

/** All counts, as of now; integers that are exact up to 2^53. */
export function readCounters(): Record<CounterName, number> {
  binding.readCounters(values);
  const entries = counterNames.map((name, index) => [name, values[index]] as const);
  return Object.fromEntries(entries) as Record<CounterName, number>;
}

/** A function that picks out of the histograms as they are now. */
export function readDurations(): (name: DurationName, outcome: Outcome) => DurationCounts {
  binding.readCounters(values);
  const now = cells.slice();
  return (name, outcome) => durationCounts(now, name, outcome);
}

/**
 * Whether connections of this thread count what TCP had to send again when they are closed. Off at
 * first: it takes a system call for each.
 */
export function countRetransmits(on: boolean): void {
  binding.countRetransmits(on);
}
