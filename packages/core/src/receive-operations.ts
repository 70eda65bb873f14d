/** What can wait in the queue of a receiver. */
import { iterationEnd, Operation, type Step, unsettled } from '@sock/native';
import { endOfStreamError } from './errors.js';
import type { Vector } from './vector.js';

type Settle<T> = (value: T) => void;

/** Where an operation that brings its own memory gets its bytes: counts, 0, or negative errnos. */
export interface ByteSource {
  readInto(view: Uint8Array, offset: number, wait: boolean): number;
  readEach(vector: Vector, wait: boolean): number;
  /** A message as the addon describes it, or the count of bytes that came without anything. */
  readMessage(view: Uint8Array, max: number, kind: number, wait: boolean): number[] | number;
}

export abstract class ReceiveOperation extends Operation {
  /** Bytes of the view that are filled. */
  filled = 0;
  /** The reader's own memory, or null to be handed a chunk of at most `max` bytes. */
  readonly view: Uint8Array | null;
  readonly max: number;
  /** True when the view must be full. */
  readonly whole: boolean;

  constructor(
    reject: (error: unknown) => void,
    view: Uint8Array | null,
    max: number,
    whole: boolean,
  ) {
    super(reject);
    this.view = view;
    this.max = max;
    this.whole = whole;
  }

  abstract finish(chunk: Buffer | null): void;

  /** The system call that it makes. */
  get syscall(): string {
    return 'recv';
  }

  /** Whether it waits with the same view, all of its memory, again and again. */
  get keepsView(): boolean {
    return false;
  }

  /** Whether it has what it waits for. */
  get enough(): boolean {
    return this.whole ? this.filled === this.max : this.filled > 0;
  }

  /** Whether memory that it would fill was taken away. */
  get isDetached(): boolean {
    return this.view !== null && this.view.length === 0;
  }

  /** One attempt, of an operation with memory of its own; the caller counts what is filled. */
  read(source: ByteSource, wait: boolean): number {
    return source.readInto(this.view as Uint8Array, this.filled, wait);
  }

  endOfStream(): void {
    this.reject(endOfStreamError(this.takeFilled()));
  }

  /** A copy of what has come so far: the rest of the view was never written. */
  takeFilled(): Buffer | undefined {
    if (this.view === null || this.filled === 0) return undefined;
    return Buffer.from(this.view.subarray(0, this.filled));
  }
}

export class ChunkOperation extends ReceiveOperation {
  private readonly resolve: Settle<Buffer>;

  constructor(resolve: Settle<Buffer>, reject: (error: unknown) => void, max: number) {
    super(reject, null, max, false);
    this.resolve = resolve;
  }

  finish(chunk: Buffer): void {
    this.resolve(chunk);
  }
}

export class ViewOperation extends ReceiveOperation {
  private readonly resolve: Settle<number>;

  constructor(resolve: Settle<number>, reject: (error: unknown) => void, view: Uint8Array) {
    super(reject, view, view.length, false);
    this.resolve = resolve;
  }

  finish(): void {
    this.resolve(this.filled);
  }
}

export class WholeOperation extends ReceiveOperation {
  private readonly resolve: Settle<Buffer>;
  private readonly memory: Buffer;

  constructor(resolve: Settle<Buffer>, reject: (error: unknown) => void, memory: Buffer) {
    super(reject, memory, memory.length, true);
    this.resolve = resolve;
    this.memory = memory;
  }

  finish(): void {
    this.resolve(this.memory);
  }
}

/** Fills several places in order, by one system call. */
export class ScatterOperation extends ReceiveOperation {
  constructor(
    private readonly resolve: Settle<number>,
    reject: (error: unknown) => void,
    private readonly vector: Vector,
    whole: boolean,
  ) {
    super(reject, vector.views[0] as Uint8Array, vector.total, whole);
  }

  finish(): void {
    this.resolve(this.filled);
  }

  override get syscall(): string {
    return 'recvmsg';
  }

  override get isDetached(): boolean {
    return !this.vector.isWhole;
  }

  override read(source: ByteSource, wait: boolean): number {
    this.vector.seek(this.filled);
    return source.readEach(this.vector, wait);
  }

  override takeFilled(): Buffer | undefined {
    return this.filled === 0 ? undefined : this.vector.front(this.filled);
  }
}

export type StepResult = IteratorResult<Buffer, undefined>;

/**
 * The steps of one iteration, one at a time: used again for each, as most messages come this way.
 */
export class StepOperation extends ReceiveOperation implements Step<StepResult> {
  declare readonly view: Buffer | null;
  idle = true;
  private resolve: Settle<StepResult> = unsettled;

  constructor(memory: Buffer | null, max: number) {
    super(unsettled, memory, max, false);
  }

  onBegin(resolve: Settle<StepResult>, reject: (error: unknown) => void): void {
    this.idle = false;
    this.filled = 0;
    this.resolve = resolve;
    this.rejectPromise = reject;
  }

  override get keepsView(): boolean {
    return this.view !== null;
  }

  finish(chunk: Buffer | null): void {
    const value = chunk ?? (this.view as Buffer).subarray(0, this.filled);
    this.idle = true;
    this.resolve({ value, done: false });
  }

  override endOfStream(): void {
    this.idle = true;
    this.resolve(iterationEnd);
  }

  override reject(error: unknown): void {
    this.idle = true;
    super.reject(error);
  }
}
