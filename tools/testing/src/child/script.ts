/** Scripts in Node processes of their own, for what ends, crashes, or runs somewhere else. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ended, type LaunchOptions, launch, Peer } from '../launch.js';
import type { Namespace } from '../network/namespace.js';
import { within } from '../within.js';

const root = join(__dirname, '..', '..', '..', '..');
const register = join(__dirname, 'register.cjs');

export interface ScriptOptions {
  /** Default 10,000; the process is killed then, and the run rejects. */
  limitMs?: number;
  env?: Readonly<Record<string, string>>;
  /** More arguments for node. */
  nodeArgs?: readonly string[];
  /** Where its network is. Default: where the test's is. */
  namespace?: Namespace;
  /**
   * System calls that fail, in the words of strace's `inject`: `accept4:error=EMFILE:when=1..3`.
   * Needs the peer 'strace that may trace'.
   */
  inject?: readonly string[];
  /**
   * Files of the system, by absolute path, that it sees with another content; they must exist.
   * Needs the peer 'mount namespaces'.
   */
  files?: Readonly<Record<string, string>>;
  input?: string;
}

export interface ScriptResult extends Omit<Ended, 'stdout'> {
  readonly stdout: string;
  /** Sockets that were open at the end; undefined when the process did not get that far. */
  readonly leakedSockets: number | undefined;
  /** With `inject`: strace's log of the calls that were tampered with. */
  readonly trace: string;
}

/** A sanitizer's runtime goes only to our own process: not to nsenter, nor to strace. */
function preload(): string[] {
  const { LD_PRELOAD } = process.env;
  return LD_PRELOAD ? ['env', `LD_PRELOAD=${LD_PRELOAD}`] : [];
}

function tracer(inject: readonly string[], log: string): string[] {
  if (inject.length === 0) return [];
  const calls = inject.map((rule) => rule.split(':')[0]).join(',');
  const rules = inject.flatMap((rule) => ['-e', `inject=${rule}`]);
  return ['strace', '-f', '-qq', '-o', log, '-e', `trace=${calls}`, ...rules];
}

/** A mount namespace of its own, where each file is covered by one of ours. */
function covering(files: Readonly<Record<string, string>>, folder: string): string[] {
  const mounts = Object.entries(files).map(([path, content], index) => {
    const cover = join(folder, `cover-${index}`);
    writeFileSync(cover, content);
    return `mount --bind ${cover} ${path}`;
  });
  if (mounts.length === 0) return [];
  return ['unshare', '--mount', 'sh', '-ec', `${mounts.join('\n')}\nexec "$@"`, 'sh'];
}

/**
 * Runs the body of an async function in a Node process that sees the packages' sources:
 * `const { listen } = require('@sock/core')`. Resolves when the process has ended.
 */
export async function runScript(body: string, options: ScriptOptions = {}): Promise<ScriptResult> {
  const { limitMs = 10_000, nodeArgs = [], inject = [], files = {}, input = '' } = options;
  const folder = mkdtempSync(join(tmpdir(), 'sock-script-'));
  const [log, report] = [join(folder, 'trace'), join(folder, 'report')];
  const [command = process.execPath, ...args] = [
    ...(options.namespace?.prefix ?? []),
    ...covering(files, folder),
    ...tracer(inject, log),
    ...preload(),
    process.execPath,
    ...['--conditions', '@sock/source', '--require', register, ...nodeArgs],
    ...['--eval', `(async () => {${body}\n})();`],
  ];
  // LeakSanitizer cannot run in a process that is traced.
  const sanitizer = inject.length > 0 ? { ASAN_OPTIONS: 'detect_leaks=0' } : {};
  const env = { ...sanitizer, ...options.env, SOCK_TESTING_REPORT: report };
  const peer = new Peer(command, args, { cwd: root, env, input });
  try {
    const { stdout, ...ended } = await within(limitMs, peer.ended, 'the script');
    const leaked = readIfThere(report);
    return {
      ...ended,
      stdout: stdout.toString(),
      leakedSockets: leaked === '' ? undefined : Number(leaked),
      trace: readIfThere(log),
    };
  } catch (error) {
    if (error instanceof Error) error.message += `\n${peer.stdout}\n${peer.stderr}`;
    throw error;
  } finally {
    await peer.stop();
    rmSync(folder, { recursive: true });
  }
}

/**
 * Starts such a process, and goes on when it has printed `ready`: for what others talk to, or that
 * is to be killed. It ends with the test, as every peer does.
 */
export function startScript(
  body: string,
  { env, ready }: Pick<LaunchOptions, 'env' | 'ready'> = {},
): Promise<Peer> {
  const [command = process.execPath, ...args] = [
    ...preload(),
    process.execPath,
    ...['--conditions', '@sock/source', '--require', register],
    ...['--eval', `(async () => {${body}\n})();`],
  ];
  return launch(command, args, {
    cwd: root,
    ...(env === undefined ? {} : { env }),
    ...(ready === undefined ? {} : { ready }),
  });
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
