import type { Machine } from './machine.js';
import type { Sample } from './measure.js';
import type { ContenderRecord, WorkloadRecord } from './rounds.js';
import { median, pairedDifference, pairedRatio, type Summary, summarize } from './statistics.js';
import type { Bar, Workload } from './workloads.js';

export interface Row {
  readonly id: string;
  readonly label: string;
  readonly installed: boolean;
  readonly failure: string | null;
  readonly value: Summary | null;
  readonly ratioToC: Summary | null;
  readonly perSecond: number | null;
  readonly p50Us: number | null;
  readonly p99Us: number | null;
  readonly loopDelayP99Ms: number | null;
  readonly perWakeup: number | null;
  readonly errors: number;
  readonly samples: readonly (Sample | null)[];
}

export interface BarResult {
  readonly text: string;
  readonly measured: Summary | null;
  readonly verdict: 'met' | 'not met' | 'not measured';
}

export interface WorkloadResult {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly rows: readonly Row[];
  readonly bars: readonly BarResult[];
}

export interface Report {
  readonly machine: Machine;
  readonly settings: Readonly<Record<string, number>>;
  readonly workloads: readonly WorkloadResult[];
}

type NumericField = 'perSecond' | 'p50Us' | 'p99Us' | 'loopDelayP99Ms' | 'perWakeup';

const values = (record: ContenderRecord) => record.samples.map((sample) => sample?.value ?? null);

function present(list: readonly (number | null | undefined)[]): number[] {
  return list.filter((value) => typeof value === 'number');
}

function medianOf(record: ContenderRecord, field: NumericField): number | null {
  const list = present(record.samples.map((sample) => sample?.[field]));
  return list.length === 0 ? null : median(list);
}

function rowOf(record: ContenderRecord, base: ContenderRecord | undefined): Row {
  const figures = present(values(record));
  return {
    id: record.contender.id,
    label: record.contender.label,
    installed: record.installed,
    failure: record.failure,
    value: figures.length === 0 ? null : summarize(figures),
    ratioToC: base === undefined ? null : pairedRatio(values(record), values(base)),
    perSecond: medianOf(record, 'perSecond'),
    p50Us: medianOf(record, 'p50Us'),
    p99Us: medianOf(record, 'p99Us'),
    loopDelayP99Ms: medianOf(record, 'loopDelayP99Ms'),
    perWakeup: medianOf(record, 'perWakeup'),
    errors: record.samples.reduce((sum, sample) => sum + (sample?.errors ?? 0), 0),
    samples: record.samples,
  };
}

function describeBar(bar: Bar, workload: Workload): string {
  const label = (id: string) =>
    workload.contenders.find((contender) => contender.id === id)?.label ?? id;
  const sign = bar.strict === true ? '<' : '≤';
  const limit =
    bar.against === undefined
      ? `${bar.limit} ${workload.unit}`
      : bar.isBeyond === true
        ? `${label(bar.against)} + ${bar.limit} ${workload.unit}`
        : `${Number(bar.limit.toFixed(2))} × ${label(bar.against)}`;
  return `${label(bar.contender)} ${sign} ${limit}`;
}

export function judge(bar: Bar, { workload, records }: WorkloadRecord): BarResult {
  const text = describeBar(bar, workload);
  const find = (id: string) => records.find((record) => record.contender.id === id);
  const subject = find(bar.contender);
  const other = bar.against === undefined ? undefined : find(bar.against);
  let measured: Summary | null = null;
  if (subject !== undefined && bar.against === undefined) {
    const figures = present(values(subject));
    measured = figures.length === 0 ? null : summarize(figures);
  } else if (subject !== undefined && other !== undefined) {
    const combine = bar.isBeyond === true ? pairedDifference : pairedRatio;
    measured = combine(values(subject), values(other));
  }
  if (measured === null) return { text, measured, verdict: 'not measured' };
  const met = bar.strict === true ? measured.median < bar.limit : measured.median <= bar.limit;
  return { text, measured, verdict: met ? 'met' : 'not met' };
}

export function conclude(record: WorkloadRecord): WorkloadResult {
  const { workload, records } = record;
  const base = records.find(({ contender }) => contender.id === 'c');
  return {
    id: workload.id,
    title: workload.title,
    unit: workload.unit,
    rows: records.map((entry) => rowOf(entry, base)),
    bars: workload.bars.map((bar) => judge(bar, record)),
  };
}
