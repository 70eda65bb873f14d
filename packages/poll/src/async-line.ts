/**
 * One direction of one socket: requests are carried out one after the other, in the order of their
 * submission, since the kernel promises no order among several; or one iteration has it.
 */
import type { Borrower } from '@sock/core';
import { lineBusyError, socketClosedError } from './async-errors.js';
import type { AnyLine, Request } from './async-request.js';

/** An iteration. */
interface Stoppable {
  stop(reason: Error | null): void;
}

/** What a line is made of; `L` is what the socket lends. */
export interface LineHooks<L> {
  borrow(borrower: Borrower): L;
  /** Hands the request to the engine. */
  begin(loan: L, request: Request): void;
  /** At once, but the outcome may come later. */
  cancel(request: Request): void;
  /** What an iteration ends with when the socket is closed. */
  readonly closingReason: () => Error | null;
}

export class Line<L extends { end(): void }> implements Borrower, AnyLine {
  readonly #hooks: LineHooks<L>;
  #loan: L | null = null;
  readonly #queue: Request[] = [];
  #current: Request | null = null;
  #flow: Stoppable | null = null;
  #isAdvancing = false;
  #isClosed = false;

  constructor(hooks: LineHooks<L>) {
    this.#hooks = hooks;
  }

  /** Throws what keeps the socket from lending. */
  add(request: Request): void {
    // The socket would say so itself, but for requests whose end is still on the way.
    if (this.#isClosed) throw socketClosedError();
    if (this.#flow !== null) throw lineBusyError('an iteration goes on');
    this.#loan ??= this.#hooks.borrow(this);
    this.#queue.push(request);
    this.#advance();
  }

  /** Gives the line to an iteration. */
  lend(flow: Stoppable): L {
    if (this.#isClosed) throw socketClosedError();
    if (this.#flow !== null || this.#loan !== null) {
      throw lineBusyError(this.#flow === null ? 'one waits' : 'an iteration goes on');
    }
    this.#loan = this.#hooks.borrow(this);
    this.#flow = flow;
    return this.#loan;
  }

  /** The iteration is over. */
  takeBack(): void {
    this.#flow = null;
    this.#endLoan();
  }

  /** The request ends with its reason, unless it has ended. */
  cancel(request: Request): void {
    if (request === this.#current) {
      this.#hooks.cancel(request);
      return;
    }
    const index = this.#queue.indexOf(request);
    if (index < 0) return;
    this.#queue.splice(index, 1);
    request.settle(request.reason, null);
  }

  /** The engine is done with the request. */
  onSettled(request: Request): void {
    if (request !== this.#current) return;
    this.#current = null;
    this.#advance();
  }

  private cancelAll(reason: () => Error): void {
    const waiting = this.#current === null ? this.#queue : [this.#current, ...this.#queue];
    // From behind, so that none is begun because the one ahead of it has ended.
    for (const request of [...waiting].reverse()) request.stop(reason());
  }

  /** The kernel lets go of the socket, or closing it would not end the connection. */
  onClosing(): void {
    this.#isClosed = true;
    this.cancelAll(socketClosedError);
    this.#flow?.stop(this.#hooks.closingReason());
  }

  #advance(): void {
    if (this.#isAdvancing) return;
    this.#isAdvancing = true;
    while (this.#current === null && this.#loan !== null) {
      const next = this.#queue.shift();
      if (next === undefined) break;
      this.#current = next;
      this.#hooks.begin(this.#loan, next);
    }
    this.#isAdvancing = false;
    if (this.#current === null && this.#queue.length === 0) this.#endLoan();
  }

  #endLoan(): void {
    const loan = this.#loan;
    this.#loan = null;
    loan?.end();
  }
}
