/**
 * Requests carried out by the sockets themselves: tried at once, then again when the reactor of the
 * thread, which watches edge-triggered, says that they can go on.
 */
import type { Socket } from '@sock/core';
import { binding } from '@sock/native';
import type {
  Accepting,
  AsyncBackend,
  Engine,
  Reading,
  Source,
  SourceSink,
  Writing,
} from './async-engine.js';
import { cancelledError } from './async-errors.js';
import type { Request } from './async-request.js';

/** What one receive of an iteration asks for: as a socket's own. */
const chunkSize = 64 * 1024;

export function receiveByLoan(loan: Reading, request: Request): void {
  request.cancel = loan.receive(request.subject as number, (error, chunk) => {
    request.settle(error as Error | null, chunk);
  });
}

export function sendByLoan(loan: Writing, request: Request): void {
  request.cancel = loan.send(request.subject as Uint8Array, (error, sent) => {
    request.settle(error as Error | null, sent);
  });
}

/** Brings one thing after the other, for as long as somebody waits. */
export class PullSource<T> implements Source {
  readonly readsAhead = false;
  readonly #sink: SourceSink<T>;
  readonly #pull: (settle: (error: unknown, value: T | null) => void) => (error: Error) => void;
  #cancel: ((error: Error) => void) | null = null;
  #reason: Error | null = null;

  constructor(
    sink: SourceSink<T>,
    pull: (settle: (error: unknown, value: T | null) => void) => (error: Error) => void,
  ) {
    this.#sink = sink;
    this.#pull = pull;
  }

  start(): void {
    let isOver = false;
    const cancel = this.#pull((error, value) => {
      isOver = true;
      this.#cancel = null;
      if (value !== null) this.#sink.push(value);
      const isStopped = value !== null || error === this.#reason;
      this.#reason = null;
      this.#sink.onStopped(isStopped ? undefined : outcomeOf(error));
    });
    if (!isOver) this.#cancel = cancel;
  }

  stop(): void {
    this.#reason = cancelledError();
    this.#cancel?.(this.#reason);
  }
}

/** The end of a stream is no error of an iteration. */
function outcomeOf(error: unknown): Error | null {
  return (error as { code?: string }).code === 'ERR_SOCK_EOF' ? null : (error as Error);
}

export function receivesByLoan(loan: Reading, sink: SourceSink<Buffer>): Source {
  return new PullSource(sink, (settle) => loan.receive(chunkSize, settle));
}

export function acceptsByLoan(loan: Accepting, sink: SourceSink<Socket>): Source {
  return new PullSource(sink, (settle) => loan.accept(settle));
}

export class ReadinessEngine implements Engine {
  readonly name: AsyncBackend = binding.backend === 'kqueue' ? 'kqueue' : 'edge-triggered';
  readonly receive = receiveByLoan;
  readonly send = sendByLoan;
  readonly receives = receivesByLoan;
  readonly accepts = acceptsByLoan;

  cancel(request: Request): void {
    request.cancel?.(request.reason ?? cancelledError());
  }

  flush(): void {}

  register(size: number): ArrayBuffer {
    return new ArrayBuffer(size);
  }

  close(): void {}
}
