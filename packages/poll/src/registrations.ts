/**
 * Who is watched, and for what. The kernel knows a registration by slot and generation: what is
 * reported under a name that is no longer there is stale, and nobody hears of it, though the number
 * of the descriptor may long be somebody else's.
 */
import { type Pollable, PollError, type PollWatcher } from '@sock/core';
import { binding, checkInteger, invalidType } from '@sock/native';
import { lastCallError } from './errors.js';
import { interestOf, PollEvents } from './poll-events.js';

const { Read, EdgeTriggered, OneShot } = PollEvents;
const generationMax = 2 ** 31 - 1;
const fdMax = 2 ** 31 - 1;

const nobody: readonly never[] = [];

/** A descriptor, or what has one. */
export type Target = Pollable | number;

interface PollableShape {
  fd?: unknown;
  pendingRead?: unknown;
  joinPoll?: unknown;
}

/** Of what may be anything, a proxy that was revoked included. */
function shapeOf(target: unknown): PollableShape {
  if (typeof target !== 'object' || target === null) return {};
  try {
    const { fd, pendingRead, joinPoll } = target as PollableShape;
    return { fd, pendingRead, joinPoll };
  } catch {
    return {};
  }
}

export function fdOf(target: unknown): number {
  if (typeof target === 'number') return checkInteger('target', target, 0, fdMax);
  const { fd, pendingRead, joinPoll } = shapeOf(target);
  const isPollable =
    typeof fd === 'number' &&
    typeof pendingRead === 'function' &&
    (joinPoll === undefined || typeof joinPoll === 'function');
  if (!isPollable) throw invalidType('target', 'a descriptor or a Pollable', target);
  return fd;
}

/** One target, from add() to remove(). */
export class Registration<T extends Target = Target, D = unknown> implements PollWatcher {
  readonly index: number;
  readonly generation: number;
  readonly target: T;
  readonly fd: number;
  events: number;
  data: D;
  /** A one-shot that was reported: nothing further until modify(). */
  spent = false;
  /** Whether the kernel knows of it. */
  watched = false;
  leave: (() => void) | null = null;
  readonly #owner: Registrations<T, D>;

  constructor(
    owner: Registrations<T, D>,
    index: number,
    generation: number,
    target: T,
    fd: number,
    events: number,
    data: D,
  ) {
    this.#owner = owner;
    this.index = index;
    this.generation = generation;
    this.target = target;
    this.fd = fd;
    this.events = events;
    this.data = data;
  }

  has(event: number): boolean {
    return (this.events & event) !== 0;
  }

  onClosing(): void {
    this.#owner.drop(this);
  }

  onPendingRead(): void {
    this.#owner.notePending(this);
  }
}

export class Registrations<T extends Target, D> {
  readonly #poll: number;
  readonly #onPending: () => void;
  readonly #byTarget = new Map<Target, Registration<T, D>>();
  readonly #byFd = new Map<number, Registration<T, D>>();
  readonly #slots: (Registration<T, D> | undefined)[] = [];
  readonly #freeSlots: number[] = [];
  /** Those that may have something pending: asked before each wait, until they say no. */
  readonly #pending = new Set<Registration<T, D>>();
  #generation = 0;

  constructor(poll: number, onPending: () => void) {
    this.#poll = poll;
    this.#onPending = onPending;
  }

  get size(): number {
    return this.#byTarget.size;
  }

