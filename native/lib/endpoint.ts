/**
 * One native socket as the packages see it: its name (slot and generation), the flags
 * it shares with the addon, and what keeps it alive while something waits on it.
 */
import { Control, type Family, Flag, slotsPerPage, wordsPerSlot } from './constants.js';
import {
  binding,
  type DeadlineSink,
  type Guard,
  holdLoop,
  pin,
  releaseLoop,
  returnDeadlineId,
  type Sink,
  setDeadline,
  setGuard,
  takeDeadlineId,
  unpin,
} from './reactor.js';
import { checkFunction, checkObject } from './validate.js';

/** Who watches a descriptor in our place, and has to know: the part of a poll that is called. */
export interface Watcher {
  /** It is about to be closed or given away, and its descriptor with it: once, before that. */
  onClosing(): void;
  /** There is something here that the kernel knows nothing of, while nobody received. */
  onPendingRead(): void;
}

export function checkWatcher(value: unknown): void {
  const watcher = checkObject<Watcher>('watcher', value);
  checkFunction('watcher.onClosing', watcher.onClosing);
  checkFunction('watcher.onPendingRead', watcher.onPendingRead);
}

/** Who moves the bytes of a socket by other means than its own verbs. */
export interface Borrower {
  /** The socket is about to be closed or given away: before its descriptor is. */
  onClosing(): void;
}

/** The error of a layer in front of the descriptor, for an errno of its own; else null. */
export type Explain = (
  this: Endpoint,
  errno: number,
  details: { syscall: string; bytesTransferred?: number | undefined },
) => Error | null;

/** A part of a socket whose operations can wait: receiving, sending, accepting, connecting. */
export interface Waiters {
  /** Settles what is overdue; the earliest deadline that is left, Infinity when none is. */
  expire(nowMs: number): number;
}

const { control, pages, traffic } = binding;
const { Turn } = Control;

/** What a socket may do in one turn without waiting: 16 operations, or 256 KiB. */
const turnBudget = 256;
/** What all of them may together: a loop over ever new sockets must not starve timers either. */
const turnBudgetOfAll = 64 * turnBudget;
const costOfOperation = 16;
const bytesPerCostShift = 10;

let turnOfAll = -1;
let spentByAll = 0;

const noWords = new Int32Array(wordsPerSlot);

/** Bytes received from the kernel, and bytes that it took. */
export interface Traffic {
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

/** That of the socket which the addon has told of last. */
function trafficNow(): Traffic {
  return { bytesRead: traffic[0] as number, bytesWritten: traffic[1] as number };
}

/** What tells a connection from others. */
export interface Ends {
  readonly fd: number;
  readonly family: Family;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
}

/** The parts that hear of the socket's events; each is made when it is first needed. */
export interface Parts {
  receiver:
    | (Waiters & { hasUnread: boolean } & Pick<
          Sink,
          'onChunk' | 'onFilled' | 'onReadable' | 'onDetached'
        >)
    | null;
  sender: (Waiters & Pick<Sink, 'onWritable' | 'onDetached'>) | null;
  acceptor: (Waiters & { holdsConnections: boolean } & Pick<Sink, 'onAccepted'>) | null;
  connector: (Waiters & Pick<Sink, 'onWritable'>) | null;
}

export class Endpoint implements Sink, DeadlineSink, Parts {
  receiver: Parts['receiver'];
  sender: Parts['sender'];
  slot: number;
  generation: number;
  private words: Int32Array;
  private at: number;
  private turn: number;
  private spent: number;
  private waiting: number;
  private keepsLoop: boolean;
  /** The polls of the user that watch the descriptor. */
  private watchers: Set<Watcher> | null;
  acceptor: Parts['acceptor'];
  connector: Parts['connector'];
  /** Keeps the user's object from being collected while something waits. */
  readonly owner: object;
  /** Its place among the sockets that were made a moment ago, −1 when it is none of them. */
  recentIndex: number;
  /** When the connection was made, on the clock of the reactor; for those who observe. */
  sinceMs: number | undefined;
  /** What those who observe were told it is; null while nobody was. */
  ends: Ends | null;
  private finalTraffic: Traffic | null;
  private deadline: { id: number; atMs: number } | null;
  /** Those who have borrowed a direction of it. */
  private borrowers: Borrower[] | null;
  /** What a layer in front of the descriptor knows of an errno; null: no more than the kernel. */
  explain: Explain | null;
  /** Those who hear that it was closed, by whomever. */
  private closeListeners: (() => void)[] | null;

