/**
 * What every waiting operation has: its place in a queue, its limits, and the way to its promise.
 */
import { binding } from './reactor.js';
import { checkOptions, checkSignal, checkTimeout } from './validate.js';

const { now } = binding;

/** Limits of one call, checked. */
export interface Limits {
  signal: AbortSignal | undefined;
  timeoutMs: number;
}

export const operationOptionKeys = ['signal', 'timeout'] as const;

/** The limits that a caller gives, and the socket's own where it gives none. */
export function checkLimits(options: unknown, defaults: Limits): Limits {
  if (options === undefined) return defaults;
  const { signal, timeout } = checkOptions<Record<'signal' | 'timeout', unknown>>(
    options,
    operationOptionKeys,
  );
  return {
    signal: checkSignal(signal),
    timeoutMs: timeout === undefined ? defaults.timeoutMs : checkTimeout(timeout),
  };
}

export const noLimits: Limits = { signal: undefined, timeoutMs: Number.POSITIVE_INFINITY };

/** What bounds an operation that was given limits. */
interface Bounds {
  deadlineMs: number;
  timeoutMs: number;
  signal: AbortSignal | undefined;
  onAbort: (() => void) | undefined;
}

export abstract class Operation {
  /** Who comes after it in the queue. */
  behind: Operation | null = null;
  protected rejectPromise: (error: unknown) => void;
  private bounds: Bounds | null = null;

  constructor(reject: (error: unknown) => void) {
    this.rejectPromise = reject;
  }

  /** On the clock of now(); Infinity when there is none. */
  get deadlineMs(): number {
    return this.bounds === null ? Number.POSITIVE_INFINITY : this.bounds.deadlineMs;
  }

  get timeoutMs(): number {
    return this.bounds === null ? Number.POSITIVE_INFINITY : this.bounds.timeoutMs;
  }

  /** Counts from now; `onAbort` is called at most once, and never after the operation is over. */
  limit(limits: Limits, onAbort: (operation: this, signal: AbortSignal) => void): void {
    const { signal, timeoutMs } = limits;
    if (signal === undefined && timeoutMs === Number.POSITIVE_INFINITY) return;
    const bounds: Bounds = {
      deadlineMs: now() + timeoutMs,
      timeoutMs,
      signal,
      onAbort: undefined,
    };
    this.bounds = bounds;
    if (signal === undefined) return;
    bounds.onAbort = () => onAbort(this, signal);
    signal.addEventListener('abort', bounds.onAbort, { once: true });
  }

  /** The operation is over: its limits no longer concern it. */
  disarm(): void {
    if (this.bounds === null) return;
    const { signal, onAbort } = this.bounds;
    if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
    this.bounds.onAbort = undefined;
    this.bounds.deadlineMs = Number.POSITIVE_INFINITY;
  }

  reject(error: unknown): void {
    this.disarm();
    this.rejectPromise(error);
  }
}

/** First in, first out, linked by `behind`. */
export class OperationQueue<Op extends Operation> {
  head: Op | null = null;
  tail: Op | null = null;

  push(operation: Op): void {
    if (this.tail === null) this.head = operation;
    else this.tail.behind = operation;
    this.tail = operation;
  }

  shift(): Op | null {
    const first = this.head;
    if (first === null) return null;
    this.head = first.behind as Op | null;
    if (this.head === null) this.tail = null;
    first.behind = null;
    return first;
  }

  remove(operation: Op): void {
    let before: Op | null = null;
    for (let current = this.head; current !== null; current = current.behind as Op | null) {
      if (current !== operation) {
        before = current;
        continue;
      }
      if (before === null) this.head = current.behind as Op | null;
      else before.behind = current.behind;
      if (this.tail === current) this.tail = before;
      current.behind = null;
      return;
    }
  }

  /** The first for which the condition holds. */
  find(condition: (operation: Op) => boolean): Op | null {
    let current = this.head;
    while (current !== null && !condition(current)) current = current.behind as Op | null;
    return current;
  }

  /** Those for which the condition holds, in order. */
  select(condition: (operation: Op) => boolean): Op[] {
    const selected: Op[] = [];
    for (let current = this.head; current !== null; current = current.behind as Op | null) {
      if (condition(current)) selected.push(current);
    }
    return selected;
  }

  /** Those whose time is over, in order. */
  overdue(nowMs: number): Op[] {
    return this.select(({ deadlineMs }) => deadlineMs <= nowMs);
  }

  earliestDeadline(): number {
    let earliestMs = Number.POSITIVE_INFINITY;
    for (let current = this.head; current !== null; current = current.behind as Op | null) {
      if (current.deadlineMs < earliestMs) earliestMs = current.deadlineMs;
    }
    return earliestMs;
  }
}

/** A promise and the two functions that settle it. */
export interface Deferred<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
}

export function defer<T>(): Deferred<T> {
  const deferred: Partial<Deferred<T>> = {};
  deferred.promise = new Promise<T>((resolve, reject) => {
    deferred.resolve = resolve;
    deferred.reject = reject;
  });
  return deferred as Deferred<T>;
}
