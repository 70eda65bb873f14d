/**
 * The sending half of a stream.
 *
 * Theory of operation. A send goes to the kernel at once. What the kernel does not take waits in a
 * queue, by reference: the bytes are looked up again at every attempt, so a buffer that was
 * detached meanwhile is an error, never a wild read. Small sends that find another one of the same
 * turn ahead of them are copied into a block (the cork), which leaves by one system call when the
 * microtasks of this turn have run, and settle together; a socket that sent more than once in its
 * last turn is taken to do so again, and corks its first small send too.
 */
import {
  binding,
  Control,
  type Endpoint,
  Errno,
  Flag,
  type Limits,
  noLimits,
  type Operation,
  OperationQueue,
  runNextTurn,
} from '@sock/native';
import {
  AbortError,
  busyError,
  closedError,
  detachedError,
  lentError,
  SocketError,
  systemError,
  TimeoutError,
} from './errors.js';
import { Cork, recycle, SendOperation, ShutdownOperation, sendError } from './send-operations.js';
import { flatten } from './vector.js';

// Looked up once: these are on the path of every message.
const { control, flushHeld, send, sendAll } = binding;
const { EAGAIN, ECONNRESET, ENOTCONN, EPIPE, EPROTO } = Errno;
const { Held, Writable, WantWrite } = Flag;
const { Turn } = Control;

/** After these nothing more can be sent. EPROTO is that of a layer in front of the descriptor. */
const finalErrors = new Set([-EPIPE, -ECONNRESET, -EPROTO]);

/** A send above this is not worth a copy. */
export const corkedMax = 4 * 1024;

/** What `sendAll` returns when the kernel took everything at once. */
const done = Promise.resolve();

const corked: Sender[] = [];

/** Runs after the microtasks of the turn, as process.nextTick does. */
function flushCorks(): void {
  for (const sender of corked.splice(0)) sender.flush();
}

/** Is its own queue: with a thousand busy sockets every object on the way is out of the cache. */
export class Sender extends OperationQueue<SendOperation | ShutdownOperation> {
  private readonly endpoint: Endpoint;
  private cork: Cork | null = null;
  private turn = -1;
  private sendsOfTurn = 0;
  /** A negative errno once the connection broke. */
  failure = 0;
  /** Somebody else has the sending; those who ask here are refused. */
  lent = false;
  /** False where every send is a message of its own. */
  private readonly mayJoin: boolean;
  private resuming: boolean;
  private halfClosed: boolean;
  private queuedBytes: number;
  queueMax: number;

  constructor(endpoint: Endpoint, queueMax: number, mayJoin: boolean) {
    super();
    this.endpoint = endpoint;
    this.mayJoin = mayJoin;
    // Last what a send that the kernel takes at once does not touch.
    this.resuming = false;
    this.halfClosed = false;
    this.queuedBytes = 0;
    this.queueMax = queueMax;
  }

  get queued(): number {
    return this.queuedBytes + (this.cork?.length ?? 0);
  }

  /** Resolves once the kernel has all of it. */
  sendAll(bytes: Uint8Array, limits: Limits): Promise<void> {
    if (this.lent) return Promise.reject(lentError('sendAll'));
    const { length } = bytes;
    const { cork } = this;
    // The rest of a burst: the cork was opened in this turn, or it would be gone.
    if (cork !== null && limits === noLimits && length <= corkedMax && cork.hasRoomFor(length)) {
      this.sendsOfTurn++;
      return cork.add(bytes);
    }
    if (length <= corkedMax && limits === noLimits && this.mayJoin && this.failure === 0) {
      if (this.head !== null) return this.addToQueue(bytes);
      if (this.shouldCork()) return this.addToCork(bytes);
    }
    const sent = this.sendNow(bytes);
    if (sent === length && !this.holds) return done;
    return new Promise((resolve, reject) => {
      const settle = (): void => resolve();
      this.wait(new SendOperation(settle, reject, bytes, length, true), sent, limits);
    });
  }