  constructor(owner: object, slot: number, generation: number) {
    // First what each operation touches: with a thousand busy sockets each cache line is one to
    // wait for.
    this.receiver = null;
    this.sender = null;
    this.slot = slot;
    this.generation = generation;
    this.words = pages[Math.trunc(slot / slotsPerPage)] ?? noWords;
    this.at = (slot % slotsPerPage) * wordsPerSlot;
    this.turn = -1;
    this.spent = 0;
    this.waiting = 0;
    this.keepsLoop = true;
    this.watchers = null;
    this.explain = null;
    this.acceptor = null;
    this.connector = null;
    this.owner = owner;
    this.recentIndex = -1;
    this.sinceMs = undefined;
    this.ends = null;
    this.finalTraffic = null;
    this.deadline = null;
    this.borrowers = null;
    this.closeListeners = null;
  }

  /**
   * False once this turn's share is used up. Operations that complete at once run on as microtasks,
   * before any timer or other socket: without a limit, a busy socket starves them all.
   */
  get budgetLeft(): boolean {
    const turn = control[Turn] as number;
    if (turn !== this.turn) {
      this.turn = turn;
      this.spent = 0;
      if (turn !== turnOfAll) {
        turnOfAll = turn;
        spentByAll = 0;
      }
    }
    return this.spent < turnBudget && spentByAll < turnBudgetOfAll;
  }

  spend(bytes: number): void {
    const cost = costOfOperation + (bytes >> bytesPerCostShift);
    this.spent += cost;
    spentByAll += cost;
  }

  /** Whether no layer is in front of the descriptor. */
  get isBare(): boolean {
    return this.explain === null;
  }

  get closed(): boolean {
    return this.slot < 0;
  }

  has(flags: number): boolean {
    return ((this.words[this.at] as number) & flags) !== 0;
  }

  set(flags: number): void {
    this.words[this.at] = (this.words[this.at] as number) | flags;
  }

  clear(flags: number): void {
    this.words[this.at] = (this.words[this.at] as number) & ~flags;
  }

  /** Who comes to this listener from now on is the guard's matter; null: all may come in. */
  guardWith(guard: Guard | null): void {
    setGuard(this.slot, guard ?? undefined);
    if (guard === null) this.clear(Flag.Guarded);
    else this.set(Flag.Guarded);
  }

  /** True when trying to receive (or accept) may bring something; false: an event will come. */
  get readable(): boolean {
    return this.has(Flag.Readable);
  }

  /** Asks for up to `max` bytes (or, with {@link Flag.WantRead} on a listener, connections). */
  want(flag: number, max: number): void {
    this.words[this.at + 1] = max;
    this.set(flag);
  }

  /** An operation begins to wait: the socket stays alive, and so does the event loop. */
  beginWait(): void {
    if (this.waiting++ > 0) return;
    pin(this.slot, this);
    if (this.keepsLoop) holdLoop();
  }

  endWait(): void {
    if (--this.waiting > 0) return;
    if (this.slot >= 0) unpin(this.slot);
    if (this.keepsLoop) releaseLoop();
    if (this.watchers !== null) this.leaveReactor();
  }

  get polled(): boolean {
    return this.watchers !== null;
  }

  get hasUnread(): boolean {
    const isHere = this.receiver?.hasUnread === true || this.acceptor?.holdsConnections === true;
    return isHere || this.has(Flag.Unread);
  }

  /** Something came that nobody waited for: a poll cannot learn of it from the kernel. */
  noteUnread(): void {
    for (const watcher of this.watchers ?? []) watcher.onPendingRead();
  }

  /**
   * The watcher's poll takes the place of the reactor, which would be woken for nothing; while an
   * operation waits, both watch.
   */
  watch(watcher: Watcher): () => void {
    this.watchers ??= new Set();
    this.watchers.add(watcher);
    if (this.waiting === 0) this.leaveReactor();
    return () => {
      if (this.watchers?.delete(watcher) === true && this.watchers.size === 0) this.watchers = null;
    };
  }

  /** It is kept alive, and so is the event loop, until {@link endLoan}. */
  beginLoan(borrower: Borrower): void {
    this.borrowers ??= [];
    this.borrowers.push(borrower);
    this.beginWait();
  }

  endLoan(borrower: Borrower): void {
    const index = this.borrowers?.indexOf(borrower) ?? -1;
    if (index >= 0) this.borrowers?.splice(index, 1);
    this.endWait();
  }

  /** Whoever waits in another place would have the reactor woken beside it. */
  leaveReactor(): void {
    if (this.slot >= 0) binding.leave(this.slot, this.generation);
  }

