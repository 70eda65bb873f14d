/**
 * The accepting half of a listening socket.
 *
 * Theory of operation. A listener is level-triggered: as long as somebody waits it is registered,
 * and every turn in which connections wait brings at most as many as are asked for. A lone accept
 * asks for one. An iteration will take them all, so it asks for more while connections keep coming
 * turn after turn, and for one when they are rare, which spares the accept4 that would say EAGAIN.
 * Out of descriptors (or memory), the listener leaves the poller, which would report it without
 * end, and tries again after a pause; nobody's accept fails for that.
 *
 * An accept may come with a guard, which the addon asks about each peer before there is a socket.
 * It holds for the accept that is first in line, and for none but that: only one connection is
 * asked for then.
 */
import {
  beginStep,
  binding,
  Control,
  type Endpoint,
  Errno,
  Flag,
  type Guard,
  type Limits,
  noLimits,
  OperationQueue,
  runNextTurn,
} from '@sock/native';
import {
  type AcceptOperation,
  type AcceptStep,
  SingleAccept,
  StandingAccept,
  type StepAccept,
  type Taker,
} from './accept-operations.js';
import { AbortError, lentError, systemError, TimeoutError } from './errors.js';
import { monotonicMs } from './monotonic.js';

const settled = Promise.resolve();

/** Connections that one turn may bring, unless that many single accepts wait. */
const burstMax = 16;
const retryAfterMs = 100;
const outOfResources = new Set([-Errno.EMFILE, -Errno.ENFILE, -Errno.ENOBUFS, -Errno.ENOMEM]);

export class Acceptor<T extends { close(): void }> {
  private readonly endpoint: Endpoint;
  private readonly adopt: (slot: number, generation: number) => T;
  private readonly queue = new OperationQueue<AcceptOperation<T>>();
  /** Accepted for an iteration and not taken yet. */
  private ready: T[] = [];
  private waiters = 0;
  private iterated = false;
  private burst = 1;
  private turn = -1;
  private retryAtMs = Number.POSITIVE_INFINITY;
  private warned = false;
  /** The one that the listener has. */
  private guard: Guard | null = null;
  /** True while the listener is kept alive and hears of its events. */
  private held = false;
  private releasing = false;
  /** Somebody else has the accepting; those who ask here are refused. */
  lent = false;
  private readonly release = (): void => {
    this.releasing = false;
    if (this.queue.head !== null || !this.held) return;
    this.held = false;
    this.useGuard(null);
    this.endpoint.endWait();
  };

  constructor(endpoint: Endpoint, adopt: (slot: number, generation: number) => T) {
    this.endpoint = endpoint;
    this.adopt = adopt;
  }

  get waiting(): boolean {
    return this.queue.head !== null;
  }

  /** Whether connections were accepted that nobody has taken yet. */
  get holdsConnections(): boolean {
    return this.ready.length > 0;
  }

  accept(limits: Limits, guard: Guard | null): Promise<T> {
    if (this.lent) return Promise.reject(lentError('accept'));
    const connection = this.queue.head === null ? this.takeReady() : undefined;
    if (connection !== undefined) return Promise.resolve(connection);
    return new Promise((resolve, reject) => {
      this.wait(new SingleAccept<T>(resolve, reject, guard), limits);
    });
  }

  /** The next step of an iteration; the operation must be idle. */
  step(operation: StepAccept<T>, limits: Limits): Promise<AcceptStep<T>> {
    if (this.lent) return Promise.reject(lentError('accept'));
    const value = this.queue.head === null ? this.takeReady() : undefined;
    if (value !== undefined) return Promise.resolve({ value, done: false });
    const step = beginStep(operation);
    this.wait(operation, limits);
    return step;
  }

