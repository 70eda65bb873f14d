/**
 * The receiving half of a stream.
 *
 * Theory of operation. A receive is tried at once where the shared flags say that it may bring
 * something; otherwise it waits in a queue, first in, first out, and one flag tells the addon what
 * the first of the queue wants: bytes received into the addon's memory (`WantChunk`); or into that
 * of a reader which waits with the same again and again, and of which the addon was told
 * (`WantFill`); or only word that there are some (`WantRead`), for others that brought their own,
 * whose address is good for no longer than a call. Bytes that a reader gave up on go back in front
 * (`unread`), so a wait that was cut short never loses any. The end of the stream and a broken
 * connection are remembered: every later receive gives the same answer.
 */
import {
  beginStep,
  binding,
  Control,
  type Endpoint,
  Errno,
  Flag,
  type Limits,
  MessageKind,
  noLimits,
  OperationQueue,
  runNextTurn,
} from '@sock/native';
import {
  AbortError,
  busyError,
  closedError,
  detachedError,
  endOfStreamError,
  lentError,
  systemError,
  TimeoutError,
} from './errors.js';
import {
  type ByteSource,
  ChunkOperation,
  type ReceiveOperation,
  type StepOperation,
  type StepResult,
  ViewOperation,
} from './receive-operations.js';
import type { Vector } from './vector.js';

/** The Buffer class as a constructor over existing memory, without Buffer.from's checks. */
const { [Symbol.species]: BufferOver } = Buffer as unknown as {
  [Symbol.species]: new (memory: ArrayBufferLike, offset: number, length: number) => Buffer;
};

/** Answers that say nothing about the connection: the next receive may have another one. */
const passing = new Set([
  -Errno.EAGAIN,
  -Errno.EFAULT,
  -Errno.ENOTCONN,
  -Errno.ENOMEM,
  -Errno.ENOBUFS,
  // The user's share of epoll watches is used up (epoll_ctl(2)).
  -Errno.ENOSPC,
]);

// Looked up once: these are on the path of every message.
const { control, chunks, receive, receiveInto, receiveMessage, receiveVector } = binding;
const { EAGAIN, EFAULT, EINVAL } = Errno;
const { Unread, WantChunk, WantFill, WantRead } = Flag;
const { ChunkIndex, ChunkOffset } = Control;

/** Is its own queue: with a thousand busy sockets every object on the way is out of the cache. */
export class Receiver extends OperationQueue<ReceiveOperation> implements ByteSource {
  private readonly endpoint: Endpoint;
  private unread: Uint8Array | null = null;
  /** 0 after the end of the stream, a negative errno after the connection broke, else 1. */
  private outcome = 1;
  /** Somebody else has the receiving; those who ask here are refused. */
  lent = false;
  private resuming = false;
  /** What the addon was told of for {@link Flag.WantFill}. */
  private memory: Uint8Array | null = null;

  constructor(endpoint: Endpoint) {
    super();
    this.endpoint = endpoint;
  }

  /** Resolves with up to `max` bytes. */
  chunk(max: number, limits: Limits): Promise<Buffer> {
    const got = this.mayTry() ? this.readChunk(max, true) : -EAGAIN;
    if (typeof got === 'object') return Promise.resolve(got);
    return new Promise((resolve, reject) => {
      this.wait(new ChunkOperation(resolve, reject, max), got, limits);
    });
  }

  /** Resolves with the count of bytes put into the view. */
  view(view: Uint8Array, limits: Limits): Promise<number> {
    const got = this.mayTry() ? this.readInto(view, 0, true) : -EAGAIN;
    if (got > 0) return Promise.resolve(got);
    return new Promise((resolve, reject) => {
      this.wait(new ViewOperation(resolve, reject, view), got, limits);
    });
  }

  /** Receives now what can be; the rest waits. The operation settles its own promise. */
  submit(operation: ReceiveOperation, limits: Limits): void {
    const got = this.mayTry() ? this.fill(operation) : -EAGAIN;
    if (operation.enough) operation.finish(null);
    else this.wait(operation, got, limits);
  }

  /** For the borrower: as {@link submit}. */
  begin(operation: ChunkOperation): void {
    const got =
      this.head === null && this.mayReceive() ? this.readChunk(operation.max, true) : -EAGAIN;
    if (typeof got === 'object') operation.finish(got);
    else this.enqueue(operation, got, noLimits);
  }

  /** Gives up on an operation of {@link begin}, unless it is over. */
  cancel(operation: ChunkOperation, error: Error): void {
    if (this.find((waiting) => waiting === operation) === null) return;
    this.giveUp(operation);
    operation.reject(error);
  }

