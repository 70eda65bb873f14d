import { isInstalled } from './commands.js';
import { canLookUp } from './lookup.js';
import { type MeasureSettings, measure, type Sample } from './measure.js';
import type { Contender, Workload } from './workloads.js';

/** Everything that was seen of one contender. */
export interface ContenderRecord {
  readonly contender: Contender;
  /** One entry per kept round; null where the round failed. */
  readonly samples: (Sample | null)[];
  readonly installed: boolean;
  /** What went wrong in the round that was the last. */
  failure: string | null;
}

export interface WorkloadRecord {
  readonly workload: Workload;
  readonly records: ContenderRecord[];
}

export interface RoundsSettings extends MeasureSettings {
  readonly rounds: number;
  /** Rounds at the beginning whose figures are thrown away. */
  readonly discarded: number;
}

/** Nobody is always first: what comes before leaves its traces in caches and clocks. */
function rotated<T>(list: readonly T[], by: number): T[] {
  const start = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

async function runOne(
  record: ContenderRecord,
  workload: Workload,
  settings: RoundsSettings,
): Promise<Sample | null> {
  try {
    return await measure(record.contender, workload, settings);
  } catch (error) {
    record.failure = error instanceof Error ? error.message : String(error);
    return null;
  }
}

/** Interleaves the contenders round by round, each in a fresh process every time. */
export async function runRounds(
  workload: Workload,
  contenders: readonly Contender[],
  settings: RoundsSettings,
  progress: (text: string) => void,
): Promise<WorkloadRecord> {
  const isPossible = workload.kind !== 'lookup' || canLookUp(workload);
  const records = contenders.map((contender): ContenderRecord => {
    const installed = isPossible && isInstalled(contender.runtime);
    return { contender, samples: [], installed, failure: null };
  });
  for (let round = 0; round < settings.rounds; round++) {
    for (const record of rotated(records, round)) {
      // Whoever failed once would fail again, and every failure may cost a timeout.
      if (!record.installed || record.failure !== null) continue;
      const sample = await runOne(record, workload, settings);
      const kept = round >= settings.discarded;
      if (kept) record.samples.push(sample);
      const figure = sample === null ? 'failed' : `${sample.value.toFixed(3)} ${workload.unit}`;
      const note = kept ? '' : ' (thrown away)';
      const name = `${workload.id} ${record.contender.id}`;
      progress(`${name}, round ${round + 1}/${settings.rounds}: ${figure}${note}`);
    }
  }
  return { workload, records };
}
