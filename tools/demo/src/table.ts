import CliTable3 from 'cli-table3';
import { libraries } from './contender.js';
import type { Figure, Result } from './line.js';

/** Counts and large figures whole, grouped by thousands; others with three significant digits. */
export function number(value: number): string {
  if (Number.isInteger(value) || value >= 100) return Math.round(value).toLocaleString('en');
  return value.toPrecision(3);
}

function ratio({ ours, theirs }: Figure): string {
  if (theirs === undefined) return '';
  return `${(ours / theirs).toFixed(2)} ×`;
}

function rowsOf(result: Result): string[][] {
  const { title } = result.line;
  if ('skipped' in result) return [[title, `skipped: ${result.skipped}`, '', '', '']];
  if ('failed' in result) return [[title, 'FAILED', '', '', '']];
  return result.outcome.figures.map((figure, index) => [
    index === 0 ? title : '',
    figure.unit,
    number(figure.ours),
    figure.theirs === undefined ? 'none' : number(figure.theirs),
    ratio(figure),
  ]);
}

export function tableOf(results: readonly Result[]): string {
  const table = new CliTable3({
    head: ['', '', libraries.sock, libraries.net, 'ratio'],
    colAligns: ['left', 'left', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  table.push(...results.flatMap(rowsOf));
  return table.toString();
}

/** What was compared, and what went wrong, a sentence for each line. */
export function verdicts(results: readonly Result[]): string[] {
  return results.flatMap((result) => {
    const { title } = result.line;
    if ('failed' in result) return [`${title}: FAILED: ${result.failed}`];
    if ('skipped' in result) return [];
    const { verified, drawing = [] } = result.outcome;
    return [`${title}: ${verified}`, ...drawing];
  });
}