  /**
   * Before the descriptor goes: a duplicate of it elsewhere would keep a registration alive, and a
   * request in the kernel the connection.
   */
  private leaveOthers(): void {
    if (this.watchers === null && this.borrowers === null) return;
    const others = [...(this.watchers ?? []), ...(this.borrowers ?? [])];
    this.watchers = null;
    for (const watcher of others) {
      try {
        watcher.onClosing();
      } catch (error) {
        // That one's own trouble: the descriptor must go all the same.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  keepLoop(on: boolean): void {
    if (on === this.keepsLoop) return;
    this.keepsLoop = on;
    if (this.waiting === 0) return;
    if (on) holdLoop();
    else releaseLoop();
  }

  /**
   * Makes sure that {@link onDeadline} runs at or after the time. One native deadline serves all
   * operations of the socket and is left where it is when they end: the next operation's deadline
   * is later as a rule, and then costs nothing.
   */
  watchDeadline(atMs: number): void {
    if (this.deadline === null) {
      this.deadline = { id: takeDeadlineId(this), atMs: Number.POSITIVE_INFINITY };
    }
    if (atMs >= this.deadline.atMs) return;
    this.deadline.atMs = atMs;
    setDeadline(this.deadline.id, atMs);
  }

  onDeadline(): void {
    if (this.deadline !== null) this.deadline.atMs = Number.POSITIVE_INFINITY;
    const nowMs = binding.now();
    const next = Math.min(
      this.receiver?.expire(nowMs) ?? Number.POSITIVE_INFINITY,
      this.sender?.expire(nowMs) ?? Number.POSITIVE_INFINITY,
      this.acceptor?.expire(nowMs) ?? Number.POSITIVE_INFINITY,
      this.connector?.expire(nowMs) ?? Number.POSITIVE_INFINITY,
    );
    if (this.closed) return;
    if (next !== Number.POSITIVE_INFINITY) this.watchDeadline(next);
    else this.dropDeadline();
  }

  /** A deadline keeps its socket from being collected, so none is kept for nothing. */
  dropDeadline(): void {
    if (this.deadline !== null) returnDeadlineId(this.deadline.id);
    this.deadline = null;
  }

  onChunk(count: number, buffer: ArrayBuffer | undefined, offset: number): void {
    this.receiver?.onChunk(count, buffer, offset);
  }

  onFilled(count: number): void {
    this.receiver?.onFilled(count);
  }

  onReadable(): void {
    this.receiver?.onReadable();
  }

  onWritable(): void {
    if (this.connector !== null) this.connector.onWritable();
    else this.sender?.onWritable();
  }

  onAccepted(slot: number, generation: number): void {
    this.acceptor?.onAccepted(slot, generation);
  }

  onDetached(): void {
    this.receiver?.onDetached();
    this.sender?.onDetached();
  }

  /** Another native socket for the same owner; whoever wants to hear of it sets the parts. */
  successor(slot: number, generation: number): Endpoint {
    const successor = new Endpoint(this.owner, slot, generation);
    successor.keepsLoop = this.keepsLoop;
    return successor;
  }

  /** Closes the descriptor. Whoever waits is told by the caller, afterwards. */
  close(): void {
    if (this.closed) return;
    this.leaveOthers();
    const { slot, generation } = this;
    this.leave();
    binding.close(slot, generation);
    this.finalTraffic = trafficNow();
    this.tellClosed();
  }

  /** As {@link close}, but the descriptor stays open: it is returned. Below 0: why not. */
  detach(nonBlocking: boolean): number {
    const { slot, generation } = this;
    const fd = binding.detach(slot, generation, nonBlocking);
    if (fd < 0) return fd;
    this.leaveOthers();
    this.finalTraffic = trafficNow();
    this.leave();
    this.tellClosed();
    return fd;
  }

  /** Runs once when it is closed, by whomever, behind those who asked for that before. */
  whenClosed(listener: () => void): void {
    // A push would make room for seventeen.
    this.closeListeners = [...(this.closeListeners ?? []), listener];
  }

  /** The listener no longer concerns itself with it. */
  notWhenClosed(listener: () => void): void {
    this.closeListeners = this.closeListeners?.filter((other) => other !== listener) ?? null;
  }

  /** What went over it, also once it is closed. */
  get traffic(): Traffic {
    if (this.finalTraffic !== null) return this.finalTraffic;
    binding.readTraffic(this.slot, this.generation);
    return trafficNow();
  }

  private tellClosed(): void {
    const listeners = this.closeListeners;
    this.closeListeners = null;
    for (const listener of listeners ?? []) listener();
  }

  private leave(): void {
    this.dropDeadline();
    if (this.waiting > 0) unpin(this.slot);
    if (this.acceptor !== null) setGuard(this.slot, undefined);
    this.slot = -1;
    this.words = noWords;
    this.at = 0;
  }
}
