import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const STDERR_KEPT = 2000;
const STOP_TIMEOUT_MS = 3000;

/** A child process that speaks JSON lines: each line it prints answers something, in order. */
export class LineProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #lines: unknown[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #exited: Promise<unknown>;
  #stderr = '';
  #ended = false;

  constructor(command: readonly string[]) {
    const [file = '', ...args] = command;
    this.#name = command.join(' ');
    this.#child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const { stdin, stdout, stderr } = this.#child;
    if (stdin === null || stdout === null || stderr === null) throw new Error('pipes are missing');
    // A child that dies early breaks its stdin; what it said on stderr is the better report.
    stdin.on('error', () => {});
    stderr.on('data', (text: Buffer) => {
      this.#stderr = (this.#stderr + text.toString()).slice(-STDERR_KEPT);
    });
    createInterface({ input: stdout }).on('line', (line) => {
      this.#lines.push(JSON.parse(line));
      this.#wake();
    });
    this.#exited = once(this.#child, 'close').catch((error: Error) => {
      this.#stderr += error.message;
    });
    void this.#exited.then(() => {
      this.#ended = true;
      this.#wake();
    });
  }

  send(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** The next line, checked by `read`; rejects when the process ends or stays silent too long. */
  async next<T>(read: (line: unknown) => T, timeoutMs: number): Promise<T> {
    const deadline = performance.now() + timeoutMs;
    while (this.#lines.length === 0) {
      if (this.#ended) throw new Error(`${this.#name} ended: ${this.#stderr.trim()}`);
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`${this.#name} said nothing for ${timeoutMs} ms`);
      await this.#somethingOr(left);
    }
    return read(this.#lines.shift());
  }

  ask<T>(line: string, read: (answer: unknown) => T, timeoutMs: number): Promise<T> {
    this.send(line);
    return this.next(read, timeoutMs);
  }

  /** Ends stdin, which ends every program of the bench; one that does not listen is killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  async #somethingOr(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      timer = setTimeout(resolve, timeoutMs);
    });
    clearTimeout(timer);
  }
}
