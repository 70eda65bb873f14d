/** Which cells of the addon's counters hold durations: the twin of kDurationCells in counters.h. */

/** What is measured. */
export const durationNames = ['connect', 'dns_lookup', 'tls_handshake', 'connection'] as const;
export type DurationName = (typeof durationNames)[number];

export const outcomes = ['success', 'failure'] as const;
export type Outcome = (typeof outcomes)[number];

/** Milliseconds up to which each bucket but the last reaches, of what is awaited. */
const awaited: readonly number[] = [
  0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000,
];
const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
/** The same, of what is there for a while. */
const lived: readonly number[] = [
  ...[10, 100, 500, second, 5 * second, 15 * second],
  ...[minute, 5 * minute, 15 * minute, 30 * minute],
  ...[hour, 4 * hour, 12 * hour, day, 7 * day],
];

export const durationBounds: Readonly<Record<DurationName, readonly number[]>> = {
  connect: awaited,
  dns_lookup: awaited,
  tls_handshake: awaited,
  connection: lived,
};

const buckets = 16;
const cellsPerBucket = 2;
const cellsPerOutcome = buckets * cellsPerBucket;
const cellsPerDuration = outcomes.length * cellsPerOutcome;
export const durationCells = durationNames.length * cellsPerDuration;

function firstCellOf(name: DurationName, outcome: Outcome): number {
  return (
    durationNames.indexOf(name) * cellsPerDuration + outcomes.indexOf(outcome) * cellsPerOutcome
  );
}

/** The cell of the bucket that a duration belongs to. */
export function durationCell(name: DurationName, outcome: Outcome, durationMs: number): number {
  const bounds = durationBounds[name];
  let bucket = 0;
  // A bucket holds its bound, as `le` of Prometheus and the bounds of OpenTelemetry mean it.
  while (durationMs > (bounds[bucket] ?? Infinity)) bucket++;
  return firstCellOf(name, outcome) + bucket * cellsPerBucket;
}

/** What was measured of one thing with one outcome. */
export interface DurationCounts {
  /** How many fell into each bucket; the last one is of those above all bounds. */
  readonly counts: readonly number[];
  /** The sum of each bucket, in milliseconds. */
  readonly sums: readonly number[];
}

/** Picks one out of all the cells. */
export function durationCounts(
  cells: Float64Array,
  name: DurationName,
  outcome: Outcome,
): DurationCounts {
  const first = firstCellOf(name, outcome);
  const at = (bucket: number, part: number) =>
    cells[first + bucket * cellsPerBucket + part] as number;
  const numbers = Array.from({ length: buckets }, (_, bucket) => bucket);
  return {
    counts: numbers.map((bucket) => at(bucket, 0)),
    sums: numbers.map((bucket) => at(bucket, 1) / 1_000),
  };
}
