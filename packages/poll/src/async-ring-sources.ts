/**
 * Iterations by one request that goes on (multishot): the kernel receives, or accepts, whenever it
 * can, and nobody has to ask again.
 */
import { getSystemErrorName } from 'node:util';
import type { Socket } from '@sock/core';
import {
  binding,
  type CompletionSink,
  Errno,
  returnRequestKey,
  takeRequestKey,
} from '@sock/native';
import type { Accepting, Reading, Source, SourceSink } from './async-engine.js';
import { acceptsByLoan, receivesByLoan } from './async-readiness.js';
import { chunkOf } from './async-request.js';
import { asyncCallError } from './errors.js';

const { ECANCELED } = Errno;

/** The part of an engine that its sources need. */
interface Submitter {
  cancelKey(key: number): void;
  submitSoon(): void;
}

/** Loan and sink of a source, and the request that serves it now, if there is one. */
abstract class RingSource<L extends Reading | Accepting, T> implements Source, CompletionSink {
  protected key = -1;
  protected isStopping = false;
  /** Brings what the socket has itself. */
  private isPulling = false;

  constructor(
    private readonly engine: Submitter,
    protected readonly ring: number,
    protected readonly loan: L,
    protected readonly sink: SourceSink<T>,
    private readonly own: Source,
  ) {}

  get readsAhead(): boolean {
    return !this.loan.knowsNext;
  }

  start(): void {
    this.isStopping = false;
    this.isPulling = this.loan.knowsNext;
    if (this.isPulling) this.own.start();
    else this.arm();
  }

  stop(): void {
    this.isStopping = true;
    if (this.key >= 0) this.engine.cancelKey(this.key);
    else if (this.isPulling) this.own.stop();
  }

  onCompletion(
    result: number,
    extra: number,
    buffer: ArrayBuffer | undefined,
    more: boolean,
  ): void {
    if (!more) {
      returnRequestKey(this.key);
      this.key = -1;
    }
    this.take(result, extra, buffer);
    if (more) return;
    // A cancellation that lost the race against the last thing that came has still ended it.
    const wasStopped = this.isStopping && (result === -ECANCELED || this.isProgress(result));
    this.sink.onStopped(wasStopped ? undefined : this.outcomeOf(result));
  }

  /** Makes the request. */
  protected abstract request(key: number): number;
  /** Hands on what came. */
  protected abstract take(result: number, extra: number, buffer: ArrayBuffer | undefined): void;
  protected abstract isProgress(result: number): boolean;
  protected abstract outcomeOf(result: number): Error | null;

  protected arm(): void {
    this.loan.leaveReactor();
    this.key = takeRequestKey(this);
    const result = this.request(this.key);
    if (result === 0) {
      this.engine.submitSoon();
      return;
    }
    returnRequestKey(this.key);
    this.key = -1;
    this.sink.onStopped(asyncCallError(result, 'the request was not taken'));
  }
}

export class RingReceives extends RingSource<Reading, Buffer> {
  constructor(engine: Submitter, ring: number, loan: Reading, sink: SourceSink<Buffer>) {
    super(engine, ring, loan, sink, receivesByLoan(loan, sink));
  }

  protected request(key: number): number {
    const { slot, generation } = this.loan;
    return binding.ringReceive(this.ring, key, slot, generation, 1, true);
  }

  protected take(result: number, offset: number, buffer: ArrayBuffer | undefined): void {
    if (result > 0) this.sink.push(chunkOf({ buffer, offset }, result));
  }

  protected isProgress(result: number): boolean {
    return result > 0;
  }

  protected outcomeOf(result: number): Error | null {
    const error = this.loan.note(result);
    return result === 0 ? null : error;
  }
}

/** Out of these, accepting goes on after a pause, as a socket's own does. */
const outOfResources = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM']);
const retryAfterMs = 100;
let warned = false;

export class RingAccepts extends RingSource<Accepting, Socket> {
  private retry: NodeJS.Timeout | undefined = undefined;

  constructor(
    engine: Submitter,
    ring: number,
    loan: Accepting,
    sink: SourceSink<Socket>,
    private readonly isUnix: boolean,
  ) {
    super(engine, ring, loan, sink, acceptsByLoan(loan, sink));
  }

  override stop(): void {
    if (this.retry === undefined) {
      super.stop();
      return;
    }
    clearTimeout(this.retry);
    this.retry = undefined;
    this.sink.onStopped(undefined);
  }

  override onCompletion(
    result: number,
    extra: number,
    buffer: ArrayBuffer | undefined,
    more: boolean,
  ): void {
    const code = result < 0 && !this.isStopping ? getSystemErrorName(result) : '';
    if (code !== 'ECONNABORTED' && !outOfResources.has(code)) {
      super.onCompletion(result, extra, buffer, more);
      return;
    }
    returnRequestKey(this.key);
    this.key = -1;
    if (code !== 'ECONNABORTED') this.pause(result, code);
    else this.arm();
  }

  protected request(key: number): number {
    const { slot, generation } = this.loan;
    return binding.ringAccept(this.ring, key, slot, generation, this.isUnix);
  }

  protected take(slot: number, generation: number): void {
    if (slot >= 0) this.sink.push(this.loan.adopt(slot, generation));
  }

  protected isProgress(result: number): boolean {
    return result >= 0;
  }

  protected outcomeOf(result: number): Error {
    return this.loan.note(result);
  }

  private pause(result: number, code: string): void {
    if (!warned) {
      warned = true;
      const { message } = this.loan.note(result);
      process.emitWarning(`${message}; accepting goes on as soon as it can`, { code });
    }
    this.retry = setTimeout(() => {
      this.retry = undefined;
      this.arm();
    }, retryAfterMs);
  }
}
