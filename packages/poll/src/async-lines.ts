/** The lines of all sockets that an AsyncIO has had to do with; each is made when it is needed. */
import type { Socket, StreamSocket } from '@sock/core';
import type { Accepting, Engine, Reading, Writing } from './async-engine.js';
import { socketClosedError } from './async-errors.js';
import { Line, type LineHooks } from './async-line.js';
import { borrowReading, borrowWriting } from './async-loans.js';

interface LinesOfSocket {
  read?: Line<Reading>;
  write?: Line<Writing>;
  accept?: Line<Accepting>;
}

export class Lines {
  readonly #engine: Engine;
  readonly #bySocket = new WeakMap<StreamSocket | Socket, LinesOfSocket>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  reading(socket: StreamSocket): Line<Reading> {
    const lines = this.#of(socket);
    lines.read ??= new Line<Reading>({
      ...this.#hooks(socketClosedError),
      borrow: (borrower) => borrowReading(socket, borrower),
      begin: (loan, request) => this.#engine.receive(loan, request),
    });
    return lines.read;
  }

  writing(socket: StreamSocket): Line<Writing> {
    const lines = this.#of(socket);
    lines.write ??= new Line<Writing>({
      ...this.#hooks(socketClosedError),
      borrow: (borrower) => borrowWriting(socket, borrower),
      begin: (loan, request) => this.#engine.send(loan, request),
    });
    return lines.write;
  }

  accepting(listener: Socket): Line<Accepting> {
    const lines = this.#of(listener);
    lines.accept ??= new Line<Accepting>({
      // As the listener's own iteration, which only ends.
      ...this.#hooks(() => null),
      borrow: (borrower) => listener.lendAccepting(borrower),
      // It has iterations only.
      begin: () => {},
    });
    return lines.accept;
  }

  #of(socket: StreamSocket | Socket): LinesOfSocket {
    let lines = this.#bySocket.get(socket);
    if (lines === undefined) {
      lines = {};
      this.#bySocket.set(socket, lines);
    }
    return lines;
  }

  #hooks(closingReason: () => Error | null): Pick<LineHooks<unknown>, 'cancel' | 'closingReason'> {
    return {
      cancel: (request) => this.#engine.cancel(request),
      closingReason,
    };
  }
}
