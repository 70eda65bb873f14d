/**
 * Requests carried out by io_uring. They are queued in the addon, and given to the kernel together:
 * within a turn of the event loop when the addon is done with it, elsewhere when the microtasks
 * have run. What the socket has an answer to itself (bytes that were put back, a connection known
 * to be broken) it answers itself.
 */
import type { Socket } from '@sock/core';
import { binding, Control, Errno, returnRequestKey, takeRequestKey } from '@sock/native';
import type { Accepting, Engine, Reading, Source, SourceSink, Writing } from './async-engine.js';
import { cancelledError } from './async-errors.js';
import { receiveByLoan, sendByLoan } from './async-readiness.js';
import { chunkOf, type Received, type Request } from './async-request.js';
import { RingAccepts, RingReceives } from './async-ring-sources.js';
import { asyncCallError } from './errors.js';

const { control } = binding;
const { ECANCELED } = Errno;
const { InTurn } = Control;

/** What the kernel said, where it was not told to stop. */
function failureOf(request: Request, result: number): Error {
  if (result === -ECANCELED) return request.reason ?? cancelledError();
  return request.loan?.note(result) ?? cancelledError();
}

function translateReceived(request: Request, result: number, memory: Received): void {
  returnRequestKey(request.key);
  if (result > 0) request.settle(null, chunkOf(memory, result));
  else request.settle(failureOf(request, result), null);
}

function translateSent(request: Request, result: number): void {
  returnRequestKey(request.key);
  if (result >= 0) request.settle(null, result);
  else request.settle(failureOf(request, result), null);
}

/** One io_uring of the addon. */
export class RingEngine implements Engine {
  readonly name = 'io_uring';
  readonly #ring: number;
  #isFlushing = false;
  readonly #flushLater = (): void => {
    this.#isFlushing = false;
    this.flush();
  };

  /** @param ring What `ringOpen` has returned. */
  constructor(ring: number) {
    this.#ring = ring;
  }

  receive(loan: Reading, request: Request): void {
    if (loan.knowsNext) {
      receiveByLoan(loan, request);
      return;
    }
    const key = this.#begin(loan, request);
    request.translate = translateReceived;
    const { slot, generation } = loan;
    const size = request.subject as number;
    this.#check(request, binding.ringReceive(this.#ring, key, slot, generation, size, false));
  }

  send(loan: Writing, request: Request): void {
    const bytes = request.subject as Uint8Array;
    if (loan.knowsNext || bytes.length === 0) {
      sendByLoan(loan, request);
      return;
    }
    const key = this.#begin(loan, request);
    request.translate = translateSent;
    const { slot, generation } = loan;
    const { byteOffset, length } = bytes;
    const result = request.isRegistered
      ? binding.ringSendRegistered(this.#ring, key, slot, generation, byteOffset, length)
      : binding.ringSend(this.#ring, key, slot, generation, bytes);
    this.#check(request, result);
  }

  cancel(request: Request): void {
    if (request.key < 0) {
      request.cancel?.(request.reason ?? cancelledError());
      return;
    }
    this.cancelKey(request.key);
  }

  receives(loan: Reading, sink: SourceSink<Buffer>): Source {
    return new RingReceives(this, this.#ring, loan, sink);
  }

  accepts(loan: Accepting, sink: SourceSink<Socket>, isUnix: boolean): Source {
    return new RingAccepts(this, this.#ring, loan, sink, isUnix);
  }

  /** At once: of what comes after this call, the request takes nothing. */
  cancelKey(key: number): void {
    binding.ringCancel(this.#ring, key);
    this.flush();
  }

  /** Within a turn the addon looks after what was queued when the turn is over. */
  submitSoon(): void {
    if (control[InTurn] === 1 || this.#isFlushing) return;
    this.#isFlushing = true;
    process.nextTick(this.#flushLater);
  }

  flush(): void {
    binding.ringSubmit(this.#ring);
  }

  register(size: number): ArrayBuffer {
    const memory = binding.ringMemory(this.#ring, size);
    if (typeof memory === 'number') throw asyncCallError(memory, 'no memory was registered');
    return memory;
  }

  close(): void {
    binding.ringClose(this.#ring);
  }

  #begin(loan: Reading | Writing, request: Request): number {
    loan.leaveReactor();
    const key = takeRequestKey(request);
    request.key = key;
    request.loan = loan;
    return key;
  }

  #check(request: Request, result: number): void {
    if (result === 0) {
      this.submitSoon();
      return;
    }
    returnRequestKey(request.key);
    request.key = -1;
    request.settle(asyncCallError(result, 'the request was not taken'), null);
  }
}