  /** For the borrower: one more connection; returns how to give up on it, unless it is over. */
  begin(settle: (error: unknown, connection: T | null) => void): (error: Error) => void {
    const ready = this.takeReady();
    if (ready !== undefined) {
      settle(null, ready);
      return () => {};
    }
    const operation = new SingleAccept<T>(
      (connection) => settle(null, connection),
      (error) => settle(error, null),
      null,
    );
    this.wait(operation, noLimits);
    return (error) => {
      if (this.queue.find((waiting) => waiting === operation) !== null) {
        this.giveUp(operation, error);
      }
    };
  }

  /**
   * Hands over what comes while the taker has room. What it returns is to be called when there is
   * room again, or another guard, and to go on after a failure.
   */
  feed(taker: Taker<T>): () => void {
    const operation = new StandingAccept(taker);
    const goOn = (): void => {
      if (this.endpoint.closed) operation.close();
      else if (this.lent) operation.reject(lentError('accept'));
      else if (this.queue.find((waiting) => waiting === operation) !== null) this.ask();
      else this.stand(operation);
    };
    goOn();
    return goOn;
  }

  /** The socket that the addon has accepted in that slot. */
  take(slot: number, generation: number): T {
    return this.adopt(slot, generation);
  }

  /** Connections that come before those the kernel still has. */
  putBack(connections: readonly T[]): void {
    if (connections.length === 0) return;
    this.ready.unshift(...connections);
    if (this.endpoint.polled) this.endpoint.noteUnread();
  }

  /** Tells that whoever takes connections will take all that come. */
  beginIteration(): void {
    this.iterated = true;
  }

  tryAccept(guard: Guard | null): T | null {
    if (this.lent) throw lentError('tryAccept');
    const ready = this.takeReady();
    if (ready !== undefined) return ready;
    const { slot, generation } = this.endpoint;
    this.useGuard(guard);
    const accepted = binding.accept(slot, generation, false);
    if (accepted >= 0) return this.adopt(accepted, binding.control[Control.Extra] as number);
    if (accepted === -Errno.EAGAIN) return null;
    throw systemError(accepted, { syscall: 'accept' });
  }

  onAccepted(slot: number, generation: number): void {
    if (slot < 0) {
      this.note(slot);
      return;
    }
    this.learnPace();
    this.hand(slot, generation);
    if (this.queue.head === null) this.endpoint.clear(Flag.WantRead);
    else this.ask();
  }

  expire(nowMs: number): number {
    this.lookOnce(nowMs);
    for (const operation of this.queue.overdue(nowMs)) {
      this.giveUp(operation, new TimeoutError('accept', operation.timeoutMs));
    }
    if (this.retryAtMs <= nowMs) {
      this.retryAtMs = Number.POSITIVE_INFINITY;
      if (this.queue.head !== null) this.carryOn();
    }
    return Math.min(this.queue.earliestDeadline(), this.retryAtMs);
  }

  close(): void {
    for (let operation = this.queue.shift(); operation !== null; operation = this.queue.shift()) {
      this.over(operation);
      operation.close();
    }
    for (const connection of this.ready.splice(0)) connection.close();
  }

  /** Who is overdue fails only if nobody waits to be accepted: the event may be on the way. */
  private lookOnce(nowMs: number): void {
    const { slot, generation } = this.endpoint;
    for (let { head } = this.queue; head !== null && head.deadlineMs <= nowMs; ) {
      this.useGuard(head.guard);
      const accepted = binding.accept(slot, generation, false);
      if (accepted < 0) return;
      this.hand(accepted, binding.control[Control.Extra] as number);
      head = this.queue.head;
    }
  }

  private wait(operation: AcceptOperation<T>, limits: Limits): void {
    if (limits !== noLimits) {
      operation.limit(limits, (_, signal) => this.giveUp(operation, new AbortError(signal)));
    }
    this.queue.push(operation);
    this.waiters++;
    if (!this.held) {
      this.held = true;
      this.endpoint.beginWait();
    }
    if (operation.deadlineMs !== Number.POSITIVE_INFINITY) {
      this.endpoint.watchDeadline(operation.deadlineMs);
    }
    this.carryOn();
  }

