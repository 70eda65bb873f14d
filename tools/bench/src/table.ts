import CliTable3 from 'cli-table3';
import type { Report, Row, WorkloadResult } from './results.js';
import type { Summary } from './statistics.js';

const NONE = '–';
const MARKDOWN = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '|',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '|',
  'right-mid': '',
  middle: '|',
};

interface Column {
  readonly head: string;
  readonly cell: (row: Row) => string;
}

/** Three significant digits, and never an exponent. */
export function digits(value: number): string {
  if (value === 0) return '0';
  const places = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(places, 3));
}

function spread(summary: Summary | null): string {
  if (summary === null) return NONE;
  return `${digits(summary.median)} (${digits(summary.min)}–${digits(summary.max)})`;
}

const optional = (value: number | null) => (value === null ? NONE : digits(value));

function figure({ installed, failure, value }: Row): string {
  if (!installed) return 'not installed';
  return failure === null ? spread(value) : 'failed';
}

function columnsOf({ unit, rows }: WorkloadResult): Column[] {
  const columns: Column[] = [
    { head: '', cell: (row) => row.label },
    { head: unit, cell: figure },
  ];
  if (rows.some((row) => row.ratioToC !== null)) {
    columns.push({ head: '× C', cell: (row) => (row.id === 'c' ? '1' : spread(row.ratioToC)) });
  }
  if (rows.some((row) => row.perSecond !== null)) {
    columns.push(
      { head: 'per second', cell: (row) => optional(row.perSecond) },
      { head: 'p50 µs', cell: (row) => optional(row.p50Us) },
      { head: 'p99 µs', cell: (row) => optional(row.p99Us) },
      { head: 'loop delay p99 ms', cell: (row) => optional(row.loopDelayP99Ms) },
      { head: 'per wake-up', cell: (row) => optional(row.perWakeup) },
    );
  }
  if (rows.some((row) => row.errors > 0)) {
    columns.push({ head: 'errors', cell: (row) => String(row.errors) });
  }
  return columns;
}

function grid(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const style = { head: [], border: [], compact: true };
  const table = new CliTable3({ head: [...head], style });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new CliTable3({ chars: MARKDOWN, style: { head: [], border: [] } });
  const rule = head.map((_, column) => (column === 0 ? ':--' : '--:'));
  table.push([...head], rule, ...rows.map((row) => [...row]));
  return table.toString();
}

function workloadTable(result: WorkloadResult, render: typeof grid): string {
  const columns = columnsOf(result);
  const rows = result.rows.map((row) => columns.map(({ cell }) => cell(row)));
  return render(
    columns.map(({ head }) => head),
    rows,
  );
}

function barTable(results: readonly WorkloadResult[], render: typeof grid): string {
  const rows = results.flatMap(({ id, bars }) =>
    bars.map(({ text, measured, verdict }) => [id, text, spread(measured), verdict]),
  );
  return rows.length === 0 ? '' : render(['work', 'bar', 'measured', 'verdict'], rows);
}

function failures({ rows }: WorkloadResult): string {
  return rows
    .filter(({ failure }) => failure !== null)
    .map(({ label, failure }) => `\n${label} failed: ${failure}`)
    .join('');
}

export function terminalTable(result: WorkloadResult): string {
  return `\n${result.title}\n${workloadTable(result, grid)}${failures(result)}`;
}

/** What a smoke run tells: who gave right answers. Its figures mean nothing. */
export function smokeLine(result: WorkloadResult): string {
  const words = result.rows.map(({ label, installed, failure, errors }) => {
    if (!installed) return `${label} not installed`;
    if (failure !== null) return `${label} FAILED`;
    return errors > 0 ? `${label} FAILED with ${errors} errors` : `${label} ok`;
  });
  return `${result.id}: ${words.join('; ')}${failures(result)}`;
}

export function terminalBars(results: readonly WorkloadResult[]): string {
  return barTable(results, grid);
}

export function markdownReport({ machine, settings, workloads }: Report): string {
  const facts = [...Object.entries(machine), ...Object.entries(settings)]
    .map(([name, value]) => `- ${name}: ${value ?? 'none'}`)
    .join('\n');
  const tables = workloads.map((result) => {
    return `## ${result.id}: ${result.title}\n\n${workloadTable(result, markdown)}\n`;
  });
  const bars = barTable(workloads, markdown);
  const barPart = bars === '' ? '' : `## Bars\n\n${bars}\n`;
  const note = 'Medians over the kept rounds, with the lowest and the highest in brackets.';
  return ['# Bench', facts, note, barPart, ...tables].filter((part) => part !== '').join('\n\n');
}
