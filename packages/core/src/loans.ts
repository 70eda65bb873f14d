/**
 * A direction of a socket in the hands of somebody who moves its bytes by other means, for a while.
 * Its owner's verbs for that direction are refused meanwhile. The socket is kept alive, and so is
 * the event loop unless it is `unref`ed; closing it stays its owner's business.
 */
import {
  type Borrower,
  checkFunction,
  checkObject,
  type Endpoint,
  Flag,
  noLimits,
} from '@sock/native';
import type { Acceptor } from './acceptor.js';
import { endOfStreamError, systemError } from './errors.js';
import { ChunkOperation } from './receive-operations.js';
import type { Receiver } from './receiver.js';
import { SendOperation } from './send-operations.js';
import type { Sender } from './sender.js';

export type { Borrower } from '@sock/native';

/** Gives up on what was begun, unless it is over; it settles with the error then. */
export type Cancel = (error: Error) => void;

/** Hears once how something that was begun went; it may be at once. */
export type Settle<T> = (error: unknown, value: T | null) => void;

/** Asked for every request, so what is right is seen without looking at the whole object. */
export function checkBorrower(value: Borrower): void {
  try {
    if (typeof value.onClosing === 'function') return;
  } catch {
    // null, or a proxy that refuses to answer.
  }
  checkFunction('borrower.onClosing', checkObject<Borrower>('borrower', value).onClosing);
}

abstract class Loan {
  /** Of the addon's socket. */
  readonly slot: number;
  /** Tells it from others that have had its slot. */
  readonly generation: number;
  /** @internal */
  protected readonly endpoint: Endpoint;
  private readonly borrower: Borrower;

  constructor(endpoint: Endpoint, borrower: Borrower) {
    this.slot = endpoint.slot;
    this.generation = endpoint.generation;
    this.endpoint = endpoint;
    this.borrower = borrower;
    endpoint.beginLoan(borrower);
  }

  /** Whoever waits in another place would have the reactor woken beside it. */
  leaveReactor(): void {
    if (this.endpoint.has(Flag.Registered)) this.endpoint.leaveReactor();
  }

  /** Gives the direction back; once. */
  end(): void {
    this.endpoint.endLoan(this.borrower);
  }
}

/** The receiving half of a stream. */
export class ReadLoan extends Loan {
  private readonly receiver: Receiver;

  constructor(endpoint: Endpoint, receiver: Receiver, borrower: Borrower) {
    super(endpoint, borrower);
    this.receiver = receiver;
    receiver.lent = true;
  }

  /** Whether the socket has the next answer itself: bytes that were put back, the end, an error. */
  get knowsNext(): boolean {
    return this.receiver.knowsNext;
  }

  /** 1 to `max` bytes, as the socket's own `recv`. */
  receive(max: number, settle: Settle<Buffer>): Cancel {
    const operation = new ChunkOperation(
      (chunk) => settle(null, chunk),
      (error) => settle(error, null),
      max,
    );
    this.receiver.begin(operation);
    return (error) => this.receiver.cancel(operation, error);
  }

  /**
   * The kernel said elsewhere that the stream has ended (0) or what is wrong with it: every later
   * receive hears of it too.
   *
   * @returns The error that the socket's own `recv` would reject with.
   */
  note(result: number): Error {
    this.receiver.note(result);
    return result === 0 ? endOfStreamError() : systemError(result, { syscall: 'recv' });
  }

  /** Bytes that come before everything the kernel still has. */
  putBack(bytes: Uint8Array): void {
    this.receiver.putBack(bytes);
  }

  override end(): void {
    this.receiver.lent = false;
    super.end();
  }
}

/** The sending half of a stream. */
export class WriteLoan extends Loan {
  private readonly sender: Sender;

  constructor(endpoint: Endpoint, sender: Sender, borrower: Borrower) {
    super(endpoint, borrower);
    this.sender = sender;
    sender.lent = true;
  }

  /** Whether the connection is known to be broken. */
  get knowsNext(): boolean {
    return this.sender.failure !== 0;
  }

  /** At least one byte, as the socket's own `send`. */
  send(bytes: Uint8Array, settle: Settle<number>): Cancel {
    const operation = new SendOperation(
      (sent) => settle(null, sent),
      (error) => settle(error, null),
      bytes,
      bytes.length,
      false,
    );
    this.sender.begin(operation, noLimits);
    return (error) => this.sender.cancel(operation, error);
  }

  /** As that of a {@link ReadLoan}. */
  note(result: number): Error {
    this.sender.note(result);
    return systemError(result, { syscall: 'send', bytesTransferred: 0 });
  }

  override end(): void {
    this.sender.lent = false;
    super.end();
  }
}

/** What is accepted, as far as that matters here. */
export interface Closeable {
  /** Closes it at once. */
  close(): void;
}

/** The accepting half of a listening socket. */
export class AcceptLoan<T extends Closeable> extends Loan {
  private readonly acceptor: Acceptor<T>;

  constructor(endpoint: Endpoint, acceptor: Acceptor<T>, borrower: Borrower) {
    super(endpoint, borrower);
    this.acceptor = acceptor;
    acceptor.lent = true;
  }

  /** Whether a connection is there that was accepted before. */
  get knowsNext(): boolean {
    return this.acceptor.holdsConnections;
  }

  /** One connection, as the socket's own `accept`. */
  accept(settle: Settle<T>): Cancel {
    return this.acceptor.begin(settle);
  }

  /** The connection that the addon has accepted in that slot. */
  adopt(slot: number, generation: number): T {
    return this.acceptor.take(slot, generation);
  }

  /** The error that the socket's own `accept` would reject with. */
  note(result: number): Error {
    return systemError(result, { syscall: 'accept' });
  }

  /** Connections that come before those the kernel still has. */
  putBack(connections: readonly T[]): void {
    this.acceptor.putBack(connections);
  }

  override end(): void {
    this.acceptor.lent = false;
    super.end();
  }
}
