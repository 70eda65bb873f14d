/** Accepts that wait for connections. */
import { type Guard, iterationEnd, Operation, type Step, unsettled } from '@sock/native';
import { closedError } from './errors.js';

export abstract class AcceptOperation<T> extends Operation {
  /** Who decides whether what comes may come in; null: all of it. */
  abstract readonly guard: Guard | null;
  /** How many more it takes behind the one it has got. */
  abstract readonly room: number;

  abstract finish(connection: T): void;

  close(): void {
    this.reject(closedError());
  }
}

export class SingleAccept<T> extends AcceptOperation<T> {
  readonly guard: Guard | null;
  readonly room = 0;
  private readonly resolve: (connection: T) => void;

  constructor(
    resolve: (connection: T) => void,
    reject: (error: unknown) => void,
    guard: Guard | null,
  ) {
    super(reject);
    this.resolve = resolve;
    this.guard = guard;
  }

  finish(connection: T): void {
    this.resolve(connection);
  }
}

export type AcceptStep<T> = IteratorResult<T, undefined>;

/** The steps of one iteration, one at a time. It ends when the listener is closed on this side. */
export class StepAccept<T> extends AcceptOperation<T> implements Step<AcceptStep<T>> {
  readonly guard = null;
  readonly room = 0;
  idle = true;
  private resolve: (step: AcceptStep<T>) => void = unsettled;

  constructor() {
    super(unsettled);
  }

  onBegin(resolve: (step: AcceptStep<T>) => void, reject: (error: unknown) => void): void {
    this.idle = false;
    this.resolve = resolve;
    this.rejectPromise = reject;
  }

  finish(connection: T): void {
    this.idle = true;
    this.resolve({ value: connection, done: false });
  }

  override close(): void {
    this.idle = true;
    this.resolve(iterationEnd);
  }

  override reject(error: unknown): void {
    this.idle = true;
    super.reject(error);
  }
}

/** Who takes connections as they come: a promise for each would be made for nothing. */
export interface Taker<T> {
  /** How many it takes now, in one turn of the event loop. */
  readonly room: number;
  /** As {@link AcceptOperation.guard}. */
  readonly guard: Guard | null;
  take(connection: T): void;
  /** The listener was closed, or cannot accept: nothing comes until it is asked again. */
  fail(error: unknown): void;
}

/** Stays in line as long as its taker has room. */
export class StandingAccept<T> extends AcceptOperation<T> {
  private readonly taker: Taker<T>;

  constructor(taker: Taker<T>) {
    super((error) => taker.fail(error));
    this.taker = taker;
  }

  get guard(): Guard | null {
    return this.taker.guard;
  }

  get room(): number {
    return this.taker.room;
  }

  finish(connection: T): void {
    this.taker.take(connection);
  }
}
