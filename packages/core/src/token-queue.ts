/** Those who wait for tokens of a bucket, first come, first served. */
import { type Limits, Operation, OperationQueue, timeoutMaxMs } from '@sock/native';
import type { Bucket } from './bucket.js';
import { AbortError, TimeoutError } from './errors.js';
import { monotonicMs } from './monotonic.js';

/** Where the time comes from; tests have one that they move. */
export interface Clock {
  now(): number;
  setTimeout(task: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** Of the whole process: the same on every thread. Its timers keep the event loop alive. */
export const systemClock: Clock = {
  now: monotonicMs,
  setTimeout: (task, delayMs) => setTimeout(task, delayMs),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
};

/** The same with timers that do not: where something else does, while it is wanted. */
export const quietClock: Clock = {
  ...systemClock,
  setTimeout: (task, delayMs) => setTimeout(task, delayMs).unref(),
};

class Waiter extends Operation {
  readonly resolve: (taken: number) => void;
  readonly least: number;
  readonly most: number;

  constructor(
    resolve: (taken: number) => void,
    reject: (error: unknown) => void,
    least: number,
    most: number,
  ) {
    super(reject);
    this.resolve = resolve;
    this.least = least;
    this.most = most;
  }
}

export class TokenQueue {
  bucket: Bucket;
  /** How often to look at the bucket at least: another thread may change it. */
  lookAgainMs = timeoutMaxMs;
  private readonly verb: string;
  private readonly clock: Clock;
  /** For those who want more than the bucket can ever hold; null: they settle for what it can. */
  private readonly neverError: (() => Error) | null;
  private readonly queue = new OperationQueue<Waiter>();
  private timer: unknown;

  constructor(bucket: Bucket, verb: string, clock: Clock, neverError: (() => Error) | null) {
    this.bucket = bucket;
    this.verb = verb;
    this.clock = clock;
    this.neverError = neverError;
  }

  get nowMs(): number {
    return this.clock.now();
  }

  get isWaiting(): boolean {
    return this.queue.head !== null;
  }

  get available(): number {
    return this.isWaiting ? 0 : this.bucket.available(this.clock.now());
  }

  /** As of {@link Bucket}, and 0 while others wait: they come first. */
  take(least: number, most: number): number {
    if (this.isWaiting) return 0;
    return this.bucket.take(this.affordable(least), most, this.clock.now());
  }

  /** Resolves with how many were taken, in the order of the calls. */
  acquire(least: number, most: number, limits: Limits): Promise<number> {
    const taken = this.take(least, most);
    if (taken > 0) return Promise.resolve(taken);
    return new Promise((resolve, reject) => this.wait(least, most, limits, resolve, reject));
  }

  /** The same with callbacks, for one that could not be served at once. */
  wait(
    least: number,
    most: number,
    limits: Limits,
    resolve: (taken: number) => void,
    reject: (error: unknown) => void,
  ): void {
    const waiter = new Waiter(resolve, reject, least, most);
    waiter.limit(limits, (_, signal) => {
      this.queue.remove(waiter);
      waiter.reject(new AbortError(signal));
      this.serve();
    });
    this.queue.push(waiter);
    this.schedule();
  }

  settle(taken: number, used: number): void {
    this.bucket.settle(taken, used, this.clock.now());
    if (this.isWaiting) this.serve();
  }

  /** Until as many can be taken, those who wait being served first. */
  waitMs(count: number): number {
    let ahead = 0;
    for (let at = this.queue.head; at !== null; at = at.behind as Waiter | null) ahead += at.least;
    return this.bucket.waitMs(ahead + count, this.clock.now());
  }

  fill(): void {
    this.bucket.fill(this.clock.now());
    this.serve();
  }

  configure(rate: number, burst: number): void {
    this.bucket.configure(rate, burst, this.clock.now());
    this.serve();
  }

  /** There is no limit any more: those who wait get all that they asked for. */
  open(): void {
    this.end((waiter) => {
      waiter.disarm();
      waiter.resolve(waiter.most);
    });
  }

  close(error: () => Error): void {
    this.end((waiter) => waiter.reject(error()));
  }

  private end(settle: (waiter: Waiter) => void): void {
    this.clock.clearTimeout(this.timer);
    for (let waiter = this.queue.shift(); waiter !== null; waiter = this.queue.shift()) {
      settle(waiter);
    }
  }

  private affordable(least: number): number {
    return this.neverError === null ? Math.min(least, this.bucket.burst) : least;
  }

  /** Serves whom it can, tells those whose time is over, and sees to the rest later. */
  private serve(): void {
    const nowMs = this.clock.now();
    for (let waiter = this.queue.head; waiter !== null; waiter = this.queue.head) {
      const never = this.neverError !== null && waiter.least > this.bucket.burst;
      const least = this.affordable(waiter.least);
      const taken = never ? 0 : this.bucket.take(least, waiter.most, nowMs);
      if (taken === 0 && !never) break;
      this.queue.shift();
      if (this.neverError !== null && never) {
        waiter.reject(this.neverError());
        continue;
      }
      waiter.disarm();
      waiter.resolve(taken);
    }
    for (const waiter of this.queue.overdue(monotonicMs())) {
      this.queue.remove(waiter);
      waiter.reject(new TimeoutError(this.verb, waiter.timeoutMs));
    }
    this.schedule();
  }

  private schedule(): void {
    this.clock.clearTimeout(this.timer);
    const waiter = this.queue.head;
    if (waiter === null) return;
    const leftMs = this.queue.earliestDeadline() - monotonicMs();
    const waitMs = this.bucket.waitMs(this.affordable(waiter.least), this.clock.now());
    const delayMs = Math.ceil(Math.max(1, Math.min(waitMs, leftMs, this.lookAgainMs)));
    this.timer = this.clock.setTimeout(() => this.serve(), delayMs);
  }
}
