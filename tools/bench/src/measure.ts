import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { benchFile } from './bench-file.js';
import {
  LOAD_PROGRAM,
  PACKAGE_ROOT,
  type Placement,
  pinned,
  type Surroundings,
  serverCommand,
  TLS_LOAD_PROGRAM,
  upstreamCommand,
} from './commands.js';
import { LineProcess } from './line-process.js';
import { sampleLookup } from './lookup.js';
import {
  type Ready,
  readLoadResult,
  readMeasuring,
  readOpen,
  readReady,
  readServerStats,
} from './records.js';
import { sampleScript } from './script.js';
import { median } from './statistics.js';
import type {
  Contender,
  IdleWorkload,
  ImportWorkload,
  LoadWorkload,
  Workload,
} from './workloads.js';

export interface MeasureSettings {
  readonly seconds: number;
  readonly warmup: number;
  /** Operations per second offered to everyone alike; 0 = as fast as answers come. */
  readonly rate: number;
  readonly placement: Placement | null;
}

/** One contender in one round. */
export interface Sample {
  /** In the unit of the workload. */
  readonly value: number;
  readonly perSecond?: number;
  readonly p50Us?: number;
  readonly p99Us?: number;
  readonly loopDelayP99Ms?: number | null;
  readonly perWakeup?: number | null;
  readonly errors?: number;
  readonly congestion?: string | null;
}

const ANSWER_TIMEOUT_MS = 20_000;
const OPEN_TIMEOUT_MS = 120_000;
const POLL_MS = 50;
// Lets the kernel and the allocator's own threads come to rest before memory is read.
const SETTLE_MS = 300;

function loadCommand(
  mode: string,
  ready: Ready,
  path: string | undefined,
  options: string[],
): string[] {
  const target = path !== undefined ? ['--path', path] : ['--port', String(ready.port)];
  const program = mode.startsWith('tls') ? TLS_LOAD_PROGRAM : LOAD_PROGRAM;
  return [program, ...target, ...options, mode];
}

function loadOptions(
  workload: LoadWorkload,
  settings: MeasureSettings,
  ready: Ready,
  { file }: Surroundings,
): string[] {
  const evicted = workload.isCold === true && file !== undefined ? ['--evict', file] : [];
  const rate = settings.rate === 0 ? (workload.rate ?? 0) : settings.rate;
  return [
    ...evicted,
    ...(workload.isResumed === true ? ['--resume'] : []),
    ...['--connections', String(workload.connections), '--size', String(workload.size)],
    ...['--pipeline', String(workload.pipeline), '--rate', String(rate)],
    ...['--seconds', String(settings.seconds), '--warmup', String(settings.warmup)],
    ...ready.pids.flatMap((pid) => ['--server-pid', String(pid)]),
  ];
}

async function sampleLoad(
  contender: Contender,
  workload: LoadWorkload,
  given: MeasureSettings,
  surroundings: Surroundings,
): Promise<Sample> {
  const settings = { ...given, seconds: Math.max(given.seconds, workload.secondsMin ?? 0) };
  const { placement } = settings;
  const command = serverCommand(contender, workload, surroundings);
  await using server = new LineProcess(pinned(command, placement?.server));
  const ready = await server.next(readReady, ANSWER_TIMEOUT_MS);
  const options = loadOptions(workload, settings, ready, surroundings);
  const load = loadCommand(workload.mode, ready, surroundings.path, options);
  await using client = new LineProcess(pinned(load, placement?.load));
  await client.next(readMeasuring, ANSWER_TIMEOUT_MS + settings.warmup * 1000);
  await server.ask('reset', readServerStats, ANSWER_TIMEOUT_MS);
  const result = await client.next(readLoadResult, ANSWER_TIMEOUT_MS + settings.seconds * 1000);
  const stats = await server.ask('stats', readServerStats, ANSWER_TIMEOUT_MS);
  if (result.operations === 0) throw new Error('no operation was completed');
  const cost = (result.serverCpuSeconds / result.operations) * 1e6 * (workload.scale ?? 1);
  const value = workload.figure === 'loopDelay' ? stats.loopDelayP99Ms : cost;
  if (value === null) throw new Error('the server does not tell the delay of its loop');
  return {
    value,
    perSecond: result.perSecond,
    p50Us: result.p50Us,
    p99Us: result.p99Us,
    loopDelayP99Ms: stats.loopDelayP99Ms,
    perWakeup: stats.wakeups ? result.operations / stats.wakeups : null,
    errors: result.errors,
    congestion: result.congestion,
  };
}

