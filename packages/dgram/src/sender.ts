/**
 * The sending half of a datagram socket.
 *
 * Theory of operation. A send goes to the kernel at once, and is over as a rule: the kernel takes
 * datagrams for as long as there is room in the socket's buffer. What it does not take waits in a
 * queue, by reference, until there is. An error concerns its own send; the next one goes on.
 */
import { AbortError, DatagramError, TimeoutError } from '@sock/core';
import {
  DatagramMode,
  Errno,
  Flag,
  type Limits,
  noLimits,
  OperationQueue,
  runNextTurn,
} from '@sock/native';
import { closedError, detachedError } from './errors.js';
import type { SendOperation } from './send-operations.js';
import type { Traits } from './traits.js';

const { EAGAIN } = Errno;
const { Writable, WantWrite } = Flag;
const { Wait } = DatagramMode;

export class Sender extends OperationQueue<SendOperation> {
  private readonly traits: Traits;
  private resuming = false;
  /** Bytes that wait in this process for room in the socket's buffer. */
  queuedBytes = 0;

  constructor(traits: Traits) {
    super();
    this.traits = traits;
  }

  /**
   * Sends now what can be; the rest waits. The operation settles its own promise. Whether it is
   * over, and nothing of it is needed any more.
   */
  submit(operation: SendOperation, limits: Limits): boolean {
    const mayTry = this.head === null && this.traits.endpoint.budgetLeft;
    const result = mayTry ? operation.attempt(this.traits, Wait) : -EAGAIN;
    if (result === -EAGAIN) {
      this.wait(operation, limits);
      return false;
    }
    if (result === 0) operation.finish();
    else operation.reject(operation.errorFor(result, this.traits));
    return true;
  }

  /** One attempt of an operation that nobody waits for; whether anything has gone. */
  tryOnce(operation: SendOperation): boolean {
    if (this.head !== null) return false;
    const result = operation.attempt(this.traits, 0);
    if (result !== 0 && result !== -EAGAIN) throw operation.errorFor(result, this.traits);
    return result === 0 || operation.sent > 0;
  }

  /** For a sender that blocks: what is queued goes first; whether it is over. */
  drainThenTry(operation: SendOperation): boolean {
    this.drain(false);
    if (this.head !== null) return false;
    const result = operation.attempt(this.traits, 0);
    if (result !== 0 && result !== -EAGAIN) throw operation.errorFor(result, this.traits);
    return result === 0;
  }

  /** Takes away from those who wait: the socket was closed. */
  close(): void {
    for (const operation of this.select(() => true)) this.giveUp(operation, closedError());
  }

  onWritable(): void {
    this.drain(true);
    this.carryOn();
  }

  onDetached(): void {
    for (const operation of this.select(({ isDetached }) => isDetached)) {
      this.giveUp(operation, detachedError());
    }
  }

  expire(nowMs: number): number {
    // There may be room again, and only the event still be on its way.
    if (this.earliestDeadline() <= nowMs) this.drain(false);
    for (const operation of this.overdue(nowMs)) {
      this.giveUp(operation, new TimeoutError('send', operation.timeoutMs));
    }
    return this.earliestDeadline();
  }

  /** Queues what is left of a send. */
  private wait(operation: SendOperation, limits: Limits): void {
    const { endpoint, queueMax } = this.traits;
    if (this.head !== null && this.queuedBytes + operation.queuedBytes > queueMax) {
      const code = 'ERR_SOCK_QUEUE_FULL';
      const message = `more than ${queueMax} bytes wait to be sent`;
      operation.reject(new DatagramError(message, { code }));
      return;
    }
    operation.hold();
    if (limits !== noLimits) {
      operation.limit(limits, (_, signal) => this.giveUp(operation, new AbortError(signal)));
    }
    this.push(operation);
    this.queuedBytes += operation.queuedBytes;
    endpoint.beginWait();
    if (operation.deadlineMs !== Number.POSITIVE_INFINITY) {
      endpoint.watchDeadline(operation.deadlineMs);
    }
    if (this.head === operation) this.carryOn();
  }

  /** Sees to it that the first of the queue is served: in the next turn, or when there is room. */
  private carryOn(): void {
    if (this.head === null) return;
    if (this.traits.endpoint.has(Writable)) this.resume();
    else this.traits.endpoint.set(WantWrite);
  }

  private resume(): void {
    if (this.resuming) return;
    this.resuming = true;
    runNextTurn(() => {
      this.resuming = false;
      this.onWritable();
    });
  }

  /** Sends from the front of the queue until the kernel is full, or this turn's share is spent. */
  private drain(inTurn: boolean): void {
    while (this.head !== null && (!inTurn || this.traits.endpoint.budgetLeft)) {
      const operation = this.head;
      const result = operation.attempt(this.traits, Wait);
      if (result === -EAGAIN) return;
      this.leave(operation);
      if (result === 0) operation.finish();
      else operation.reject(operation.errorFor(result, this.traits));
    }
  }

  private leave(operation: SendOperation): void {
    this.remove(operation);
    this.queuedBytes -= operation.queuedBytes;
    this.traits.endpoint.endWait();
  }

  /** What has gone is told, as it cannot be called back. */
  private giveUp(operation: SendOperation, error: Error): void {
    this.leave(operation);
    if (operation.sent > 0) operation.finish();
    else operation.reject(error);
  }
}
