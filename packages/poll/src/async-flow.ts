/**
 * An iteration over what a source brings. What comes ahead of the reader waits here, up to a limit
 * at which the source is stopped; it is started again when the reader has caught up. When the
 * reader leaves, what still waits goes back to the socket.
 */
import { type Deferred, defer } from '@sock/native';
import type { Source, SourceSink } from './async-engine.js';

/** Things, or bytes, that wait for their reader before the source is stopped. */
const waitingMax = 64;
const waitingBytesMax = 256 * 1024;

export interface FlowHooks<T> {
  /** Begins; what it throws is what the first step rejects with. */
  open(sink: SourceSink<T>): Source;
  /** It is over; these came and have no reader. */
  close(unread: T[]): void;
}

type Step<T> = IteratorResult<T, undefined>;
type Reader<T> = Pick<Deferred<Step<T>>, 'resolve' | 'reject'>;

const end: IteratorReturnResult<undefined> = { value: undefined, done: true };

function sizeOf(value: unknown): number {
  return value instanceof Uint8Array ? value.length : 0;
}

export class Flow<T> implements AsyncIterableIterator<T>, SourceSink<T> {
  readonly #hooks: FlowHooks<T>;
  #source: Source | null = null;
  #isRunning = false;
  #values: T[] = [];
  #bytes = 0;
  readonly #readers: Reader<T>[] = [];
  /** Why it is to end, once the source has stopped. */
  #reason: Error | null | undefined = undefined;
  /** What is left to say once everything that came was read. */
  #outcome: Error | null = null;
  #isOver = false;
  readonly #ended = defer<void>();

  constructor(hooks: FlowHooks<T>) {
    this.#hooks = hooks;
  }

  next(): Promise<Step<T>> {
    const value = this.#reason === undefined ? this.#values.shift() : undefined;
    if (value !== undefined) {
      this.#bytes -= sizeOf(value);
      if (this.#values.length === 0) this.#run();
      return Promise.resolve({ value, done: false });
    }
    if (this.#isOver || this.#reason !== undefined) return this.#conclusion();
    try {
      this.#source ??= this.#hooks.open(this);
    } catch (error) {
      this.#isOver = true;
      return Promise.reject(error);
    }
    const step = new Promise<Step<T>>((resolve, reject) => {
      this.#readers.push({ resolve, reject });
    });
    this.#run();
    return step;
  }

  async return(): Promise<Step<T>> {
    this.stop(null);
    await this.#ended.promise;
    return end;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Ends it, with an error or without, as soon as nothing can come any more. */
  stop(reason: Error | null): void {
    if (this.#isOver || this.#reason !== undefined) {
      if (this.#isOver) this.#ended.resolve();
      return;
    }
    this.#reason = reason;
    if (this.#isRunning) this.#source?.stop();
    else this.#finish(reason);
  }

  push(value: T): void {
    const reader = this.#reason === undefined ? this.#readers.shift() : undefined;
    if (reader !== undefined) {
      reader.resolve({ value, done: false });
      return;
    }
    this.#values.push(value);
    this.#bytes += sizeOf(value);
    if (!this.#hasRoom && this.#isRunning) this.#source?.stop();
  }

  onStopped(outcome: Error | null | undefined): void {
    this.#isRunning = false;
    if (this.#reason !== undefined) this.#finish(this.#reason);
    else if (outcome !== undefined) this.#finish(outcome);
    else if (this.#values.length === 0) this.#run();
  }

  get #hasRoom(): boolean {
    return this.#values.length < waitingMax && this.#bytes < waitingBytesMax;
  }

  #run(): void {
    if (this.#isRunning || this.#isOver || this.#source === null) return;
    if (this.#readers.length === 0 && !this.#source.readsAhead) return;
    this.#isRunning = true;
    this.#source.start();
  }

  /** Of a stream that ended by itself the rest is still read; who left reads nothing more. */
  #finish(outcome: Error | null): void {
    this.#isOver = true;
    this.#outcome = outcome;
    const unread = this.#reason === undefined ? [] : this.#values.splice(0);
    if (this.#source !== null) this.#hooks.close(unread);
    for (const reader of this.#readers.splice(0))
      this.#conclusion().then(reader.resolve, reader.reject);
    this.#ended.resolve();
  }

  /** An error is told once. */
  #conclusion(): Promise<Step<T>> {
    if (!this.#isOver) return this.#ended.promise.then(() => this.#conclusion());
    const error = this.#outcome;
    this.#outcome = null;
    return error === null ? Promise.resolve(end) : Promise.reject(error);
  }
}
