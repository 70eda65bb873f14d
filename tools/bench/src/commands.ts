import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { identityFile, type KeyKind } from './identity.js';
import type { Contender, Runtime, Workload } from './workloads.js';

const ROOT = join(__dirname, '..');
export const LOAD_PROGRAM = join(ROOT, 'build/load');
/** Only where the headers of OpenSSL are. */
export const TLS_LOAD_PROGRAM = join(ROOT, 'build/load_tls');
const SERVER_PROGRAM = join(ROOT, 'build/server');

/** A C server that sends a file to whoever asks, for a relay to pass on. */
export const upstreamCommand = (file: string): string[] => {
  return [SERVER_PROGRAM, '--workload', 'sendfile', '--file', file];
};

/** Modules are looked up from here by processes that are started with code on the command line. */
export const PACKAGE_ROOT = ROOT;

/** The Bun that npm installed, null where there is none for this machine. */
export function bunProgram(): string | null {
  try {
    return require.resolve('@oven/bun-linux-x64/bin/bun');
  } catch {
    return null;
  }
}

/** Bun is optional: it comes for few platforms. Whoever else is missing is a failure. */
export function isInstalled(runtime: Runtime): boolean {
  return runtime !== 'bun' || bunProgram() !== null;
}

/**
 * V8's young generation grows once, by up to 48 MiB, at the first 15,000 objects that live longer:
 * in the slope of memory over connections that would count as theirs. So it is kept small there,
 * for node:net and for us alike.
 */
const STEADY_YOUNG_GENERATION = '--max-semi-space-size=1';

function program(runtime: Runtime, isIdle: boolean, layer: 'tcp' | 'udp' | 'tls'): string[] {
  const name = layer === 'tcp' ? runtime : `${runtime}-${layer}`;
  switch (runtime) {
    case 'c':
      if (layer !== 'tls') return [SERVER_PROGRAM];
      return [process.execPath, join(ROOT, 'servers/c-tls.mjs')];
    case 'bun':
      return [bunProgram() ?? 'bun', join(ROOT, `servers/${name}.mjs`)];
    case 'node':
    case 'sock':
    case 'poll':
      return [
        process.execPath,
        '--expose-gc',
        ...(isIdle ? [STEADY_YOUNG_GENERATION] : []),
        join(ROOT, `servers/${name}.mjs`),
      ];
  }
}

/** Variants of the C servers that are more than a name for the table. */
const FLAGS = new Set(['gather', 'uring']);

/** What a server is told besides its work, each where the workload has it. */
export interface Surroundings {
  /** Where a Unix workload listens. */
  readonly path?: string;
  /** What is sent. */
  readonly file?: string;
  /** Where a relay connects to. */
  readonly upstreamPort?: number;
}

function layerOf(workload: Workload): 'tcp' | 'udp' | 'tls' {
  if (keyOf(workload) !== undefined) return 'tls';
  return workload.kind === 'load' && workload.mode.startsWith('udp') ? 'udp' : 'tcp';
}

function keyOf(workload: Workload): KeyKind | undefined {
  return workload.kind === 'load' || workload.kind === 'idle' ? workload.key : undefined;
}

export function serverCommand(
  contender: Contender,
  workload: Workload,
  { path, file, upstreamPort }: Surroundings = {},
): string[] {
  const options = ['--workload', contender.workload ?? workload.id];
  if (workload.kind === 'load') options.push('--workers', String(workload.workers));
  if (workload.kind === 'load' && file === undefined) options.push('--size', String(workload.size));
  if (path !== undefined) options.push('--path', path);
  if (upstreamPort !== undefined) options.push('--upstream', String(upstreamPort));
  else if (file !== undefined) options.push('--file', file);
  if (contender.runtime === 'c') {
    if (contender.variant !== undefined && FLAGS.has(contender.variant)) {
      options.push(`--${contender.variant}`);
    }
  } else if (contender.variant !== undefined) {
    options.push('--variant', contender.variant);
  }
  const key = keyOf(workload);
  if (key !== undefined) options.push('--identity', identityFile(key));
  return [...program(contender.runtime, workload.kind === 'idle', layerOf(workload)), ...options];
}

/** The processors of the two sides, as taskset wants them. */
export interface Placement {
  readonly server: string;
  readonly load: string;
}

/**
 * The server gets as many processors as it has workers, the load the last one. Null where that
 * cannot be: one processor, or no taskset.
 */
export function placement(workers: number): Placement | null {
  const last = availableParallelism() - 1;
  if (last < 1 || spawnSync('taskset', ['-V']).status !== 0) return null;
  return { server: `0-${Math.min(workers - 1, last)}`, load: String(last) };
}

export function pinned(command: readonly string[], processors: string | undefined): string[] {
  return processors === undefined ? [...command] : ['taskset', '-c', processors, ...command];
}