/**
 * Memory of its own. Pages of the program are left out: Node's garbage collector runs some of its
 * code for the first time only with more objects, and 5 MiB that come in thus are no connection's.
 * Exact, unlike the counters in /proc/PID/status, which lag by some pages on each processor.
 */
function residentBytes(pid: number): number {
  const match = /^Anonymous:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
  if (match === null) throw new Error('the kernel does not say how much memory is resident');
  return Number(match[1]) * 1024;
}

async function residentWith(
  count: number,
  server: LineProcess,
  client: LineProcess,
  pid: number,
): Promise<number> {
  await client.ask(String(count), readOpen, OPEN_TIMEOUT_MS);
  const deadline = performance.now() + ANSWER_TIMEOUT_MS;
  // The kernel completes a handshake long before a slow server accepts it.
  while ((await server.ask('stats', readServerStats, ANSWER_TIMEOUT_MS)).accepted < count) {
    if (performance.now() > deadline) throw new Error(`the server did not accept ${count}`);
    await sleep(POLL_MS);
  }
  await server.ask('gc', readServerStats, ANSWER_TIMEOUT_MS);
  await sleep(SETTLE_MS);
  return residentBytes(pid);
}

async function sampleIdle(
  contender: Contender,
  workload: IdleWorkload,
  settings: MeasureSettings,
): Promise<Sample> {
  const command = serverCommand(contender, workload);
  await using server = new LineProcess(pinned(command, settings.placement?.server));
  const ready = await server.next(readReady, ANSWER_TIMEOUT_MS);
  const load = loadCommand(workload.key === undefined ? 'idle' : 'tls-idle', ready, undefined, []);
  await using client = new LineProcess(pinned(load, settings.placement?.load));
  const pid = ready.pids[0] ?? 0;
  const before = await residentWith(workload.from, server, client, pid);
  const after = await residentWith(workload.to, server, client, pid);
  return { value: (after - before) / (workload.to - workload.from) };
}

function startMs(program: string, settings: MeasureSettings): number {
  const node = [process.execPath, join('starts', program)];
  const [file = '', ...args] = pinned(node, settings.placement?.server);
  const begin = performance.now();
  const { status, stderr } = spawnSync(file, args, { cwd: PACKAGE_ROOT, encoding: 'utf8' });
  const elapsed = performance.now() - begin;
  if (status !== 0) throw new Error(stderr.trim());
  return elapsed;
}

function sampleImport(workload: ImportWorkload, settings: MeasureSettings): Sample {
  const differences: number[] = [];
  for (let pair = 0; pair < workload.pairs; pair++) {
    const empty = startMs('nothing.mjs', settings);
    differences.push(startMs(workload.program, settings) - empty);
  }
  return { value: median(differences) };
}

async function sampleUnix(
  contender: Contender,
  workload: LoadWorkload,
  settings: MeasureSettings,
): Promise<Sample> {
  const folder = mkdtempSync(join(tmpdir(), 'sock-bench-'));
  try {
    return await sampleLoad(contender, workload, settings, { path: join(folder, 'server.sock') });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function sampleFile(
  contender: Contender,
  workload: LoadWorkload,
  settings: MeasureSettings,
): Promise<Sample> {
  const file = benchFile(workload.size);
  if (workload.isRelayed !== true) return sampleLoad(contender, workload, settings, { file });
  await using upstream = new LineProcess(pinned(upstreamCommand(file), settings.placement?.load));
  const { port } = await upstream.next(readReady, ANSWER_TIMEOUT_MS);
  return await sampleLoad(contender, workload, settings, { file, upstreamPort: port });
}

export async function measure(
  contender: Contender,
  workload: Workload,
  settings: MeasureSettings,
): Promise<Sample> {
  if (workload.kind === 'idle') return sampleIdle(contender, workload, settings);
  if (workload.kind === 'import') return sampleImport(workload, settings);
  if (workload.kind === 'lookup') return sampleLookup(contender, workload, settings);
  if (workload.kind === 'script') return sampleScript(contender, workload, settings);
  if (workload.mode === 'file') return sampleFile(contender, workload, settings);
  if (workload.transport === 'unix') return sampleUnix(contender, workload, settings);
  return sampleLoad(contender, workload, settings, {});
}
