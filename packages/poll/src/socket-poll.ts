import { AbortError, monotonicMs } from '@sock/core';
import * as native from '@sock/native';
import {
  checkDuration,
  checkFunction,
  checkInteger,
  checkOneOf,
  checkOptions,
  checkSignal,
  checkTime,
} from '@sock/native';
import { AsyncIO } from './async-io.js';
import { CompletionWatch } from './completion-watch.js';
import { tellWakeup } from './diagnostics.js';
import { busyError, closedError, lastCallError } from './errors.js';
import { closeWhenForgotten, notForgotten } from './forgotten.js';
import { openPoll } from './open-poll.js';
import { checkEvents, type PollBackend, PollEvents, reportedOf } from './poll-events.js';
import { type Registration, Registrations, type Target } from './registrations.js';
import { Timer, Timers } from './timer.js';
import { Waker } from './waker.js';

const { armPoll, binding, disarmPoll, runNextTurn, wordsPerEvent } = native;
const { returnDeadlineId, setDeadline, takeDeadlineId } = native;
const { Extra } = native.Control;
const { Read, OneShot } = PollEvents;

/** What can be chosen when a poll is made. */
export interface SocketPollOptions {
  /** The most events that one wait returns: 1 to 10,000. Default 256. The others come next. */
  maxEvents?: number | undefined;
  /**
   * `'epoll'` (Linux), `'kqueue'` (macOS and the BSDs) or `'poll'` (everywhere). Default: the best
   * that this platform has. One that it does not have throws `ERR_SOCK_UNSUPPORTED`.
   */
  backend?: PollBackend | undefined;
}

/** What a poll has found out about one of its targets. */
export interface PollEvent<T extends Target = Target, D = unknown> {
  /** What was added: the very object, or the number of the descriptor. */
  readonly socket: T;
  /** Bits of {@link PollEvents}: at least one of `Read`, `Write`, `Error` and `Hangup`. */
  readonly events: number;
  /** What was added with it, or came with the last `modify()`. */
  readonly data: D;
}

/** Limits of a wait. */
export interface PollWaitOptions {
  /** Aborts the wait, which rejects with `AbortError`; no event is lost by it. */
  signal?: AbortSignal | undefined;
}

/** What a look at the poll came to; `over` tells a wait that it has something to return for. */
interface Look<T extends Target, D> {
  readonly events: PollEvent<T, D>[];
  /** Whose they are, in the same order. */
  readonly registrations: Registration<T, D>[];
  readonly over: boolean;
}

/** The one wait of a poll that may be under way. */
interface Waiting<T extends Target, D> {
  endMs: number;
  resolve: (look: Look<T, D>) => void;
  reject: (error: unknown) => void;
  signal: AbortSignal | undefined;
  onAbort: () => void;
  deadlineId: number;
}

const eventsDefault = 256;
const eventsMax = 10_000;

/**
 * Watches many descriptors at once: sockets of these packages, and whatever else the kernel can
 * poll (pipes, eventfd, inotify, terminals, the stdio of a child, sockets of others).
 *
 * - An event is a hint. A descriptor may have nothing to say by the time it is asked, so ask with
 *   what does not wait: `tryRecv`, `trySend`, `tryAccept`.
 * - Level-triggered, unless {@link PollEvents} says otherwise: what is not dealt with is reported
 *   again by the next wait.
 * - The order of events says nothing. With more of them than a wait returns, each has its turn.
 * - Descriptors stay their owner's: the poll closes none. A socket of these packages that is closed
 *   leaves its polls by itself. Remove a bare descriptor before it is closed. One that is closed
 *   nevertheless keeps its place until it is removed, and may be mistaken: for a duplicate that
 *   lives on (epoll), or for what has its number next (poll(2)).
 * - The poll keeps its sockets, and is kept by them; forgotten together, they are closed together,
 *   with a warning each.
 * - Timers fire within the waits, before their events are returned.
 *
 * It belongs to the thread that made it. A wrong argument throws a TypeError or RangeError that
 * names it; anything else is a `PollError`, on a closed poll with the code `ERR_SOCK_CLOSED`.
 *
 * @typeParam T What is added: `Socket`, say, for a poll of nothing else.
 * @typeParam D What is added with it.
 *
 * @example
 * ```ts
 * const poll = new SocketPoll<Socket, string>();
 * poll.add(socket, PollEvents.Read, 'a name');
 * for (const { socket, data } of await poll.wait()) answer(data, socket.tryRecv());
 * ```
 * @see epoll(7), kqueue(2), poll(2)
 */
