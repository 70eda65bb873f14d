/**
 * Counts by network that processes share through a store.
 *
 * Theory of operation. Each process tells the store how many connections it has of a network, as a
 * number that it adds to and takes from, and learns from each answer how many the others have. Who
 * comes in is judged by that, at once; the store is told afterwards, one call at a time for each
 * network, which carries all that has changed meanwhile. How many may come in before it has
 * answered is limited, so that what is known is never wrong by more than that for each process.
 *
 * What is told is a lease: it is good for one epoch. The key of a network has the epoch's number in
 * it, and in the last part of each, whatever is there is told to the next one's key as well, so
 * that it is complete when it becomes the one that counts. A process that has died tells nothing,
 * and what it had is not in the next one. The same goes for any call whose fate is unknown: what it
 * has done wrong is over with the epoch.
 */
import type { TimerClock } from '@sock/reconnect';
import type { CheckedLimiterOptions } from './limiter-options.js';
import { type Answer, absent, type LimiterStore } from './limiter-store.js';
import type { StoreCalls } from './store-calls.js';
import type { StoreEpochs } from './store-epochs.js';

/** A key outlives two epochs that are late. */
const lifetimesPerKey = 4;
/** How old may be what is known of the others, where it keeps somebody out. */
const lookAgainMs = 1_000;

/** What a process has told the key of an epoch. */
class Registration {
  /** Connections of ours that are in the store's number. */
  own = 0;
  isMended = false;

  constructor(readonly epoch: number) {}
}

/** All of one network. */
class Lease {
  /** Connections that are here. */
  count = 0;
  /** Connections that others have, as of the last answer. */
  others = 0;
  current: Registration;
  next: Registration | null = null;
  isCalling = false;
  isToLook = false;
  /** When the store last said something of it. */
  heardMs = Number.NEGATIVE_INFINITY;

  constructor(
    readonly network: string,
    epoch: number,
  ) {
    this.current = new Registration(epoch);
  }

  /** Nothing is here, and nothing of ours is in the store. */
  get isDone(): boolean {
    return this.count + this.current.own + (this.next?.own ?? 0) === 0 && !this.isCalling;
  }
}

/** What is to be said of a network next. */
interface Task {
  readonly registration: Registration;
  /** 0: only to ask how many there are. */
  readonly by: number;
}

const noEpoch = -1;

export class CountLeases {
  readonly #calls: StoreCalls;
  readonly #epochs: StoreEpochs;
  readonly #clock: TimerClock;
  readonly #options: CheckedLimiterOptions;
  readonly #leases = new Map<string, Lease>();
  /** Those of which there may be something to say. */
  readonly #due = new Set<Lease>();
  #isPumping = false;
  /** Calls under way. */
  #calling = 0;
  /** Set at the end: called when all is handed back. */
  #done: (() => void) | null = null;

  constructor(
    calls: StoreCalls,
    epochs: StoreEpochs,
    clock: TimerClock,
    options: CheckedLimiterOptions,
  ) {
    this.#calls = calls;
    this.#epochs = epochs;
    this.#clock = clock;
    this.#options = options;
  }

  /** Networks of which something is here, or in the store. */
  get size(): number {
    return this.#leases.size;
  }