  /** {@link sendAll} of bytes in several places, which are few enough to be copied together. */
  sendEach(views: readonly Uint8Array[], length: number, limits: Limits): Promise<void> {
    const { cork } = this;
    if (cork !== null && limits === noLimits && cork.hasRoomFor(length)) {
      this.sendsOfTurn++;
      return cork.addEach(views);
    }
    return this.sendAll(flatten(views, length), limits);
  }

  /** Sends now what can be; the rest waits. The operation settles its own promise. */
  submit(operation: SendOperation, limits: Limits): void {
    if (this.lent) operation.reject(lentError('a send'));
    else this.begin(operation, limits);
  }

  /** {@link submit}, for the borrower too. */
  begin(operation: SendOperation, limits: Limits): void {
    const sent = this.mayTry(operation.length) ? this.transmit(operation, true, false) : 0;
    if ((sent === operation.length && !this.holds) || (sent > 0 && !operation.all)) {
      operation.sent = sent;
      operation.finish();
    } else {
      this.wait(operation, sent === -EAGAIN ? 0 : sent, limits);
    }
  }

  /** Gives up on an operation of {@link begin}, unless it is over. */
  cancel(operation: SendOperation, error: Error): void {
    if (this.find((waiting) => waiting === operation) !== null) this.giveUp(operation, () => error);
  }

  /** Throws what keeps the sending from being lent. */
  checkLendable(): void {
    if (this.lent) throw lentError('another request');
    if (!this.flushAll()) throw busyError('a request of an AsyncIO', 'a send');
  }

  /** Resolves with the count of bytes that the kernel took: at least one, at most all. */
  send(bytes: Uint8Array, limits: Limits): Promise<number> {
    if (this.lent) return Promise.reject(lentError('send'));
    const sent = this.sendNow(bytes);
    if (sent > 0 || bytes.length === 0) return Promise.resolve(sent);
    return new Promise((resolve, reject) => {
      const { length } = bytes;
      this.wait(new SendOperation(resolve, reject, bytes, length, false), sent, limits);
    });
  }

  /** Without waiting: a count, or null when the kernel takes nothing or others are ahead. */
  tryBytes(bytes: Uint8Array): number | null {
    if (this.lent) throw lentError('a send');
    this.flush();
    if (this.head !== null) return null;
    if (bytes.length === 0) return 0;
    const sent = this.attempt(bytes, 0, bytes.length, false);
    if (sent >= 0) return sent;
    if (sent === -EAGAIN) return null;
    throw this.errorOf(sent, 0, 'send');
  }

  /**
   * One attempt at what is left of an operation that nobody waits for: a count, or null when the
   * kernel takes nothing or others are ahead.
   */
  tryOnce(operation: SendOperation, mayBlock = false): number | null {
    if (this.lent) throw lentError('a send');
    this.flush();
    if (this.head !== null) return null;
    const flushed = this.flushHeld();
    if (flushed === -EAGAIN) return null;
    if (flushed < 0) throw this.failureOf(operation, flushed, operation.sent);
    if (operation.sent === operation.length) return 0;
    const sent = this.transmit(operation, false, mayBlock);
    if (sent === -EAGAIN) return null;
    if (sent < 0) throw this.failureOf(operation, sent, operation.sent);
    operation.sent += sent;
    return sent;
  }

  /**
   * Without an operation, within this turn's share: a count, or null when the share is used up, the
   * kernel takes nothing, or others are ahead.
   */
  tryNow(bytes: Uint8Array): number | null {
    if (this.lent) throw lentError('a send');
    const sent = this.sendNow(bytes);
    if (sent < 0) throw this.errorOf(sent, 0, 'send');
    return sent === 0 && bytes.length > 0 ? null : sent;
  }

  /** Shuts down behind everything that is queued; `endsSending`: this direction, at least. */
  shutdown(limits: Limits, endsSending: boolean, call: () => number): Promise<void> {
    if (this.lent && endsSending) return Promise.reject(lentError('shutdown'));
    this.flush();
    return new Promise((resolve, reject) => {
      const operation = new ShutdownOperation(() => {
        const result = call();
        // To the kernel, a TCP connection that both sides have ended is none any more.
        const isOver = result === -ENOTCONN && this.halfClosed;
        if (result === 0 || isOver) resolve();
        else reject(this.errorOf(result, undefined, 'shutdown'));
        this.halfClosed ||= endsSending && result === 0;
      }, reject);
      if (this.head === null) operation.resolve();
      else this.enqueue(operation, limits);
    });
  }