export class SocketPoll<T extends Target = Target, D = unknown> {
  /** Where its events come from. */
  readonly backend: PollBackend;
  /** The most events that one wait returns. */
  readonly maxEvents: number;
  readonly #id: number;
  readonly #words: Int32Array;
  readonly #registrations: Registrations<T, D>;
  readonly #timers: Timers;
  readonly #advanceNow = () => this.#advance();
  readonly #onReady = { onPollReady: () => queueMicrotask(this.#advanceNow) };
  readonly #onDeadline = { onDeadline: () => queueMicrotask(this.#advanceNow) };
  #defaultTimeoutMs = Number.POSITIVE_INFINITY;
  #waiting: Waiting<T, D> | null = null;
  #closed = false;
  #asyncIO: AsyncIO | null = null;
  /** Whether the last wait left the kernel unasked, in favour of what is pending. */
  #kernelIsNext = true;

  /**
   * @throws TypeError or RangeError for a wrong option; `PollError` with `ERR_SOCK_UNSUPPORTED` for
   * a backend that is not here, `EMFILE`, `ENFILE`, `ENOMEM`.
   */
  constructor(options?: SocketPollOptions) {
    const checked = checkOptions<SocketPollOptions>(options, ['maxEvents', 'backend']);
    const { maxEvents = eventsDefault, backend = binding.backend } = checked;
    this.maxEvents = checkInteger('options.maxEvents', maxEvents, 1, eventsMax);
    this.backend = checkOneOf('options.backend', backend, ['epoll', 'kqueue', 'poll']);
    const { id, words } = openPoll(this.backend, this.maxEvents);
    this.#id = id;
    this.#words = words;
    this.#registrations = new Registrations(id, () => this.#hurry());
    this.#timers = new Timers(id, () => this.#watchDeadline());
    closeWhenForgotten(this, id);
  }

  /**
   * An {@link AsyncIO} that goes with this poll: made when it is first asked for, closed with it.
   * The event loop calls its requests back, during `wait()` too; what blocks the loop, `waitSync`,
   * does so itself, and returns after that.
   *
   * @throws `PollError` (`ERR_SOCK_CLOSED`); what its constructor throws.
   */
  get asyncIO(): AsyncIO {
    this.#checkOpen();
    this.#asyncIO ??= new AsyncIO();
    return this.#asyncIO;
  }

  /** How many targets are watched. */
  get size(): number {
    return this.#registrations.size;
  }

  /** Whether {@link close} was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * What a wait without a timeout of its own waits for at most, in milliseconds; `Infinity`, the
   * default, sets no limit.
   */
  get defaultTimeout(): number {
    return this.#defaultTimeoutMs;
  }

  /** 0 to 2^31−1, or `Infinity`; anything else throws a TypeError or RangeError. */
  set defaultTimeout(timeout: number) {
    this.#defaultTimeoutMs = checkTime('defaultTimeout', timeout, 0);
  }

  /**
   * Begins to watch. What is ready already is reported by the next wait. A socket of these packages
   * leaves the reactor of its thread, until one of its promises waits again.
   *
   * @param target A socket, or the number of a descriptor of yours.
   * @param events Bits of {@link PollEvents}; 0 reports errors and hang-ups only.
   * @param data Comes back with each event.
   * @throws `PollError`: `EEXIST` when the target or its descriptor is watched already, `EPERM` for
   * what cannot be polled (a regular file or folder), `EBADF` for what is closed, `ENOSPC`,
   * `ENOMEM`, `ERR_SOCK_UNSUPPORTED` for `EdgeTriggered` on `'poll'`.
   * @see epoll_ctl(2)
   */
  add(target: T, events: number, data?: D): void {
    this.#checkOpen();
    this.#registrations.add(target, checkEvents(events, this.backend), data as D);
  }

  /**
   * Replaces what is watched for, and the data. Arms a `OneShot` again, and an `EdgeTriggered` one
   * for what is ready already.
   *
   * @throws `PollError`: `ENOENT` when it is not watched, or what {@link add} throws.
   */
  modify(target: T, events: number, data?: D): void {
    this.#checkOpen();
    this.#registrations.modify(target, checkEvents(events, this.backend), data as D);
  }