  /** Whether the store is known to have room for one more, among so many. */
  hasRoom(network: string, max: number): boolean {
    const lease = this.#leases.get(network);
    if (lease === undefined) return true;
    this.#roll(lease);
    if (lease.count - lease.current.own >= this.#options.ahead) return false;
    return lease.count + lease.others < max;
  }

  /** It has kept somebody out: what is known is to be looked after. */
  doubt(network: string): void {
    const lease = this.#leases.get(network);
    if (lease === undefined || this.#clock.now() - lease.heardMs < lookAgainMs) return;
    lease.isToLook = true;
    this.#say(lease);
  }

  add(network: string): void {
    let lease = this.#leases.get(network);
    if (lease === undefined) {
      lease = new Lease(network, this.#epochs.epoch ?? noEpoch);
      this.#leases.set(network, lease);
    }
    lease.count++;
    this.#say(lease);
  }

  subtract(network: string): void {
    const lease = this.#leases.get(network);
    if (lease === undefined || lease.count === 0) return;
    lease.count--;
    this.#say(lease);
  }

  /** Another epoch, or the end of this one, or the store is back. */
  renew(): void {
    for (const lease of this.#leases.values()) this.#say(lease);
  }

  /** Nobody may hear any more of what is left. */
  abandon(): void {
    const done = this.#done;
    this.#done = null;
    done?.();
  }

  /** Takes all that is ours out of the store; `done` when that is over, or cannot be done. */
  close(done: () => void): void {
    this.#done = done;
    for (const lease of this.#leases.values()) {
      lease.count = 0;
      this.#say(lease);
    }
    if (this.#leases.size === 0 || !this.#calls.isUp || this.#epochs.epoch === null) this.abandon();
  }

  #say(lease: Lease): void {
    this.#due.add(lease);
    if (this.#isPumping) return;
    this.#isPumping = true;
    // Who is refused by something else is gone again by then.
    queueMicrotask(() => {
      this.#isPumping = false;
      this.#pump();
    });
  }

  #pump(): void {
    for (const lease of this.#due) {
      const task = lease.isCalling ? null : this.#taskOf(lease);
      // One that is calling comes again when it has its answer.
      if (task === null) this.#due.delete(lease);
      if (lease.isDone) this.#forget(lease);
      if (task === null) continue;
      if (!this.#calls.isUp || this.#calling >= this.#options.callsMax) return;
      this.#due.delete(lease);
      this.#call(lease, task);
    }
  }

  #forget(lease: Lease): void {
    // Another may be there by now, while a late answer came for this one.
    if (this.#leases.get(lease.network) === lease) this.#leases.delete(lease.network);
    if (this.#leases.size === 0) this.abandon();
  }

  #taskOf(lease: Lease): Task | null {
    const { epoch, isEnding } = this.#epochs;
    if (epoch === null) return null;
    this.#roll(lease);
    if (isEnding && lease.count > 0) lease.next ??= new Registration(epoch + 1);
    for (const registration of [lease.current, lease.next]) {
      const by = lease.count - (registration?.own ?? lease.count);
      if (registration !== null && by !== 0) return { registration, by };
    }
    return lease.isToLook ? { registration: lease.current, by: 0 } : null;
  }

  #roll(lease: Lease): void {
    const { epoch } = this.#epochs;
    if (epoch === null || lease.current.epoch === epoch) return;
    lease.current = lease.next?.epoch === epoch ? lease.next : new Registration(epoch);
    lease.next = null;
    // What was known of the others is of the epoch before: where it keeps somebody out, ask.
    lease.heardMs = Number.NEGATIVE_INFINITY;
  }

  #call(lease: Lease, { registration, by }: Task): void {
    lease.isCalling = true;
    lease.isToLook = false;
    this.#calling++;
    const end = (): void => {
      lease.isCalling = false;
      this.#calling--;
    };
    const key = `counts:${registration.epoch}:${lease.network}`;
    const customDuration = (lifetimesPerKey * this.#options.lifetimeMs) / 1000;
    this.#calls.ask((store) => tell(store, key, by, customDuration), {
      answered: (answer, isLate) => {
        if (!isLate) end();
        this.#hear(lease, registration, by, answer);
        this.#say(lease);
      },
      failed: () => {
        end();
        this.#say(lease);
      },
    });
  }

  #hear(lease: Lease, registration: Registration, by: number, { consumed }: Answer): void {
    registration.own += by;
    if (consumed < registration.own && !registration.isMended) {
      // It has lost what it was told, so that is told again; once, or it might go on for ever.
      registration.isMended = true;
      registration.own = Math.max(0, consumed);
    }
    if (registration !== lease.current) return;
    lease.others = Math.max(0, consumed - registration.own);
    lease.heardMs = this.#clock.now();
  }
}

async function tell(store: LimiterStore, key: string, by: number, customDuration: number) {
  if (by > 0) return store.penalty(key, by, { customDuration });
  if (by < 0) return store.reward(key, -by, { customDuration });
  return (await store.get(key)) ?? absent;
}
