/** One send or receive, from its submission to its callback. */
import { AsyncResource } from 'node:async_hooks';
import type { CompletionSink } from '@sock/native';

/**
 * Hears once how a request went: with an error, or the chunk or count that it was made for. Whoever
 * makes a request knows which; in between nobody looks.
 */
export type RequestCallback = (error: Error | null, value: never) => void;

/** What an engine makes of the last completion of a request. */
export type Translate = (request: Request, result: number, memory: Received) => void;

/** Where received bytes lie. */
export interface Received {
  readonly buffer: ArrayBuffer | undefined;
  readonly offset: number;
}

/** The Buffer class as a constructor over existing memory, without Buffer.from's checks. */
const { [Symbol.species]: BufferOver } = Buffer as unknown as {
  [Symbol.species]: new (memory: ArrayBufferLike, offset: number, length: number) => Buffer;
};

export function chunkOf({ buffer, offset }: Received, count: number): Buffer {
  return new BufferOver(buffer as ArrayBuffer, offset, count);
}

/** Where a request waits for its turn, whichever direction that is. */
export interface AnyLine {
  /** Throws what keeps the socket from lending. */
  add(request: Request): void;
  /** It ends with its reason, unless it comes to another end. */
  cancel(request: Request): void;
  /** The engine is done with it. */
  onSettled(request: Request): void;
}

export class Request implements CompletionSink {
  readonly id: number;
  /** What is sent, or how much is received at most. */
  readonly subject: Uint8Array | number;
  /** Whether what is sent lies in memory that is registered with the ring. */
  readonly isRegistered: boolean;
  readonly line: AnyLine;
  /** Hears that it has its outcome. */
  readonly #onSettled: (request: Request) => void;
  readonly #callback: RequestCallback;
  /** Of callbacks; a promise keeps its context by itself. */
  readonly #resource: AsyncResource | null;
  #isOver = false;
  #error: Error | null = null;
  #value: Buffer | number | null = null;
  /** What a cancellation by the kernel means. */
  reason: Error | null = null;
  /** Set by the engine that has begun it. */
  key = -1;
  loan: { note(result: number): Error } | null = null;
  cancel: ((error: Error) => void) | null = null;
  translate: Translate | null = null;

  constructor(
    onSettled: (request: Request) => void,
    line: AnyLine,
    id: number,
    subject: Uint8Array | number,
    isRegistered: boolean,
    callback: RequestCallback,
    keepsContext: boolean,
  ) {
    this.#onSettled = onSettled;
    this.line = line;
    this.id = id;
    this.subject = subject;
    this.isRegistered = isRegistered;
    this.#callback = callback;
    this.#resource = keepsContext
      ? new AsyncResource('SOCK_ASYNC_IO', { requireManualDestroy: true })
      : null;
  }

  onCompletion(result: number, extra: number, buffer: ArrayBuffer | undefined): void {
    this.translate?.(this, result, { buffer, offset: extra });
  }

  /** Asks for its end; the first who asks says why. */
  stop(reason: Error): void {
    if (this.#isOver) return;
    this.reason ??= reason;
    this.line.cancel(this);
  }

  /** It is over; its callback runs when completions are processed. */
  settle(error: Error | null, value: Buffer | number | null): void {
    this.#isOver = true;
    this.#error = error;
    this.#value = value;
    this.#onSettled(this);
  }

  /** What the callback throws concerns nobody else. */
  callBack(): void {
    try {
      if (this.#resource === null) this.#tell();
      else this.#resource.runInAsyncScope(() => this.#tell());
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
    this.#resource?.emitDestroy();
  }

  #tell(): void {
    this.#callback(this.#error, this.#value as never);
  }
}
