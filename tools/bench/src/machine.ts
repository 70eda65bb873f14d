import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { machine as architecture, cpus, release, type as system, totalmem } from 'node:os';
import { bunProgram } from './commands.js';

const CONGESTION_FILE = '/proc/sys/net/ipv4/tcp_congestion_control';
// The default of some machines, bbr, paces even on loopback and drowns what is compared.
const CONGESTION = 'cubic';

/** What a figure means nothing without. */
export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cpuCount: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly bun: string | null;
  readonly congestion: string;
}

function congestionInForce(): string {
  try {
    return readFileSync(CONGESTION_FILE, 'utf8').trim();
  } catch {
    return 'unknown';
  }
}

export function describeMachine(): Machine {
  const bun = bunProgram();
  const processors = cpus();
  return {
    date: new Date().toISOString(),
    cpu: processors[0]?.model ?? 'unknown',
    cpuCount: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${system()} ${release()} ${architecture()}`,
    node: process.version,
    bun: bun === null ? null : spawnSync(bun, ['--version'], { encoding: 'utf8' }).stdout.trim(),
    congestion: congestionInForce(),
  };
}

/**
 * Puts every TCP socket of the machine on one congestion control and returns what undoes it. Bun
 * and node:net cannot set it on a socket, so the sysctl is the only way to treat all alike.
 */
export function forceCongestion(warn: (text: string) => void): () => void {
  const original = congestionInForce();
  if (original === CONGESTION) return () => {};
  try {
    writeFileSync(CONGESTION_FILE, CONGESTION);
  } catch {
    warn(`cannot set ${CONGESTION}: this run uses ${original}, as its results will say`);
    return () => {};
  }
  const restore = () => writeFileSync(CONGESTION_FILE, original);
  process.once('exit', restore);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => process.exit(1));
  }
  return () => {
    process.removeListener('exit', restore);
    restore();
  };
}

/** Two benches at once measure each other; the name goes with the process that holds it. */
export function claimMachine(): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', () => reject(new Error('another bench runs on this machine')));
    server.listen('\0sock-bench', () => {
      server.unref();
      resolve();
    });
  });
}