  /** Resolves when what is queued now has gone. */
  flushed(): Promise<void> {
    return this.shutdown(noLimits, false, () => 0);
  }

  /** The cork leaves now: at the end of the turn, or before something that must come after it. */
  flush(): void {
    const operation = this.cork;
    if (operation === null) return;
    this.cork = null;
    const sent = this.attempt(operation.bytes, 0, operation.length, true);
    if (sent > 0) operation.sent = sent;
    if (operation.sent === operation.length && !this.holds) {
      this.finish(operation);
      this.endpoint.endWait();
    } else if (sent < 0 && sent !== -EAGAIN) {
      this.endpoint.endWait();
      operation.reject(this.failureOf(operation, sent, 0));
      recycle(operation);
    } else {
      this.push(operation);
      this.queuedBytes += operation.length - operation.sent;
      this.endpoint.set(WantWrite);
    }
  }

  /** Sends what is queued as far as the kernel takes it; whether that was all. */
  flushAll(mayBlock = false): boolean {
    this.flush();
    this.drain(false, mayBlock);
    return this.head === null;
  }

  /** Takes away from those who wait: the socket is about to be closed. */
  close(): void {
    this.flush();
    this.failAll((bytesTransferred) => closedError(bytesTransferred));
  }

  /** For a sender that blocks: as {@link tryOnce}, but what is queued goes first. */
  drainThenTry(operation: SendOperation): number | null {
    this.flushAll(true);
    return this.tryOnce(operation, true);
  }

  onWritable(): void {
    this.drain(true);
    this.carryOn();
  }

  /** Sees to it that the first of the queue is served: in the next turn, or when there is room. */
  private carryOn(): void {
    const { head } = this;
    if (head === null || (head instanceof SendOperation && head.stalled)) return;
    if (this.endpoint.has(Writable)) this.resume();
    else this.endpoint.set(WantWrite);
  }

  /** Sends from the front of the queue until the kernel is full, or this turn's share is spent. */
  private drain(inTurn: boolean, mayBlock = false): void {
    while (this.head !== null && (!inTurn || this.endpoint.budgetLeft)) {
      const operation = this.head;
      // What went before is not with the kernel yet, whatever it was.
      const flushed = this.flushHeld();
      if (flushed === -EAGAIN) break;
      if (flushed < 0) {
        this.failAll((count) => this.errorOf(flushed, count, 'send'));
        break;
      }
      if (operation instanceof ShutdownOperation) {
        this.leave(operation);
        operation.disarm();
        operation.resolve();
        continue;
      }
      const { queued } = operation;
      const left = operation.length - operation.sent;
      const sent = left === 0 ? 0 : this.transmit(operation, true, mayBlock);
      if (sent < 0 && sent !== -EAGAIN) {
        this.fail(operation, sent);
        continue;
      }
      if (sent > 0) {
        operation.sent += sent;
        this.queuedBytes += operation.queued - queued;
      }
      const isTaken = operation.sent === operation.length && !this.holds;
      if (isTaken || (!operation.all && operation.sent > 0)) {
        this.leave(operation);
        this.finish(operation);
      }
      if (sent < left) break;
    }
  }

  onDetached(): void {
    const isDetached = (operation: SendOperation | ShutdownOperation): boolean =>
      operation instanceof SendOperation && operation.isDetached;
    this.giveUpAll(isDetached, (_, bytesTransferred) => detachedError(bytesTransferred));
  }

  expire(nowMs: number): number {
    // The kernel may have room again and its event be still on the way.
    if (this.earliestDeadline() <= nowMs) this.drain(false);
    const isOverdue = ({ deadlineMs }: Operation): boolean => deadlineMs <= nowMs;
    this.giveUpAll(isOverdue, ({ timeoutMs }, bytesTransferred) => {
      return new TimeoutError('send', timeoutMs, { bytesTransferred });
    });
    return this.earliestDeadline();
  }

