/** Runs work that measures itself, in a process of its own. */
import { join } from 'node:path';
import { PACKAGE_ROOT, pinned } from './commands.js';
import { LineProcess } from './line-process.js';
import type { MeasureSettings, Sample } from './measure.js';
import { readLookupResult } from './records.js';
import type { Bar, Contender } from './workloads.js';

/** Something done again and again in one process, which says itself what it costs. */
export interface ScriptWorkload {
  readonly kind: 'script';
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly contenders: readonly Contender[];
  readonly bars: readonly Bar[];
  /** Who does it: a file of servers/, without `.mjs`. It is told the rest, and who contends. */
  readonly script: string;
  readonly work: string;
  /** How often. */
  readonly count: number;
}

const LIMIT_MS = 60_000;

export async function sampleScript(
  contender: Contender,
  { script, work, count }: ScriptWorkload,
  settings: MeasureSettings,
): Promise<Sample> {
  const file = join(PACKAGE_ROOT, `servers/${script}.mjs`);
  const args = ['--work', work, '--by', contender.id, '--count', String(count)];
  const command = [process.execPath, file, ...args];
  await using child = new LineProcess(pinned(command, settings.placement?.server));
  return await child.next(readLookupResult, LIMIT_MS);
}
