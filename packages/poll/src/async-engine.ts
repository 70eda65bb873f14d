/** How requests reach the kernel: what the engines have in common. */
import type { AcceptLoan, ReadLoan, Socket, WriteLoan } from '@sock/core';
import type { Request } from './async-request.js';

/** What carries out the requests: io_uring, or readiness and calls that do not wait. */
export type AsyncBackend = 'io_uring' | 'kqueue' | 'edge-triggered';

type Members<T> = Pick<T, keyof T>;

/** What an engine asks of the socket; those that are no sockets of ours have an answer, too. */
export type Reading = Members<ReadLoan>;
export type Writing = Members<WriteLoan>;
export type Accepting = Members<AcceptLoan<Socket>>;

/** Hears what a source brings. */
export interface SourceSink<T> {
  push(value: T): void;
  /**
   * It has stopped: because it was told to (`undefined`), at the end of the stream (`null`), or by
   * an error.
   */
  onStopped(outcome: Error | null | undefined): void;
}

/** What goes on bringing something until it is stopped. */
export interface Source {
  /** Whether it may bring more than was asked for. */
  readonly readsAhead: boolean;
  start(): void;
  /** What is on its way still comes. */
  stop(): void;
}

export interface Engine {
  readonly name: AsyncBackend;
  /** Carry out one request; what goes wrong is its outcome. */
  receive(loan: Reading, request: Request): void;
  send(loan: Writing, request: Request): void;
  /** The request, which was begun, ends with its reason, unless it has come to another end. */
  cancel(request: Request): void;
  /** What an iteration is served by. */
  receives(loan: Reading, sink: SourceSink<Buffer>): Source;
  accepts(loan: Accepting, sink: SourceSink<Socket>, isUnix: boolean): Source;
  /** Gives the kernel what was queued. */
  flush(): void;
  /** Memory that can be sent from without a copy, where the engine has such. */
  register(size: number): ArrayBuffer;
  /** Cancels what is left, and goes when the last of it is over. */
  close(): void;
}