  private resume(): void {
    if (this.resuming) return;
    this.resuming = true;
    runNextTurn(() => {
      this.resuming = false;
      this.onWritable();
    });
  }

  private shouldCork(): boolean {
    // Past the budget it is the queue's turn, or a loop of small sends would starve all others.
    if (!this.endpoint.budgetLeft) return false;
    const turn = control[Turn] as number;
    if (turn === this.turn) {
      this.sendsOfTurn++;
      return true;
    }
    const isBurst = this.sendsOfTurn > 1;
    this.turn = turn;
    this.sendsOfTurn = 1;
    return isBurst || this.cork !== null;
  }

  private addToCork(bytes: Uint8Array): Promise<void> {
    if (this.cork !== null && !this.cork.hasRoomFor(bytes.length)) {
      this.flush();
      if (this.head !== null) return this.addToQueue(bytes);
    }
    if (this.cork === null) {
      this.cork = new Cork();
      this.endpoint.beginWait();
      if (corked.push(this) === 1) process.nextTick(flushCorks);
    }
    return this.cork.add(bytes);
  }

  /** Behind others that wait, small sends share blocks too: fewer calls, once there is room. */
  private addToQueue(bytes: Uint8Array): Promise<void> {
    const { length } = bytes;
    const { tail } = this;
    if (length === 0) return done;
    if (this.queuedBytes + length > this.queueMax) {
      return Promise.reject(this.queueFullError(length, 0));
    }
    if (tail instanceof Cork && tail.hasRoomFor(length)) {
      this.queuedBytes += length;
      return tail.add(bytes);
    }
    const cork = new Cork();
    const promise = cork.add(bytes);
    this.enqueue(cork, noLimits);
    return promise;
  }

  /** Bytes taken at once, 0 when others are ahead, or a negative errno. */
  private sendNow(bytes: Uint8Array): number {
    if (!this.mayTry(bytes.length)) return 0;
    if (this.failure !== 0) return this.failure;
    const sent = this.note(sendAll(this.endpoint.slot, this.endpoint.generation, bytes));
    return sent === -EAGAIN ? 0 : sent;
  }

  /** Nobody is ahead, there is something to send, and this turn's share is not used up. */
  private mayTry(length: number): boolean {
    if (this.cork !== null) this.flush();
    return this.head === null && length > 0 && this.endpoint.budgetLeft;
  }

  private transmit(operation: SendOperation, wait: boolean, mayBlock: boolean): number {
    if (this.failure !== 0) return this.failure;
    const { slot, generation } = this.endpoint;
    return this.note(operation.transmit(slot, generation, wait, mayBlock));
  }

  private attempt(bytes: Uint8Array, start: number, length: number, wait: boolean): number {
    if (this.failure !== 0) return this.failure;
    const { slot, generation } = this.endpoint;
    return this.note(send(slot, generation, bytes, start, length, wait));
  }

  note(sent: number): number {
    if (sent > 0) this.endpoint.spend(sent);
    else if (finalErrors.has(sent)) this.failure = sent;
    return sent;
  }

  /** Whether bytes that were taken wait for the kernel, in a layer in front of the descriptor. */
  private get holds(): boolean {
    return this.endpoint.has(Held);
  }

  /** Hands them on: 0 once it has all, −EAGAIN while it has not, or another negative errno. */
  flushHeld(): number {
    if (!this.holds) return 0;
    const { slot, generation } = this.endpoint;
    return this.note(flushHeld(slot, generation));
  }

  private errorOf(errno: number, bytesTransferred: number | undefined, syscall: string): Error {
    const told = this.endpoint.explain?.(errno, { syscall, bytesTransferred });
    return told ?? sendError(errno, bytesTransferred, syscall);
  }

  private failureOf(operation: SendOperation, errno: number, bytesTransferred: number): Error {
    const { syscall } = operation;
    const told = this.endpoint.explain?.(errno, { syscall, bytesTransferred });
    return told ?? operation.errorFor(errno, bytesTransferred);
  }