  /**
   * Watches it no longer. An event that was found before and not returned yet is dropped.
   *
   * @returns Whether it was watched.
   */
  remove(target: T): boolean {
    this.#checkOpen();
    return this.#registrations.remove(target);
  }

  /**
   * Waits for events, the event loop running on.
   *
   * @param timeout Milliseconds, 0 to 2^31−1, with fractions: 0 looks once, `Infinity` sets no
   * limit. Default {@link defaultTimeout}.
   * @param options `signal`.
   * @returns The events, one for each target, at most {@link maxEvents}. None: the time is over,
   * timers have fired, or somebody called {@link wake}. The array is yours.
   *
   * Rejects with `PollError` (`ERR_SOCK_BUSY` while another wait waits; `ERR_SOCK_CLOSED` also when
   * it is closed meanwhile) or `AbortError`. While it waits, the event loop is kept alive.
   */
  wait(timeout = this.#defaultTimeoutMs, options?: PollWaitOptions): Promise<PollEvent<T, D>[]> {
    const limitMs = checkTime('timeout', timeout, 0);
    const { signal } = checkOptions<PollWaitOptions>(options, ['signal']);
    return this.#wait(limitMs, checkSignal(signal, 'options.signal')).then(eventsOf);
  }

  /**
   * Blocks this thread's event loop: {@link wait}. For workers, whose only loop it is. A worker is
   * terminated only when the wait returns; {@link waker} lets others see to that.
   *
   * @param timeout As for {@link wait}.
   * @throws `PollError` (`ERR_SOCK_BUSY` while a `wait` waits, `ERR_SOCK_CLOSED`).
   */
  waitSync(timeout = this.#defaultTimeoutMs): PollEvent<T, D>[] {
    const endMs = endOf(checkTime('timeout', timeout, 0));
    this.#checkIdle('waitSync');
    const completions =
      this.#asyncIO === null ? null : new CompletionWatch(this.#id, this.#asyncIO);
    try {
      for (;;) {
        const processed = completions?.process() ?? 0;
        const leftMs = processed > 0 ? 0 : untilMs(endMs);
        const { events, over } = this.#look(Math.min(leftMs, completions?.sliceMs ?? leftMs));
        if (over || processed > 0 || untilMs(endMs) === 0) return events;
      }
    } finally {
      completions?.end();
    }
  }

  /**
   * What there is now, without waiting: an empty array when there is nothing. Timers that are due
   * fire, completions of {@link asyncIO} are called back.
   *
   * @throws As {@link waitSync}.
   */
  tryWait(): PollEvent<T, D>[] {
    this.#checkIdle('tryWait');
    this.#asyncIO?.processCompletions();
    return this.#look(0).events;
  }

  /**
   * Calls the handler with one event after the other, until the poll is closed. A promise that it
   * returns is awaited before the next event. An event whose target was removed or closed meanwhile
   * is passed over.
   *
   * @param handler What it throws, or rejects with, ends the run.
   * @param options `signal` ends it too.
   * @returns Resolves when the poll is closed. Rejects with what the handler threw, `AbortError`,
   * or as {@link wait} does.
   */
  run(handler: (event: PollEvent<T, D>) => unknown, options?: PollWaitOptions): Promise<void> {
    checkFunction('handler', handler);
    const { signal } = checkOptions<PollWaitOptions>(options, ['signal']);
    return this.#run(handler, checkSignal(signal, 'options.signal'));
  }

  /** As {@link run}: one event after the other. The loop ends when the poll is closed. */
  [Symbol.asyncIterator](): AsyncIterableIterator<PollEvent<T, D>> {
    return this.#iterate(undefined);
  }

