import { AbortError } from '@sock/core';
import type { Limits } from '@sock/native';
import type { Clock } from './clock.js';

/**
 * Why one leaves for whom the answer would still be of use later: the lookup goes on for a moment
 * when there is a cache to fill. A reason of an abort, too.
 */
export const lingering = Symbol('lingering');

/** Takes a waiter out of its lookup: with an error, or without when its time is over. */
type Leave = (error: Error | undefined, lingers: boolean) => void;

/** Who is told what came of a lookup: one of the two, once. */
export interface Asker<T> {
  resolve(values: readonly T[]): void;
  reject(error: Error): void;
}

/** One who waits for an answer, and for how long. Whoever settles it clears up. */
export class Waiter<T> {
  /** When the lookup was submitted; undefined where nobody wants to know. */
  sinceMs: number | undefined;
  private readonly signal: AbortSignal | undefined;
  private startMs = 0;
  private limitMs: number;
  private timer: unknown;
  private onAbort: (() => void) | undefined;
  private leave: Leave | undefined;

  constructor(
    private readonly clock: Clock,
    { signal, timeoutMs }: Limits,
    private readonly asker: Asker<T>,
  ) {
    this.signal = signal;
    this.limitMs = timeoutMs;
  }

  get timeoutMs(): number {
    return this.limitMs;
  }

  get isWaiting(): boolean {
    return this.leave !== undefined;
  }

  /** Begins to watch its limits. */
  arm(leave: Leave): void {
    const { signal } = this;
    this.leave = leave;
    this.startMs = this.clock.now();
    this.setTimer();
    if (signal === undefined) return;
    this.onAbort = () => leave(new AbortError(signal), signal.reason === lingering);
    signal.addEventListener('abort', this.onAbort, { once: true });
  }

  /** Another limit, also from its beginning. False when it waits no more. */
  limit(timeoutMs: number): boolean {
    if (this.leave === undefined) return false;
    this.limitMs = timeoutMs;
    this.clock.clearTimeout(this.timer);
    this.setTimer();
    return true;
  }

  /** It waits no longer, and is told so. False when it does not wait any more. */
  cancel(error: Error, lingers = false): boolean {
    if (this.leave === undefined) return false;
    this.leave(error, lingers);
    return true;
  }

  resolve(values: readonly T[]): void {
    this.disarm();
    this.asker.resolve(values);
  }

  reject(error: Error): void {
    this.disarm();
    this.asker.reject(error);
  }

  private setTimer(): void {
    if (this.limitMs === Number.POSITIVE_INFINITY) return;
    const leftMs = Math.max(0, this.startMs + this.limitMs - this.clock.now());
    this.timer = this.clock.setTimeout(() => this.leave?.(undefined, false), leftMs);
  }

  private disarm(): void {
    this.leave = undefined;
    this.clock.clearTimeout(this.timer);
    if (this.onAbort !== undefined) this.signal?.removeEventListener('abort', this.onAbort);
  }
}
