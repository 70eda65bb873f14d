/** Programs that are not ours, for as long as a test runs. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import { within } from './within.js';

export interface LaunchOptions {
  /** Printed on stdout or stderr once the program can be talked to; `launch` waits for it. */
  ready?: RegExp;
  /** On top of this process's environment. */
  env?: Readonly<Record<string, string>>;
  /** Written to its stdin, which then ends; otherwise stdin stays open. */
  input?: string | Buffer;
  cwd?: string;
}

/** How a program ended, and all that it printed. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

const readyLimitMs = 10_000;
const running = new Set<Peer>();

/** A sanitizer's runtime that is loaded into every program of ours has no business in another. */
function environment(more: LaunchOptions['env']): NodeJS.ProcessEnv {
  const { LD_PRELOAD: _, ...rest } = process.env;
  return { ...rest, ...more };
}

export class Peer {
  /** What `ready` matched; its groups tell a port, for instance. */
  ready: readonly string[] = [];
  readonly ended: Promise<Ended>;
  private readonly child: ChildProcess;
  private readonly out: Buffer[] = [];
  private readonly errors: Buffer[] = [];

  constructor(
    readonly command: string,
    args: readonly string[],
    options: LaunchOptions,
  ) {
    const { cwd, input } = options;
    // A group of its own, so that what it starts can be ended with it.
    const detached = true;
    this.child = spawn(command, args, { cwd, detached, env: environment(options.env) });
    this.child.stdout?.on('data', (bytes: Buffer) => this.out.push(bytes));
    this.child.stderr?.on('data', (bytes: Buffer) => this.errors.push(bytes));
    // Writing to a program that has ended is for the test to notice by its output.
    this.stdin.on('error', () => undefined);
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (code, signal) => {
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
    running.add(this);
    const forget = () => running.delete(this);
    this.ended.then(forget, forget);
    if (input !== undefined) this.stdin.end(input);
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`${this.command} did not start`);
    return this.child.pid;
  }

  get stdin(): Writable {
    if (this.child.stdin === null) throw new Error(`${this.command} has no stdin`);
    return this.child.stdin;
  }

  get stdout(): Buffer {
    return Buffer.concat(this.out);
  }

  get stderr(): string {
    return Buffer.concat(this.errors).toString();
  }

  /** Resolves once it has printed something that matches; rejects when it ends before. */
  async printed(pattern: RegExp): Promise<readonly string[]> {
    const { child } = this;
    const streams = [child.stdout, child.stderr];
    const seen = new Promise<readonly string[]>((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(`${this.stdout.toString()}\n${this.stderr}`);
        if (match !== null) resolve(match);
      };
      for (const stream of streams) stream?.on('data', look);
      this.ended.then(() => reject(this.failure(`ended before it printed ${pattern}`)), reject);
      look();
    });
    return within(readyLimitMs, seen, `${this.command} until it printed ${pattern}`);
  }

  /** Ends it and what it has started at once, and waits until it is gone. */
  async stop(): Promise<void> {
    if (this.child.pid !== undefined) killGroup(this.child.pid);
    await this.ended.catch(() => undefined);
  }

  /** Waits for it to end by itself, which must be in good order. */
  async succeeded(limitMs = readyLimitMs): Promise<Ended> {
    const ended = await within(limitMs, this.ended, `${this.command} until it ended`);
    if (ended.code !== 0) throw this.failure(`ended with ${ended.signal ?? ended.code}`);
    return ended;
  }

  private failure(what: string): Error {
    return new Error(`${this.command} ${what}\n${this.stderr}`);
  }
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch (error) {
    // All of them have ended by themselves.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Starts a program; resolves once it is ready. It is stopped when the test is over. */
export async function launch(
  command: string,
  args: readonly string[],
  options: LaunchOptions = {},
): Promise<Peer> {
  const peer = new Peer(command, args, options);
  if (options.ready !== undefined) peer.ready = await peer.printed(options.ready);
  return peer;
}

/** Stops what tests have left running. */
export async function stopPeers(): Promise<void> {
  await Promise.all([...running].map((peer) => peer.stop()));
}
