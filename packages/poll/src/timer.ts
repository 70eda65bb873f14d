/** Timers of a poll: entries of its heap of deadlines, fired by its waits. */
import { AsyncResource } from 'node:async_hooks';
import { monotonicMs, TimerError } from '@sock/core';
import { binding, checkDuration, count } from '@sock/native';

/**
 * Where a timer stands. `due` is between being taken from the heap and its callback: the callbacks
 * of one pass can still cancel each other.
 */
type State = 'pending' | 'due' | 'paused' | 'over';

/**
 * A timer of a `SocketPoll`. Its callback runs within `wait`, `waitSync`, `tryWait`, `run` and
 * iteration, never early, and never outside of them; a timer alone keeps no process alive. What the
 * callback throws becomes an uncaught exception, and disturbs neither the wait nor other timers.
 */
export class Timer {
  readonly #timers: Timers;
  readonly #callback: () => void;
  /** 0: fires once. */
  readonly #intervalMs: number;
  readonly #resource = new AsyncResource('SOCK_TIMER', { requireManualDestroy: true });
  #id = -1;
  #state: State = 'pending';
  #atMs: number;
  #leftMs = 0;

  /** @internal */
  constructor(timers: Timers, delayMs: number, intervalMs: number, callback: () => void) {
    this.#timers = timers;
    this.#callback = callback;
    this.#intervalMs = intervalMs;
    this.#atMs = monotonicMs() + delayMs;
    this.#id = timers.take(this);
    timers.set(this.#id, this.#atMs);
  }

  /**
   * Milliseconds until it fires, with a fraction: 0 when it is due and was not fired yet, what is
   * left when it is paused, −1 once it is over.
   */
  get remaining(): number {
    if (this.#state === 'over') return -1;
    if (this.#state === 'paused') return this.#leftMs;
    return this.#state === 'due' ? 0 : Math.max(0, this.#atMs - monotonicMs());
  }

  /** Whether it was stopped by {@link pause}. */
  get isPaused(): boolean {
    return this.#state === 'paused';
  }

  /**
   * It will not fire any more, also when it is due already.
   *
   * @returns False when it was over: fired, cancelled, or its poll closed.
   */
  cancel(): boolean {
    if (this.#state === 'over') return false;
    this.#end();
    return true;
  }

  /**
   * Stops the clock with what is {@link remaining}. Pausing again does nothing.
   *
   * @throws `TimerError` (`ERR_SOCK_TIMER_OVER`) when it is over.
   */
  pause(): void {
    this.#checkNotOver('pause');
    if (this.#state === 'paused') return;
    this.#leftMs = this.remaining;
    this.#state = 'paused';
    this.#timers.clear(this.#id);
  }

  /**
   * Goes on with what was left. Does nothing unless it is paused.
   *
   * @throws `TimerError` (`ERR_SOCK_TIMER_OVER`) when it is over.
   */
  resume(): void {
    this.#checkNotOver('resume');
    if (this.#state === 'paused') this.#startOver(this.#leftMs);
  }

  /**
   * Fires that much later than now instead, whether it was pending, due or paused. A repeating one
   * goes on from there with its interval.
   *
   * @param delay Milliseconds, 0 to 2^31−1, with fractions.
   * @throws RangeError; `TimerError` (`ERR_SOCK_TIMER_OVER`) when it is over.
   */
  reschedule(delay: number): void {
    const delayMs = checkDuration('delay', delay, 0);
    this.#checkNotOver('reschedule');
    this.#startOver(delayMs);
  }

  /** @internal Taken from the heap: its time has come. */
  noteDue(): void {
    this.#state = 'due';
  }

  /** @internal Whether it was due, and no other callback has changed that. */
  fire(nowMs: number): boolean {
    if (this.#state !== 'due') return false;
    // Before the callback, so that it can cancel, pause or reschedule its own timer.
    if (this.#intervalMs > 0) this.#scheduleNext(nowMs);
    else this.#over();
    try {
      this.#resource.runInAsyncScope(this.#callback);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
    return true;
  }

  /** @internal Its poll is closed: the heap is gone. */
  close(): void {
    if (this.#state !== 'over') this.#over();
  }

  /** The ticks that were missed are one: the next is the first multiple after now. */
  #scheduleNext(nowMs: number): void {
    const missed = Math.floor((nowMs - this.#atMs) / this.#intervalMs);
    this.#atMs += (missed + 1) * this.#intervalMs;
    this.#state = 'pending';
    this.#timers.set(this.#id, this.#atMs);
  }

  #startOver(delayMs: number): void {
    this.#atMs = monotonicMs() + delayMs;
    this.#state = 'pending';
    this.#timers.set(this.#id, this.#atMs);
  }

  #end(): void {
    this.#timers.clear(this.#id);
    this.#over();
  }

  #over(): void {
    this.#state = 'over';
    this.#timers.release(this.#id);
    this.#resource.emitDestroy();
  }

  #checkNotOver(verb: string): void {
    if (this.#state !== 'over') return;
    throw new TimerError(`${verb}: the timer is over`, { code: 'ERR_SOCK_TIMER_OVER' });
  }
}

/** The timers of one poll, by the number that they have in its heap. */
export class Timers {
  readonly #poll: number;
  readonly #timers: (Timer | undefined)[] = [];
  readonly #freeIds: number[] = [];
  readonly #onChange: () => void;

  /** `onChange` hears that the earliest may be another. */
  constructor(poll: number, onChange: () => void) {
    this.#poll = poll;
    this.#onChange = onChange;
  }

  /** On the clock of monotonicMs(); Infinity when there is none. */
  get nextMs(): number {
    return binding.pollNextTimer(this.#poll);
  }

  take(timer: Timer): number {
    const id = this.#freeIds.pop() ?? this.#timers.length;
    this.#timers[id] = timer;
    return id;
  }

  /** Whether none is pending, due or paused. */
  get isEmpty(): boolean {
    return this.#timers.length === this.#freeIds.length;
  }

  release(id: number): void {
    this.#timers[id] = undefined;
    this.#freeIds.push(id);
  }

  set(id: number, atMs: number): void {
    binding.pollSetTimer(this.#poll, id, atMs);
    this.#onChange();
  }

  clear(id: number): void {
    binding.pollClearTimer(this.#poll, id);
  }

  /**
   * Fires those that are due now, and returns how many. One that a callback starts waits for the
   * next pass, even with a delay of 0: a pass comes to its end.
   */
  fire(): number {
    const nowMs = monotonicMs();
    const due: Timer[] = [];
    for (;;) {
      const id = binding.pollTakeTimer(this.#poll, nowMs);
      if (id < 0) break;
      const timer = this.#timers[id] as Timer;
      timer.noteDue();
      due.push(timer);
    }
    let fired = 0;
    for (const timer of due) if (timer.fire(nowMs)) fired++;
    if (fired > 0) count('timers_fired', fired);
    return fired;
  }

  close(): void {
    for (const timer of this.#timers.splice(0)) timer?.close();
  }
}