  /**
   * The wait that is under way returns at once, with what there is; without one, the next wait
   * does. Several wake-ups before that are one.
   */
  wake(): void {
    this.#checkOpen();
    binding.pollWake(binding.pollName(this.#id));
  }

  /** What another thread can {@link wake} this poll with, for as long as it is open. */
  waker(): Waker {
    this.#checkOpen();
    return new Waker({ id: binding.pollName(this.#id) });
  }

  /**
   * Calls the function once, within the first wait at or after that time.
   *
   * @param delay Milliseconds, 0 to 2^31−1, with fractions.
   * @param callback Runs in the asynchronous context of this call.
   * @throws RangeError, TypeError; `PollError` (`ERR_SOCK_CLOSED`).
   */
  addTimer(delay: number, callback: () => void): Timer {
    checkFunction('callback', callback);
    const delayMs = checkDuration('delay', delay, 0);
    this.#checkOpen();
    return new Timer(this.#timers, delayMs, 0, callback);
  }

  /**
   * Calls the function after each interval, counted from now without drift. Ticks that were missed
   * because nobody waited are one.
   *
   * @param interval Milliseconds, 1 to 2^31−1, with fractions.
   * @param callback Runs in the asynchronous context of this call.
   * @throws As {@link addTimer}.
   */
  addRepeatingTimer(interval: number, callback: () => void): Timer {
    checkFunction('callback', callback);
    const intervalMs = checkDuration('interval', interval, 1);
    this.#checkOpen();
    return new Timer(this.#timers, intervalMs, intervalMs, callback);
  }

  /**
   * Lets go of everything that is watched, and closes none of it. Timers are over, a wait is
   * rejected with `ERR_SOCK_CLOSED`, `run` and iterations end. Again: does nothing.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#registrations.clear();
    this.#timers.close();
    this.#asyncIO?.close();
    this.#settle()?.reject(closedError());
    notForgotten(this);
    binding.pollClose(this.#id);
  }

  /** {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * One look, which may block for up to that long. Timers come between the kernel and the caller:
   * what their callbacks remove or close is not reported.
   */
  #look(limitMs: number): Look<T, D> {
    const pending = this.#registrations.takePending(this.maxEvents);
    const events: PollEvent<T, D>[] = [];
    const registrations: Registration<T, D>[] = [];
    let woken = false;
    // With something pending, the kernel is asked every second time: neither starves the other.
    if (pending.length === 0 || this.#kernelIsNext) {
      const count = binding.pollWait(this.#id, pending.length === 0 ? limitMs : 0);
      if (count < 0) throw lastCallError(count, 'the wait failed');
      woken = binding.control[Extra] === 1;
      this.#note(count, events, registrations);
    }
    this.#kernelIsNext = pending.length === 0 || !this.#kernelIsNext;
    if (pending.length > 0) this.#addPending(pending, events, registrations);
    const timers = this.#timers.isEmpty ? 0 : this.#timers.fire();
    if (timers > 0) this.#dropStale(events, registrations);
    const over = events.length > 0 || timers > 0 || woken;
    if (over) tellWakeup(this.backend, events.length, timers);
    return { events, registrations, over };
  }

  /** Reads what the addon has written, leaving out what is stale. */
  #note(count: number, events: PollEvent<T, D>[], registrations: Registration<T, D>[]): void {
    const words = this.#words;
    for (let at = 0; at < count * wordsPerEvent; at += wordsPerEvent) {
      const index = words[at] as number;
      const registration = this.#registrations.find(index, words[at + 1] as number);
      if (registration === undefined) continue;
      const bits = reportedOf(words[at + 2] as number, registration.events);
      if (bits === 0) continue;
      events.push({ socket: registration.target, events: bits, data: registration.data });
      registrations.push(registration);
      if (registration.has(OneShot)) registration.spent = true;
    }
  }

  #addPending(
    pending: readonly Registration<T, D>[],
    events: PollEvent<T, D>[],
    registrations: Registration<T, D>[],
  ): void {
    const places = new Map(registrations.map((registration, place) => [registration, place]));
    for (const registration of pending) {
      const { target: socket, data } = registration;
      const place = places.get(registration);
      if (place !== undefined) {
        events[place] = { socket, events: (events[place]?.events ?? 0) | Read, data };
      } else if (events.length < this.maxEvents) {
        events.push({ socket, events: Read, data });
        registrations.push(registration);
        if (registration.has(OneShot)) this.#registrations.unwatchSpent(registration);
      } else {
        this.#registrations.notePending(registration);
      }
    }
  }

  /** What the callbacks of timers have removed or closed. */
  #dropStale(events: PollEvent<T, D>[], registrations: Registration<T, D>[]): void {
    let kept = 0;
    for (const [place, registration] of registrations.entries()) {
      if (!this.#registrations.isLive(registration)) continue;
      registrations[kept] = registration;
      events[kept++] = events[place] as PollEvent<T, D>;
    }
    registrations.length = kept;
    events.length = kept;
  }

  #wait(limitMs: number, signal: AbortSignal | undefined): Promise<Look<T, D>> {
    if (this.#closed) return Promise.reject(closedError());
    if (this.#waiting !== null) return Promise.reject(busyError('wait'));
    if (signal?.aborted) return Promise.reject(new AbortError(signal));
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        if (signal !== undefined) this.#settle()?.reject(new AbortError(signal));
      };
      const endMs = endOf(limitMs);
      this.#waiting = { endMs, resolve, reject, signal, onAbort, deadlineId: -1 };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#arm(limitMs === 0);
    });
  }

  /** Has the addon watch, or looks in the next turn: in this one, the event loop would starve. */
  #arm(atOnce: boolean): void {
    const result = armPoll(this.#id, this.#onReady);
    if (result < 0) {
      this.#settle()?.reject(lastCallError(result, 'the wait failed'));
      return;
    }
    if (atOnce || this.#registrations.hasPending) this.#hurry();
    else this.#watchDeadline();
  }

  /** Looks in the next turn of the loop. */
  #hurry(): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    runNextTurn(() => {
      if (this.#waiting === waiting) this.#advance();
    });
  }

  #watchDeadline(): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    const timersMs = this.#timers.isEmpty ? Number.POSITIVE_INFINITY : this.#timers.nextMs;
    const atMs = Math.min(waiting.endMs, timersMs);
    if (atMs === Number.POSITIVE_INFINITY) return;
    if (waiting.deadlineId < 0) waiting.deadlineId = takeDeadlineId(this.#onDeadline);
    setDeadline(waiting.deadlineId, atMs);
  }

  /** Something has happened: a look tells what, and whether the wait is over. */
  #advance(): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    let look: Look<T, D>;
    try {
      look = this.#look(0);
    } catch (error) {
      this.#settle()?.reject(error);
      return;
    }
    // A timer's callback may have closed the poll.
    if (this.#waiting !== waiting) return;
    if (look.over || untilMs(waiting.endMs) === 0) this.#settle()?.resolve(look);
    else this.#arm(false);
  }

  /** Ends the wait, which the caller settles. */
  #settle(): Waiting<T, D> | null {
    const waiting = this.#waiting;
    if (waiting === null) return null;
    this.#waiting = null;
    disarmPoll(this.#id);
    if (waiting.deadlineId >= 0) returnDeadlineId(waiting.deadlineId);
    waiting.signal?.removeEventListener('abort', waiting.onAbort);
    return waiting;
  }

  async #run(
    handler: (event: PollEvent<T, D>) => unknown,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    this.#checkOpen();
    for await (const event of this.#iterate(signal)) {
      const result = handler(event);
      // Awaiting what is no promise would cost a turn of microtasks for each event.
      if (result instanceof Promise) await result;
    }
  }

  async *#iterate(signal: AbortSignal | undefined): AsyncGenerator<PollEvent<T, D>, undefined> {
    while (!this.#closed) {
      const look = await this.#waitUnlessClosed(signal);
      if (look === null) return;
      for (const [place, registration] of look.registrations.entries()) {
        if (signal?.aborted) throw new AbortError(signal);
        if (!this.#registrations.isLive(registration)) continue;
        const { events } = look.events[place] as PollEvent<T, D>;
        yield { socket: registration.target, events, data: registration.data };
      }
    }
  }

  async #waitUnlessClosed(signal: AbortSignal | undefined): Promise<Look<T, D> | null> {
    try {
      return await this.#wait(Number.POSITIVE_INFINITY, signal);
    } catch (error) {
      if (this.#closed) return null;
      throw error;
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError();
  }

  #checkIdle(verb: string): void {
    this.#checkOpen();
    if (this.#waiting !== null) throw busyError(verb);
  }
}

/** When a wait of that length is over. Reading the clock is a crossing, spared without a limit. */
function endOf(limitMs: number): number {
  return limitMs === Number.POSITIVE_INFINITY ? limitMs : monotonicMs() + limitMs;
}

function untilMs(endMs: number): number {
  return endMs === Number.POSITIVE_INFINITY ? endMs : Math.max(0, endMs - monotonicMs());
}

function eventsOf<T extends Target, D>({ events }: Look<T, D>): PollEvent<T, D>[] {
  return events;
}