  /** The next step of an iteration; the operation must be idle. */
  step(operation: StepOperation, limits: Limits): Promise<StepResult> {
    let got: Buffer | number = -EAGAIN;
    if (this.mayTry()) {
      const memory = operation.view;
      got = memory === null ? this.readChunk(operation.max, true) : this.readInto(memory, 0, true);
      if (typeof got === 'object') return Promise.resolve({ value: got, done: false });
      if (got > 0 && memory !== null) {
        return Promise.resolve({ value: memory.subarray(0, got), done: false });
      }
    }
    const step = beginStep(operation);
    this.wait(operation, got, limits);
    return step;
  }

  /** Without waiting: bytes, or null when there are none yet. Throws at the end. */
  tryChunk(max: number, verb: string): Buffer | null {
    this.checkIdle(verb);
    const got = this.readChunk(max, false);
    if (typeof got === 'object') return got;
    return got === -EAGAIN ? null : this.throwFor(got);
  }

  /** The same into the front of a view: a count. */
  tryView(view: Uint8Array, verb: string): number | null {
    this.checkIdle(verb);
    const got = this.readInto(view, 0, false);
    if (got > 0) return got;
    return got === -EAGAIN ? null : this.throwFor(got);
  }

  /**
   * One attempt of an operation with memory of its own, that nobody waits for: a count, or null
   * when there is nothing yet. Throws at the end.
   */
  tryOnce(operation: ReceiveOperation, verb: string): number | null {
    this.checkIdle(verb);
    const got = operation.read(this, false);
    if (got <= 0) return got === -EAGAIN ? null : this.throwFor(got, operation.syscall);
    operation.filled += got;
    return got;
  }

  /** Throws while somebody waits. */
  checkIdle(verb: string): void {
    if (this.lent) throw lentError(verb);
    if (this.head !== null) throw busyError(verb, 'a recv');
  }

  /** For who receives by other means from now on: bytes that come before what the kernel has. */
  takeBack(): Uint8Array | null {
    const { unread } = this;
    this.unread = null;
    return unread;
  }

  /** Bytes that come before everything the kernel still has. */
  putBack(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.unread = this.unread === null ? bytes : Buffer.concat([bytes, this.unread]);
    if (this.endpoint.polled) this.endpoint.noteUnread();
  }

  /** Bytes were put back that nobody waits for. */
  get hasUnread(): boolean {
    return this.unread !== null;
  }

  /** The negative errno that the connection broke with, else 0. */
  get failure(): number {
    return Math.min(this.outcome, 0);
  }

  /** Whether there are bytes here that the kernel has no more, and nobody has yet. */
  get holdsBytes(): boolean {
    if (this.unread !== null) return true;
    // Only the first of the queue is ever filled in part.
    return this.head !== null && this.head.filled > 0;
  }

  /** Takes away from those who wait: the socket was closed. */
  close(): void {
    this.memory = null;
    for (let operation = this.shift(); operation !== null; operation = this.shift()) {
      this.over(operation);
      operation.reject(closedError());
    }
  }

  /** Receives end from now on, whatever still comes. */
  endHere(): void {
    this.conclude(0);
  }

  onChunk(count: number, buffer: ArrayBuffer | undefined, offset: number): void {
    const chunk = count > 0 && buffer !== undefined ? new BufferOver(buffer, offset, count) : null;
    const operation = this.head;
    if (operation === null || operation.view !== null) {
      if (chunk !== null) this.putBack(chunk);
      return;
    }
    if (chunk === null) {
      this.conclude(count);
      return;
    }
    this.serve(operation, chunk);
    if (this.head !== null) this.carryOn();
  }

  onFilled(count: number): void {
    const { head: operation, memory } = this;
    if (count <= 0) {
      this.conclude(count);
    } else if (operation !== null && operation.view === memory) {
      operation.filled = count;
      this.serve(operation, null);
      if (this.head !== null) this.carryOn();
    } else if (memory !== null) {
      // Nobody waits with it any more.
      this.putBack(Buffer.from(memory.subarray(0, count)));
    }
  }

  onReadable(): void {
    const operation = this.head;
    if (operation === null || operation.view === null) {
      if (operation !== null) this.resume();
      return;
    }
    this.attempt(operation);
    if (this.head !== null) this.carryOn();
  }

  onDetached(): void {
    for (const operation of this.select(({ isDetached }) => isDetached)) {
      this.giveUp(operation);
      operation.reject(detachedError());
    }
  }

  expire(nowMs: number): number {
    for (const operation of this.overdue(nowMs)) {
      // What it waits for may be there, and only the event still on its way. Served or not, it is
      // no longer first then; a stream that has ended leaves nobody.
      if (operation === this.head && this.attempt(operation)) {
        if (this.head === null) break;
        continue;
      }
      this.giveUp(operation);
      operation.reject(new TimeoutError('recv', operation.timeoutMs));
    }
    if (this.head !== null) this.carryOn();
    return this.earliestDeadline();
  }