  private stand(operation: StandingAccept<T>): void {
    while (operation.room > 0) {
      const ready = this.queue.head === null ? this.takeReady() : undefined;
      if (ready === undefined) {
        this.wait(operation, noLimits);
        return;
      }
      operation.finish(ready);
    }
  }

  private takeReady(): T | undefined {
    return this.ready.length === 0 ? undefined : this.ready.shift();
  }

  /** Tries while the listener is not registered; registered, an event will tell. */
  private carryOn(): void {
    const { slot, generation } = this.endpoint;
    const most = Math.min(this.queue.head?.room || burstMax, burstMax);
    for (let tries = 0; this.queue.head !== null && !this.endpoint.has(Flag.Registered); tries++) {
      if (tries === most) {
        // Others have their turn, too, before the rest of the backlog.
        runNextTurn(() => this.carryOn());
        return;
      }
      this.useGuard(this.queue.head.guard);
      const accepted = binding.accept(slot, generation, true);
      if (accepted >= 0) this.hand(accepted, binding.control[Control.Extra] as number);
      else if (accepted !== -Errno.EAGAIN) {
        this.note(accepted);
        return;
      }
    }
    if (this.queue.head !== null) this.ask();
  }

  private ask(): void {
    const { head } = this.queue;
    const guard = head?.guard ?? null;
    this.useGuard(guard);
    const more = this.iterated ? this.burst : Math.min(this.burst, head?.room ?? 0);
    this.endpoint.want(Flag.WantRead, guard === null ? Math.max(more, this.waiters) : 1);
  }

  private useGuard(guard: Guard | null): void {
    if (guard === this.guard || this.endpoint.closed) return;
    this.guard = guard;
    this.endpoint.guardWith(guard);
  }

  private learnPace(): void {
    const turn = binding.control[Control.Turn] as number;
    if (turn === this.turn) return;
    this.burst = turn - this.turn === 1 ? Math.min(this.burst * 2, burstMax) : 1;
    this.turn = turn;
  }

  private hand(slot: number, generation: number): void {
    const connection = this.adopt(slot, generation);
    const operation = this.queue.shift();
    if (operation === null) {
      this.ready.push(connection);
      if (this.endpoint.polled) this.endpoint.noteUnread();
      return;
    }
    if (operation.room === 0) {
      this.over(operation);
      operation.finish(connection);
      return;
    }
    operation.finish(connection);
    // Behind those who came meanwhile.
    if (operation.room > 0 && !this.endpoint.closed) {
      this.queue.push(operation);
      return;
    }
    this.over(operation);
    if (this.endpoint.closed) operation.close();
  }

  private note(errno: number): void {
    if (!outOfResources.has(errno)) {
      const operation = this.queue.shift();
      if (operation === null) return;
      this.over(operation);
      operation.reject(systemError(errno, { syscall: 'accept' }));
      return;
    }
    if (!this.warned) {
      this.warned = true;
      const { message, code } = systemError(errno, { syscall: 'accept' });
      process.emitWarning(`${message}; accepting goes on as soon as it can`, { code });
    }
    this.retryAtMs = monotonicMs() + retryAfterMs;
    this.endpoint.watchDeadline(this.retryAtMs);
  }

  private giveUp(operation: AcceptOperation<T>, error: Error): void {
    this.queue.remove(operation);
    this.over(operation);
    operation.reject(error);
    if (this.queue.head === null) this.endpoint.clear(Flag.WantRead);
    else this.ask();
  }

  private over(operation: AcceptOperation<T>): void {
    this.waiters--;
    operation.disarm();
    if (this.queue.head !== null || this.releasing) return;
    // Later: the records of this turn may hold further connections, which must still find us, and
    // an iteration is about to ask again anyway.
    this.releasing = true;
    void settled.then(this.release);
  }
}
