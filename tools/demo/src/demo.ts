/** What `npm start` runs: real bytes over real sockets, each library in turn, and a table. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Effort } from './effort.js';
import { type Line, runLines } from './line.js';
import { linesIn } from './lines/index.js';
import { progressOn } from './progress.js';
import { tableOf, verdicts } from './table.js';

/** Prints what came of all lines; the exit code says whether every byte was right. */
export async function demo(effort: Effort): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sock-demo-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  await show(linesIn(folder, effort));
}

export async function show(lines: readonly Line[]): Promise<void> {
  const startMs = performance.now();
  const progress = progressOn(process.stdout);
  const results = await runLines(lines, progress);
  progress.clear();

  const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
  const text = [
    tableOf(results),
    'On loopback, server and client in a process each; medians of rounds in turn. A ratio above 1',
    'is good for a rate, one below 1 for CPU and memory.',
    ...verdicts(results),
    `Done in ${seconds} s. How it is measured with care: pnpm bench, docs/performance.md.`,
  ];
  process.stdout.write(`${text.join('\n')}\n`);
  if (results.some((result) => 'failed' in result)) process.exitCode = 1;
}