  private throwFor(got: number, syscall?: string): never {
    throw got === 0 ? endOfStreamError() : this.errorFor(got, syscall);
  }

  private errorFor(errno: number, syscall = 'recv'): Error {
    if (errno === -EFAULT) return detachedError();
    return this.endpoint.explain?.(errno, { syscall }) ?? systemError(errno, { syscall });
  }

  /** Nobody is ahead, there may be something, and this turn's share is not used up. */
  private mayTry(): boolean {
    return this.head === null && !this.lent && this.mayReceive();
  }

  private mayReceive(): boolean {
    if (this.unread === null && !this.endpoint.readable && this.outcome === 1) return false;
    return this.endpoint.budgetLeft;
  }

  /** Whether it needs nobody to tell what the next receive brings. */
  get knowsNext(): boolean {
    return this.unread !== null || this.outcome !== 1;
  }

  private readChunk(max: number, wait: boolean): Buffer | number {
    if (this.unread !== null) return this.takeUnread(max);
    if (this.outcome !== 1) return this.outcome;
    const { slot, generation } = this.endpoint;
    const count = receive(slot, generation, max, wait);
    if (count <= 0) return this.note(count);
    this.spend(count);
    const buffer = chunks[control[ChunkIndex] as number] as ArrayBuffer;
    return new BufferOver(buffer, control[ChunkOffset] as number, count);
  }

  private spend(count: number): void {
    const { endpoint } = this;
    endpoint.spend(count);
    if (endpoint.polled && endpoint.has(Unread)) endpoint.noteUnread();
  }

  readInto(view: Uint8Array, offset: number, wait: boolean): number {
    if (this.unread !== null) {
      if (view.length <= offset) return -EFAULT;
      const bytes = this.takeUnread(view.length - offset);
      view.set(bytes, offset);
      return bytes.length;
    }
    if (this.outcome !== 1) return this.outcome;
    const { slot, generation } = this.endpoint;
    const room = view.length - offset;
    if (room <= 0) return -EFAULT;
    const count = receiveInto(slot, generation, view, offset, room, wait);
    if (count <= 0) return this.note(count);
    this.spend(count);
    return count;
  }

  /** Into the places of the vector, from where it was sought on. */
  readEach(vector: Vector, wait: boolean): number {
    const { views, lengths, first, offset } = vector;
    if (this.unread !== null) return this.readUnread(vector);
    if (this.outcome !== 1) return this.outcome;
    const { slot, generation } = this.endpoint;
    const count = receiveVector(slot, generation, views, lengths, first, offset, wait);
    if (count <= 0) return this.note(count);
    this.spend(count);
    return count;
  }

  /** One message, into the front of the view, as the addon describes it; or its count. */
  readMessage(view: Uint8Array, max: number, kind: number, wait: boolean): number[] | number {
    const isUrgent = kind === MessageKind.OutOfBand;
    if (this.unread !== null && !isUrgent) return this.readUnreadInto(view, max, kind);
    if (this.outcome !== 1 && !isUrgent) return this.outcome;
    const { slot, generation } = this.endpoint;
    const message = receiveMessage(slot, generation, view, max, kind, wait);
    // Nothing urgent has come, or the byte was not the last one: both are no news of the stream.
    if (isUrgent) return message === -EINVAL ? -EAGAIN : message;
    const count = typeof message === 'number' ? message : (message[0] as number);
    // A message of no bytes that brings a descriptor is none that ends the stream.
    const isEmpty = count === 0 && typeof message === 'object' && message.length === 5;
    if (count < 0 || isEmpty) return this.note(count);
    this.endpoint.spend(count);
    return message;
  }

  private readUnreadInto(view: Uint8Array, max: number, kind: number): number {
    const unread = this.unread;
    const bytes = this.takeUnread(max);
    view.set(bytes);
    if (kind === MessageKind.Peek) this.unread = unread;
    return bytes.length;
  }

  private readUnread(vector: Vector): number {
    const bytes = this.takeUnread(vector.left);
    if (vector.put(bytes)) return bytes.length;
    this.putBack(bytes);
    return -EFAULT;
  }

  /** Remembers what is final. */
  note(count: number): number {
    if (!passing.has(count)) this.outcome = count;
    return count;
  }

  private takeUnread(max: number): Buffer {
    const unread = this.unread as Uint8Array;
    const count = Math.min(max, unread.length);
    this.unread = count === unread.length ? null : unread.subarray(count);
    this.endpoint.spend(count);
    return new BufferOver(unread.buffer, unread.byteOffset, count);
  }

