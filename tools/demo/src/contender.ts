import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Call, Calls, Reply } from './child/calls.js';

/** The libraries that do the same work: ours, then the one it stands beside. */
export const libraries = { sock: '@sock/core', net: 'node:net' } as const;
export type Library = keyof typeof libraries;

/** Far more than anything here takes, on a machine with other work too. */
const callTimeoutMs = 30_000;

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly onBytes: (bytes: number) => void;
}

/** A process that does one end of the work with one library. */
export class Contender implements AsyncDisposable {
  readonly #library: Library;
  readonly #child: ChildProcess;
  #pending: Pending | null = null;

  constructor(library: Library) {
    this.#library = library;
    this.#child = fork(require.resolve('./child/main.js'), [library]);
    this.#child.on('message', (reply: Reply) => this.#hear(reply));
    this.#child.on('exit', (code, signal) => this.#fail(`ended with ${signal ?? code}`));
    this.#child.on('error', (error) => this.#fail(error.message));
  }

  /** One call at a time; rejects when the process fails it, ends or takes too long. */
  async call<Name extends keyof Calls>(
    name: Name,
    args: Parameters<Calls[Name]>,
    onBytes: (bytes: number) => void = () => {},
  ): Promise<Awaited<ReturnType<Calls[Name]>>> {
    const timer = setTimeout(() => this.#fail(`${name} took too long`), callTimeoutMs);
    try {
      const result = await new Promise<unknown>((resolve, reject) => {
        this.#pending = { resolve, reject, onBytes };
        const call: Call = { name, args };
        this.#child.send(call);
      });
      return result as Awaited<ReturnType<Calls[Name]>>;
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  #hear(reply: Reply): void {
    if ('bytes' in reply) this.#pending?.onBytes(reply.bytes);
    else if ('error' in reply) this.#fail(reply.error);
    else this.#pending?.resolve(reply.result);
  }

  #fail(reason: string): void {
    this.#pending?.reject(new Error(`${libraries[this.#library]}: ${reason}`));
  }
}
