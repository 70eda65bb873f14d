/** Processes of our own: what happens in them cannot disturb Jest, and they can be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { addonPath, compiledFolder } from './compiled.js';

export interface ChildOptions {
  args?: readonly (string | number)[];
  /** Options of Node itself, such as `--expose-gc`. */
  nodeArgs?: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** The most descriptors that it may have. */
  descriptorsMax?: number;
  /** It is killed, and its promise rejected, after this time. Default 50 s. */
  timeoutMs?: number;
}

/**
 * For children that call process.exit(): it frees nothing of V8's own, which a leak checker that is
 * loaded would find. Memory that is freed is given back at once, for those that measure it.
 */
export const lenientSanitizer = {
  ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:detect_leaks=0:quarantine_size_mb=0`,
};

export interface ChildResult<T> {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** The last line it printed, as JSON; undefined when that is none. */
  report: T | undefined;
  elapsedMs: number;
}

export interface Child<T> {
  process: ChildProcess;
  /** Resolves with its next line of output. */
  line: () => Promise<string>;
  ended: Promise<ChildResult<T>>;
}

function parse<T>(stdout: string): T | undefined {
  const last = stdout.trimEnd().split('\n').at(-1) ?? '';
  try {
    return JSON.parse(last) as T;
  } catch {
    return undefined;
  }
}

function command(name: string, options: ChildOptions): [string, string[]] {
  const script = join(compiledFolder(), 'children', `${name}.js`);
  const args = [...(options.nodeArgs ?? []), script, ...(options.args ?? []).map(String)];
  if (options.descriptorsMax === undefined) return [process.execPath, args];
  const limit = `ulimit -n ${options.descriptorsMax} && exec "$0" "$@"`;
  return ['/bin/sh', ['-c', limit, process.execPath, ...args]];
}

/** Starts `children/<name>.ts`. */
export function startChild<T>(name: string, options: ChildOptions = {}): Child<T> {
  const [file, args] = command(name, options);
  const env = { ...process.env, SOCK_NATIVE_PATH: addonPath, ...options.env };
  const started = performance.now();
  const child = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  let taken = 0;
  let wanted: ((line: string) => void) | undefined;

  const offer = (): void => {
    const end = stdout.indexOf('\n', taken);
    if (wanted === undefined || end < 0) return;
    wanted(stdout.slice(taken, end));
    wanted = undefined;
    taken = end + 1;
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    offer();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<ChildResult<T>>((resolve, reject) => {
    const timeoutMs = options.timeoutMs ?? 50_000;
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${name} still ran after ${timeoutMs} ms:\n${stdout}${stderr}`));
    }, timeoutMs);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const elapsedMs = performance.now() - started;
      resolve({ code, signal, stdout, stderr, report: parse<T>(stdout), elapsedMs });
    });
  });
  const line = (): Promise<string> =>
    new Promise((resolve, reject) => {
      wanted = resolve;
      offer();
      ended.then(({ stderr: text }) => reject(new Error(`${name} ended: ${text}`)), reject);
    });
  return { process: child, line, ended };
}

/** Runs `children/<name>.ts` to its end. */
export function runChild<T>(name: string, options: ChildOptions = {}): Promise<ChildResult<T>> {
  return startChild<T>(name, options).ended;
}