  /** Fills the operation's view for as long as there are bytes and budget; the last answer. */
  private fill(operation: ReceiveOperation): number {
    let got = -EAGAIN;
    do {
      got = operation.read(this, true);
      if (got > 0) operation.filled += got;
    } while (got > 0 && operation.whole && operation.filled < operation.max && this.mayGoOn());
    return got;
  }

  private mayGoOn(): boolean {
    return this.endpoint.budgetLeft && (this.unread !== null || this.endpoint.readable);
  }

  /** Queues the operation; `got` is the answer it already had, EAGAIN when it was not tried. */
  private wait(operation: ReceiveOperation, got: number, limits: Limits): void {
    if (this.lent) operation.reject(lentError('recv'));
    else this.enqueue(operation, got, limits);
  }

  private enqueue(operation: ReceiveOperation, got: number, limits: Limits): void {
    const mustWait = got === -EAGAIN || got > 0;
    if (mustWait && limits !== noLimits) {
      operation.limit(limits, (_, signal) => this.abort(operation, signal));
    }
    this.push(operation);
    this.endpoint.beginWait();
    if (!mustWait) {
      if (got === -EFAULT) this.failHead(detachedError());
      else this.conclude(got);
      return;
    }
    if (operation.deadlineMs !== Number.POSITIVE_INFINITY) {
      this.endpoint.watchDeadline(operation.deadlineMs);
    }
    if (this.head === operation) this.carryOn();
  }

  /** Sees to it that the first of the queue is served: now-ish, or when an event comes. */
  private carryOn(): void {
    if (this.unread !== null || this.endpoint.readable || this.outcome !== 1) this.resume();
    else this.ask(this.head as ReceiveOperation);
  }

  private ask(operation: ReceiveOperation): void {
    this.endpoint.want(this.wish(operation), operation.max);
  }

  private wish({ view, keepsView }: ReceiveOperation): number {
    if (view === null) return WantChunk;
    if (!keepsView) return WantRead;
    if (this.memory === view) return WantFill;
    const { slot, generation } = this.endpoint;
    if (binding.setMemory(slot, generation, view.buffer) < 0) return WantRead;
    this.memory = view;
    return WantFill;
  }

  private resume(): void {
    if (this.resuming) return;
    this.resuming = true;
    runNextTurn(() => {
      this.resuming = false;
      while (this.head !== null && this.endpoint.budgetLeft) {
        if (!this.attempt(this.head)) break;
      }
      if (this.head !== null) this.carryOn();
    });
  }

  /** Tries the first of the queue. True when it is over, one way or the other. */
  private attempt(operation: ReceiveOperation): boolean {
    let chunk: Buffer | null = null;
    let got: Buffer | number;
    if (operation.view === null) {
      got = this.readChunk(operation.max, true);
      if (typeof got === 'object') chunk = got;
    } else {
      got = this.fill(operation);
    }
    if (chunk !== null || operation.enough) {
      this.serve(operation, chunk);
      return true;
    }
    if (got === -EAGAIN || (got as number) > 0) return false;
    if (got === -EFAULT) this.failHead(detachedError());
    else this.conclude(got as number);
    return true;
  }

  private failHead(error: Error): void {
    const operation = this.shift();
    if (operation === null) return;
    this.over(operation);
    const filled = operation.takeFilled();
    if (filled !== undefined) this.putBack(filled);
    operation.reject(error);
  }

  /** The stream has ended or broken: so it is for everybody who waits. */
  private conclude(count: number): void {
    this.note(count);
    for (let operation = this.shift(); operation !== null; operation = this.shift()) {
      this.over(operation);
      if (count === 0) operation.endOfStream();
      else operation.reject(this.errorFor(count, operation.syscall));
    }
  }

  private abort(operation: ReceiveOperation, signal: AbortSignal): void {
    this.giveUp(operation);
    operation.reject(new AbortError(signal));
  }

  /** Takes a waiting operation out; what it had received goes back in front. */
  private giveUp(operation: ReceiveOperation): void {
    const wasFirst = this.head === operation;
    this.remove(operation);
    this.over(operation);
    const filled = operation.takeFilled();
    if (filled !== undefined) this.putBack(filled);
    if (!wasFirst) return;
    this.endpoint.clear(WantChunk | WantFill | WantRead);
    if (this.head !== null) this.carryOn();
  }

  /** The first of the queue has what it waits for. */
  private serve(operation: ReceiveOperation, chunk: Buffer | null): void {
    this.shift();
    this.over(operation);
    operation.finish(chunk);
  }

  private over(operation: ReceiveOperation): void {
    operation.disarm();
    this.endpoint.endWait();
  }
}
