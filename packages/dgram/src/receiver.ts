/**
 * The receiving half of a datagram socket.
 *
 * Theory of operation. A receive is tried at once where the shared flags say that it may bring
 * something, with one call for as many datagrams as it has room for; otherwise it waits in a queue,
 * first in, first out, for word that there are some. Nothing is final: an error is about something
 * that was sent earlier, and the next receive has another answer. What the kernel has joined
 * (UDP_GRO) is taken apart here for those who take one at a time; the rest is kept for the next.
 */
import { AbortError, TimeoutError } from '@sock/core';
import {
  binding,
  Control,
  DatagramMode,
  DatagramWord,
  Errno,
  Flag,
  type Limits,
  noLimits,
  OperationQueue,
  runNextTurn,
  wordsPerDatagram,
} from '@sock/native';
import { DatagramBatch, describe, joinedRoom } from './batch.js';
import type { ReceivedDatagram } from './datagrams.js';
import { busyError, closedError, detachedError, systemError } from './errors.js';
import { copyOf, type ReceiveOperation } from './receive-operations.js';
import type { Traits } from './traits.js';

const { control, receiveDatagrams } = binding;
const { EAGAIN, EFAULT } = Errno;
const { WantRead } = Flag;
const { Extra } = Control;
const { Flags, Segment } = DatagramWord;

/**
 * Memory of the thread that received datagrams pass through, on their way to memory of their own:
 * for one of any length, and for many that are short as a rule.
 */
let single = new DatagramBatch({ max: 1, size: joinedRoom });
let many = new DatagramBatch({ max: 64, size: 2_048 });
/** A larger one than this is not kept for the next. */
const passageMax = 4 * 1024 * 1024;

function passageFor(max: number, size: number): DatagramBatch {
  const passage = max === 1 ? single : many;
  if (passage.max >= max && passage.size >= size) return passage;
  const both = { max: Math.max(max, passage.max), size: Math.max(size, passage.size) };
  if (both.max * both.size > passageMax) return new DatagramBatch({ max, size });
  const wider = new DatagramBatch(both);
  if (max === 1) single = wider;
  else many = wider;
  return wider;
}

/** A datagram that came joined with one that was taken. */
interface Unread {
  readonly words: Int32Array;
  readonly data: Buffer;
}

export class Receiver extends OperationQueue<ReceiveOperation> {
  private readonly traits: Traits;
  private unread: Unread[] = [];
  private resuming = false;
  /** The error queue, whose news come as readiness too. */
  companion: { serve(): void; expire(nowMs: number): number } | null = null;
  /** The answer for an operation whose memory was taken away. */
  readonly detached = -EFAULT;

  constructor(traits: Traits) {
    super();
    this.traits = traits;
  }

  /** For polls: there are datagrams that the kernel has no more. */
  get hasUnread(): boolean {
    return this.unread.length > 0;
  }

  /** Receives now what can be; otherwise waits. The operation settles its own promise. */
  submit(operation: ReceiveOperation, limits: Limits): void {
    const got = this.mayTry() ? operation.attempt(this, true) : -EAGAIN;
    if (got > 0) operation.finish();
    else if (got !== -EAGAIN) operation.reject(errorFor(got));
    else this.wait(operation, limits);
  }

  /** One attempt of an operation that nobody waits for: whether something came. */
  tryOnce(operation: ReceiveOperation, verb: string): boolean {
    if (this.head !== null) throw busyError(verb, 'a recv');
    const got = operation.attempt(this, false);
    if (got === -EAGAIN) return false;
    if (got <= 0) throw errorFor(got);
    if (operation.failure !== null) throw operation.failure;
    return true;
  }

  /** The next datagram, of which at most so many bytes are taken; or a negative errno. */
  takeOne(size: number, wait: boolean): ReceivedDatagram | number {
    const { family, joins } = this.traits;
    const first = this.unread.shift();
    if (first !== undefined) return cut(describe(first.words, 0, family, first.data), size);
    const batch = passageFor(1, joins ? Math.max(size, joinedRoom) : size);
    const room = joins ? joinedRoom : size;
    const count = this.receive(batch, 1, room, wait);
    if (count < 0) return count;
    const length = batch.byteLength(0);
    const data = copyOf(batch.buffer, 0, length);
    if (count > 1) this.keep(batch, 1);
    const message = describe(batch.entries, 0, family, data);
    return joins ? cut(message, size) : message;
  }

  /** Up to so many datagrams, of each at most so many bytes; or a negative errno. */
  takeMany(max: number, size: number, wait: boolean): ReceivedDatagram[] | number {
    const { family, joins } = this.traits;
    if (this.hasUnread) {
      return this.unread.splice(0, max).map(({ words, data }) => {
        return cut(describe(words, 0, family, data), size);
      });
    }
    // What was joined may be many: then one of these at a time, or the rest would pile up here.
    const slots = joins ? Math.max(1, Math.trunc(max / 64)) : max;
    const room = joins ? joinedRoom : size;
    const batch = passageFor(slots, room);
    const count = this.receive(batch, slots, room, wait);
    if (count < 0) return count;
    if (count > max) this.keep(batch, max);
    const taken = Math.min(max, count);
    const messages = new Array<ReceivedDatagram>(taken);
    for (let i = 0; i < taken; i++) {
      const data = copyOf(batch.buffer, batch.offset(i), batch.byteLength(i));
      const message = describe(batch.entries, batch.entryOf(i), family, data);
      messages[i] = joins ? cut(message, size) : message;
    }
    return messages;
  }

