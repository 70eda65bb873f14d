/** Those who wait for a connection. */
import { AbortError, type OperationOptions, TimeoutError } from '@sock/core';
import { checkOptions, checkSignal, checkTimeout } from '@sock/native';
import type { TimerClock } from './clock.js';

/** @internal For how long somebody waits. */
export interface Limits {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
}

/** @internal */
export function checkLimits(options: OperationOptions | undefined): Limits {
  const { signal, timeout } = checkOptions<OperationOptions>(options, ['signal', 'timeout']);
  return { signal: checkSignal(signal), timeoutMs: checkTimeout(timeout) };
}

/** @internal Ends a wait when its limits are reached, until it is disarmed. */
export class Alarm {
  readonly #clock: TimerClock;
  readonly #limits: Limits;
  readonly #endMs: number;
  #timer: unknown;
  #onAbort: (() => void) | undefined;

  constructor(
    clock: TimerClock,
    limits: Limits,
    what: string,
    giveUp: (error: Error) => void,
    bytesTransferred?: number,
  ) {
    const { signal, timeoutMs } = limits;
    this.#clock = clock;
    this.#limits = limits;
    this.#endMs = clock.now() + timeoutMs;
    if (timeoutMs !== Number.POSITIVE_INFINITY) {
      const onTime = (): void => giveUp(new TimeoutError(what, timeoutMs, { bytesTransferred }));
      this.#timer = clock.setTimeout(onTime, timeoutMs);
    }
    if (signal === undefined) return;
    this.#onAbort = () => giveUp(new AbortError(signal, bytesTransferred));
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** The limits of what is left to do. */
  get rest(): OperationOptions {
    const timeout = Math.max(0, this.#endMs - this.#clock.now());
    return { signal: this.#limits.signal, timeout };
  }

  disarm(): void {
    this.#clock.clearTimeout(this.#timer);
    if (this.#onAbort !== undefined) {
      this.#limits.signal?.removeEventListener('abort', this.#onAbort);
    }
    this.#timer = undefined;
    this.#onAbort = undefined;
  }
}

interface Waiter<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

/** @internal Those who wait for the same. */
export class Waiters<T> {
  readonly #waiting = new Set<Waiter<T>>();

  constructor(private readonly clock: TimerClock) {}

  wait(limits: Limits, what: string): Promise<T> {
    const { signal } = limits;
    if (signal?.aborted) return Promise.reject(new AbortError(signal));
    return new Promise((resolve, reject) => {
      const alarm = new Alarm(this.clock, limits, what, (error) => waiter.reject(error));
      const waiter: Waiter<T> = {
        resolve: (value) => {
          leave();
          resolve(value);
        },
        reject: (error) => {
          leave();
          reject(error);
        },
      };
      const leave = (): void => {
        this.#waiting.delete(waiter);
        alarm.disarm();
      };
      this.#waiting.add(waiter);
    });
  }

  resolve(value: T): void {
    for (const waiter of this.#waiting) waiter.resolve(value);
  }

  reject(error: Error): void {
    for (const waiter of this.#waiting) waiter.reject(error);
  }
}
