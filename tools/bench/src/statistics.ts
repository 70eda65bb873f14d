/** What the rounds of one contender say together. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (upper === undefined || lower === undefined) throw new RangeError('no values to summarize');
  return (lower + upper) / 2;
}

export function summarize(values: readonly number[]): Summary {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

function paired(
  values: readonly (number | null)[],
  base: readonly (number | null)[],
  combine: (value: number, other: number) => number,
): Summary | null {
  const results: number[] = [];
  values.forEach((value, round) => {
    const other = base[round] ?? null;
    if (value !== null && other !== null && other > 0) results.push(combine(value, other));
  });
  return results.length === 0 ? null : summarize(results);
}

/**
 * Ratios are taken inside each round and summarized afterwards: what disturbs a round disturbs both
 * sides of it, so this is far steadier than the ratio of two medians. A round that either side
 * missed is left out; null when none is left.
 */
export function pairedRatio(
  values: readonly (number | null)[],
  base: readonly (number | null)[],
): Summary | null {
  return paired(values, base, (value, other) => value / other);
}

/** As {@link pairedRatio}: how much a value is beyond the other one. */
export function pairedDifference(
  values: readonly (number | null)[],
  base: readonly (number | null)[],
): Summary | null {
  return paired(values, base, (value, other) => value - other);
}
