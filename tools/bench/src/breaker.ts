/** Runs what calls through a circuit breaker, in a process of its own. */
import { join } from 'node:path';
import type { BreakerWorkload } from './breaker-workloads.js';
import { PACKAGE_ROOT, pinned } from './commands.js';
import { LineProcess } from './line-process.js';
import type { MeasureSettings, Sample } from './measure.js';
import { readLookupResult } from './records.js';
import type { Contender } from './workloads.js';

const LIMIT_MS = 60_000;

export async function sampleBreaker(
  contender: Contender,
  { work, calls }: BreakerWorkload,
  settings: MeasureSettings,
): Promise<Sample> {
  const script = join(PACKAGE_ROOT, 'servers/breaker.mjs');
  const args = ['--work', work, '--by', contender.id, '--calls', String(calls)];
  const command = [process.execPath, script, ...args];
  await using child = new LineProcess(pinned(command, settings.placement?.server));
  return await child.next(readLookupResult, LIMIT_MS);
}
