import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { svgChart } from './chart.js';
import { PACKAGE_ROOT, placement } from './commands.js';
import { claimMachine, describeMachine, forceCongestion } from './machine.js';
import { conclude, type Report, type WorkloadResult } from './results.js';
import { type RoundsSettings, runRounds } from './rounds.js';
import { markdownReport, smokeLine, terminalBars, terminalTable } from './table.js';
import { shrink, WORKLOADS, type Workload } from './workloads.js';

const USAGE = `Usage: pnpm bench [workload…] [options]

  --rounds <n>        rounds, the first of which is thrown away (6)
  --seconds <s>       measured time of one run (3)
  --warmup <s>        time before it (1)
  --rate <n>          operations a second offered to everyone, 0 = as fast as possible (0)
  --contenders <a,b>  only these, by name (sock-view) or by runtime (sock)
  --out <folder>      where the results go (tools/bench/results)
  --name <name>       their name without extension (latest)
  --smoke             every workload in the small: right or wrong, never how fast
  --list              the workloads

Workloads: ${WORKLOADS.map(({ id }) => id).join(', ')}
`;

const OPTIONS = {
  rounds: { type: 'string', default: '6' },
  seconds: { type: 'string', default: '3' },
  warmup: { type: 'string', default: '1' },
  rate: { type: 'string', default: '0' },
  contenders: { type: 'string' },
  out: { type: 'string', default: join(PACKAGE_ROOT, 'results') },
  name: { type: 'string', default: 'latest' },
  smoke: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

const SMOKE = { rounds: 1, discarded: 0, seconds: 0.1, warmup: 0, rate: 0 };

function toNumber(name: string, text: string, least: number): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < least) {
    throw new RangeError(`--${name} must be a number of at least ${least}, not "${text}"`);
  }
  return value;
}

function chosenWorkloads(names: readonly string[]): readonly Workload[] {
  const unknown = names.find((name) => WORKLOADS.every(({ id }) => id !== name));
  if (unknown !== undefined) throw new RangeError(`no workload "${unknown}"\n\n${USAGE}`);
  return names.length === 0 ? WORKLOADS : WORKLOADS.filter(({ id }) => names.includes(id));
}

function chosenContenders(workload: Workload, list: string | undefined) {
  if (list === undefined) return workload.contenders;
  const names = list.split(',');
  return workload.contenders.filter(({ id, runtime }) => {
    return names.includes(id) || names.includes(runtime);
  });
}

function log(text: string): void {
  process.stderr.write(`${text}\n`);
}

interface RunOptions {
  readonly contenders: string | undefined;
  readonly settings: Omit<RoundsSettings, 'placement'>;
  /** Whether the two sides get processors of their own. */
  readonly pin: boolean;
  readonly show: (result: WorkloadResult) => string;
  readonly progress: (text: string) => void;
}

async function runAll(workloads: readonly Workload[], run: RunOptions): Promise<WorkloadResult[]> {
  const results: WorkloadResult[] = [];
  for (const workload of workloads) {
    const workers = workload.kind === 'load' ? workload.workers : 1;
    const settings = { ...run.settings, placement: run.pin ? placement(workers) : null };
    const chosen = chosenContenders(workload, run.contenders);
    const result = conclude(await runRounds(workload, chosen, settings, run.progress));
    process.stdout.write(`${run.show(result)}\n`);
    results.push(result);
  }
  return results;
}

/** True when nothing went wrong; that something is not installed is no fault. */
function isSound(results: readonly WorkloadResult[]): boolean {
  const rows = results.flatMap((result) => result.rows);
  return rows.every(({ failure, errors }) => failure === null && errors === 0);
}

function write(report: Report, folder: string, name: string): void {
  mkdirSync(folder, { recursive: true });
  const files = {
    json: `${JSON.stringify(report, null, 2)}\n`,
    md: `${markdownReport(report)}\n`,
    svg: svgChart(report),
  };
  for (const [extension, text] of Object.entries(files)) {
    const file = join(folder, `${name}.${extension}`);
    writeFileSync(file, text);
    log(`wrote ${file}`);
  }
}

async function main(): Promise<boolean> {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  if (values.help || values.list) {
    process.stdout.write(values.help ? USAGE : `${WORKLOADS.map(({ id }) => id).join('\n')}\n`);
    return true;
  }
  const { contenders } = values;
  const workloads = chosenWorkloads(positionals);
  if (values.smoke) {
    const run = { contenders, settings: SMOKE, pin: false, show: smokeLine, progress: () => {} };
    return isSound(await runAll(workloads.map(shrink), run));
  }
  const settings = {
    rounds: toNumber('rounds', values.rounds, 2),
    discarded: 1,
    seconds: toNumber('seconds', values.seconds, 0.1),
    warmup: toNumber('warmup', values.warmup, 0),
    rate: toNumber('rate', values.rate, 0),
  };
  await claimMachine();
  const restore = forceCongestion(log);
  const machine = describeMachine();
  const run = { contenders, settings, pin: true, show: terminalTable, progress: log };
  const results = await runAll(workloads, run).finally(restore);
  process.stdout.write(`\n${terminalBars(results)}\n`);
  write({ machine, settings, workloads: results }, values.out, values.name);
  return isSound(results);
}

main().then(
  (sound) => {
    process.exitCode = sound ? 0 : 1;
  },
  (error: Error) => {
    log(error instanceof RangeError ? error.message : (error.stack ?? error.message));
    process.exitCode = 2;
  },
);