  /** Fills a batch of the caller's: how many datagrams, or a negative errno. */
  fillBatch(batch: DatagramBatch, wait: boolean): number {
    if (!this.hasUnread) return this.receive(batch, batch.max, batch.size, wait);
    batch.fill(0, 0, this.traits.family);
    let first = this.unread[0];
    while (first !== undefined && batch.put(first.words, first.data)) {
      this.unread.shift();
      first = this.unread[0];
    }
    return batch.length;
  }

  /** Takes away from those who wait: the socket was closed. */
  close(): void {
    this.unread = [];
    for (let operation = this.shift(); operation !== null; operation = this.shift()) {
      this.traits.endpoint.endWait();
      operation.reject(closedError());
    }
  }

  onChunk(): void {}

  onFilled(): void {}

  onReadable(): void {
    this.serve();
    this.companion?.serve();
  }

  onDetached(): void {
    for (const operation of this.select(({ isDetached }) => isDetached)) {
      this.giveUp(operation, detachedError());
    }
  }

  expire(nowMs: number): number {
    // What they wait for may be there, and only the event still on its way.
    if (this.earliestDeadline() <= nowMs) this.serve();
    for (const operation of this.overdue(nowMs)) {
      this.giveUp(operation, new TimeoutError('recv', operation.timeoutMs));
    }
    return Math.min(
      this.earliestDeadline(),
      this.companion?.expire(nowMs) ?? Number.POSITIVE_INFINITY,
    );
  }

  private receive(batch: DatagramBatch, count: number, room: number, wait: boolean): number {
    const { endpoint, family, receiveMode } = this.traits;
    const datagrams = receiveDatagrams(
      endpoint.slot,
      endpoint.generation,
      batch.buffer,
      batch.entries,
      batch.places,
      count,
      batch.stride,
      room,
      wait ? receiveMode | DatagramMode.Wait : receiveMode,
    );
    if (datagrams < 0) return datagrams;
    batch.fill(datagrams, control[Extra] as number, family);
    // By a KiB each, which is what most of those that come in numbers have at most.
    endpoint.spend(datagrams << 10);
    return datagrams;
  }

  /** Those from there on are for the next receive. */
  private keep(batch: DatagramBatch, from: number): void {
    for (let i = from; i < batch.length; i++) {
      const at = batch.entryOf(i) * wordsPerDatagram;
      const words = batch.entries.slice(at, at + wordsPerDatagram);
      words[Segment] = 0;
      words[Flags] = batch.entries[at + Flags] as number;
      this.unread.push({ words, data: Buffer.from(batch.data(i)) });
    }
    if (this.traits.endpoint.polled) this.traits.endpoint.noteUnread();
  }

  private mayTry(): boolean {
    if (this.head !== null) return false;
    const { endpoint } = this.traits;
    return (this.hasUnread || endpoint.readable) && endpoint.budgetLeft;
  }

  private wait(operation: ReceiveOperation, limits: Limits): void {
    const { endpoint } = this.traits;
    if (limits !== noLimits) {
      operation.limit(limits, (_, signal) => this.giveUp(operation, new AbortError(signal)));
    }
    this.push(operation);
    endpoint.beginWait();
    if (operation.deadlineMs !== Number.POSITIVE_INFINITY) {
      endpoint.watchDeadline(operation.deadlineMs);
    }
    if (this.head === operation) this.carryOn();
  }

  /** Sees to it that the first of the queue is served: in the next turn, or when an event comes. */
  private carryOn(): void {
    const { endpoint } = this.traits;
    if (this.hasUnread || endpoint.readable) this.resume();
    else endpoint.set(WantRead);
  }

  private resume(): void {
    if (this.resuming) return;
    this.resuming = true;
    runNextTurn(() => {
      this.resuming = false;
      this.serve();
    });
  }

  /** Serves the queue until there is nothing left, or this turn's share is used up. */
  private serve(): void {
    const { endpoint } = this.traits;
    while (this.head !== null && endpoint.budgetLeft) {
      const operation = this.head;
      const got = this.attempt(operation);
      if (got === -EAGAIN) break;
      this.remove(operation);
      endpoint.endWait();
      if (got > 0) operation.finish();
      else operation.reject(errorFor(got));
    }
    if (this.head !== null) this.carryOn();
  }

  /** What is thrown here, for want of memory or by a view of the caller's, is the operation's. */
  private attempt(operation: ReceiveOperation): number {
    try {
      return operation.attempt(this, true);
    } catch (error) {
      operation.failure = error as Error;
      return 1;
    }
  }

  private giveUp(operation: ReceiveOperation, error: Error): void {
    this.remove(operation);
    this.traits.endpoint.endWait();
    operation.reject(error);
  }
}

function errorFor(errno: number): Error {
  return systemError(errno, { syscall: 'recvmmsg' });
}

function cut(message: ReceivedDatagram, size: number): ReceivedDatagram {
  if (message.data.length <= size) return message;
  return { ...message, data: message.data.subarray(0, size), truncated: true };
}