  add(target: T, events: number, data: D): void {
    const fd = fdOf(target);
    if (this.#byTarget.has(target) || this.#byFd.has(fd)) {
      const message = `add EEXIST: Socket already in poll set (descriptor ${fd})`;
      throw new PollError(message, { code: 'EEXIST' });
    }
    const index = this.#freeSlots.pop() ?? this.#slots.length;
    this.#generation = this.#generation === generationMax ? 1 : this.#generation + 1;
    const added = new Registration(this, index, this.#generation, target, fd, events, data);
    this.#slots[index] = added;
    try {
      this.#watch(added, events);
      if (typeof target !== 'number') added.leave = target.joinPoll?.(added) ?? null;
    } catch (error) {
      this.#unwatch(added);
      throw error;
    }
    this.#byTarget.set(target, added);
    this.#byFd.set(fd, added);
    this.#expect(added);
  }

  modify(target: Target, events: number, data: D): void {
    const found = this.#byTarget.get(target);
    if (found === undefined) {
      throw new PollError('modify ENOENT: not in the poll', { code: 'ENOENT' });
    }
    if (found.watched) this.#change(found, events);
    else this.#watch(found, events);
    found.events = events;
    found.spent = false;
    found.data = data;
    this.#expect(found);
  }

  remove(target: Target): boolean {
    const found = this.#byTarget.get(target);
    if (found === undefined) return false;
    this.drop(found);
    return true;
  }

  /** It is watched no longer. */
  drop(registration: Registration<T, D>): void {
    if (this.#byTarget.get(registration.target) !== registration) return;
    this.#byTarget.delete(registration.target);
    this.#byFd.delete(registration.fd);
    this.#pending.delete(registration);
    registration.leave?.();
    this.#unwatch(registration);
  }

  clear(): void {
    for (const registration of [...this.#byTarget.values()]) this.drop(registration);
  }

  /** The registration of that name, unless it is over. */
  find(index: number, generation: number): Registration<T, D> | undefined {
    const found = this.#slots[index];
    return found?.generation === generation ? found : undefined;
  }

  isLive(registration: Registration<T, D>): boolean {
    return this.#slots[registration.index] === registration;
  }

  notePending(registration: Registration<T, D>): void {
    this.#pending.add(registration);
    this.#onPending();
  }

  /** Those whose readiness the kernel cannot know; what was reported last comes last. */
  takePending(max: number): readonly Registration<T, D>[] {
    if (this.#pending.size === 0) return nobody;
    const found: Registration<T, D>[] = [];
    for (const registration of [...this.#pending]) {
      if (found.length === max) break;
      const { target } = registration;
      // Those that cannot tell when something comes are asked for as long as they are watched.
      const mustAsk = typeof target !== 'number' && target.joinPoll === undefined;
      this.#pending.delete(registration);
      const isReady = this.#isPending(registration);
      if (isReady) found.push(registration);
      if (mustAsk || (isReady && !registration.has(EdgeTriggered | OneShot))) {
        this.#pending.add(registration);
      }
    }
    return found;
  }

  get hasPending(): boolean {
    for (const registration of this.#pending) if (this.#isPending(registration)) return true;
    return false;
  }

  /** A one-shot was reported by what it had pending: the kernel is not to report it once more. */
  unwatchSpent(registration: Registration<T, D>): void {
    const { fd, index, generation } = registration;
    registration.spent = true;
    registration.watched = false;
    binding.pollRemove(this.#poll, fd, index, generation);
  }

  #isPending(registration: Registration<T, D>): boolean {
    const { target, spent } = registration;
    if (spent || typeof target === 'number' || !registration.has(Read)) return false;
    return target.pendingRead();
  }

  #expect(registration: Registration<T, D>): void {
    if (typeof registration.target === 'number') return;
    this.#pending.add(registration);
    if (registration.target.pendingRead()) this.#onPending();
  }

  #watch(registration: Registration<T, D>, events: number): void {
    const { fd, index, generation } = registration;
    const result = binding.pollAdd(this.#poll, fd, index, generation, interestOf(events));
    if (result < 0) throw lastCallError(result, `descriptor ${fd}`);
    registration.watched = true;
  }

  #change({ fd, index, generation }: Registration<T, D>, events: number): void {
    const interest = interestOf(events);
    const result = binding.pollModify(this.#poll, fd, index, generation, interest);
    if (result < 0) throw lastCallError(result, `descriptor ${fd}`);
  }

  #unwatch({ fd, index, generation, watched }: Registration<T, D>): void {
    if (watched) binding.pollRemove(this.#poll, fd, index, generation);
    this.#slots[index] = undefined;
    this.#freeSlots.push(index);
  }
}