  private finish(operation: SendOperation): void {
    operation.finish();
    recycle(operation);
  }

  /** Queues what is left of a send; `sent` is what its first attempt said. */
  private wait(operation: SendOperation, sent: number, limits: Limits): void {
    if (sent < 0) {
      operation.reject(this.failureOf(operation, sent, 0));
      return;
    }
    operation.sent = sent;
    const left = operation.queued;
    if (left > 0 && this.head !== null && this.queuedBytes + left > this.queueMax) {
      operation.reject(this.queueFullError(left, sent));
      return;
    }
    const held = operation.hold();
    if (held < 0) operation.reject(systemError(held, { syscall: 'fcntl', bytesTransferred: sent }));
    else this.enqueue(operation, limits);
  }

  private enqueue(operation: SendOperation | ShutdownOperation, limits: Limits): void {
    if (limits !== noLimits) {
      operation.limit(limits, (_, signal) => {
        this.giveUp(operation, (count) => new AbortError(signal, count));
      });
    }
    this.push(operation);
    if (operation instanceof SendOperation) this.queuedBytes += operation.queued;
    this.endpoint.beginWait();
    if (operation.deadlineMs !== Number.POSITIVE_INFINITY) {
      this.endpoint.watchDeadline(operation.deadlineMs);
    }
    if (this.head === operation) this.carryOn();
  }

  /** The operation is over and leaves the queue. */
  private leave(operation: SendOperation | ShutdownOperation): void {
    this.remove(operation);
    if (operation instanceof SendOperation) this.queuedBytes -= operation.queued;
    this.endpoint.endWait();
  }

  private fail(operation: SendOperation, errno: number): void {
    // What is wrong with its own bytes is that sender's trouble; a broken connection everybody's.
    const errorOf = (count: number): Error => this.failureOf(operation, errno, count);
    if (operation.isOwnFault(errno)) this.giveUp(operation, errorOf);
    else this.failAll(errorOf);
  }

  private failAll(errorOf: (bytesTransferred: number) => Error): void {
    for (let operation = this.head; operation !== null; operation = this.head) {
      this.leave(operation);
      operation.reject(errorOf(operation instanceof SendOperation ? operation.sent : 0));
      if (operation instanceof SendOperation) recycle(operation);
    }
  }

  /**
   * An operation was aborted or ran out of time. Once some of its bytes are gone the stream behind
   * it would be out of step, so sends queued behind it fail too, with none of theirs sent.
   */
  private giveUp(
    operation: SendOperation | ShutdownOperation,
    errorOf: (bytesTransferred: number) => Error,
  ): void {
    const sent = operation instanceof SendOperation ? operation.sent : 0;
    const isPartial = operation instanceof SendOperation && sent > 0 && sent < operation.length;
    const behind: Operation[] = [];
    if (isPartial) {
      for (let next = operation.behind; next !== null; next = next.behind) behind.push(next);
    }
    this.leave(operation);
    operation.reject(errorOf(sent));
    for (const next of behind as (SendOperation | ShutdownOperation)[]) {
      this.leave(next);
      next.reject(
        new SocketError('a send ahead of this one was given up in the middle', {
          code: 'ERR_SOCK_SEND_ABANDONED',
          bytesTransferred: 0,
        }),
      );
    }
    if (this.head === null) this.endpoint.clear(WantWrite);
  }

  /** Looks anew each time: giving up on one may have taken others with it. */
  private giveUpAll(
    condition: (operation: SendOperation | ShutdownOperation) => boolean,
    errorOf: (operation: Operation, bytesTransferred: number) => Error,
  ): void {
    for (let found = this.find(condition); found !== null; ) {
      const operation = found;
      this.giveUp(operation, (bytesTransferred) => errorOf(operation, bytesTransferred));
      found = this.find(condition);
    }
  }

  private queueFullError(left: number, bytesTransferred: number): SocketError {
    const taken = `${this.queuedBytes} of ${this.queueMax} are taken`;
    const message = `${left} bytes do not fit the send queue: ${taken}`;
    return new SocketError(message, { code: 'ERR_SOCK_QUEUE_FULL', bytesTransferred });
  }
}
