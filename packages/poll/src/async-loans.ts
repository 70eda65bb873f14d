/** What AsyncIO does its I/O through: a socket of ours lends itself, any other stream is asked. */
import { type Borrower, Socket, type StreamSocket } from '@sock/core';
import { invalidType } from '@sock/native';
import type { Reading, Writing } from './async-engine.js';

type Settle<T> = (error: unknown, value: T | null) => void;

/** What both directions of a stream have that is no socket of ours. */
class StreamLoan {
  readonly slot = -1;
  readonly generation = -1;
  /** Only it can tell what is next: TLS, say, may have bytes that the kernel has no more. */
  readonly knowsNext = true;

  constructor(protected readonly stream: StreamSocket) {}

  leaveReactor(): void {}

  putBack(): void {}

  end(): void {}

  note(): Error {
    return new Error('it tells itself what is wrong');
  }

  protected run<T>(begin: (signal: AbortSignal) => Promise<T>, settle: Settle<T>) {
    const controller = new AbortController();
    let reason: Error | null = null;
    const done = new Promise<T>((resolve) => resolve(begin(controller.signal)));
    done.then(
      (value) => settle(null, value),
      (error: unknown) => settle(reason ?? error, null),
    );
    return (error: Error): void => {
      reason = error;
      controller.abort();
    };
  }
}

class StreamReading extends StreamLoan implements Reading {
  receive(max: number, settle: Settle<Buffer>) {
    return this.run((signal) => this.stream.recv(max, { signal }), settle);
  }
}

class StreamWriting extends StreamLoan implements Writing {
  send(bytes: Uint8Array, settle: Settle<number>) {
    return this.run((signal) => this.stream.send(bytes, { signal }), settle);
  }
}

export function borrowReading(stream: StreamSocket, borrower: Borrower): Reading {
  return stream instanceof Socket ? stream.lendReading(borrower) : new StreamReading(stream);
}

export function borrowWriting(stream: StreamSocket, borrower: Borrower): Writing {
  return stream instanceof Socket ? stream.lendWriting(borrower) : new StreamWriting(stream);
}

const verbs = ['recv', 'send', 'close'] as const;

/** Checks what may be anything, a proxy that throws included. */
export function checkStream(value: unknown): StreamSocket {
  try {
    if (value instanceof Socket && typeof value.sendQueueMax === 'number') return value;
    const verbOf = value as Record<string, unknown>;
    if (typeof value === 'object' && verbs.every((verb) => typeof verbOf[verb] === 'function')) {
      return value as StreamSocket;
    }
  } catch {
    // null, or a proxy that refuses to answer.
  }
  throw invalidType('socket', 'a stream socket', value);
}

export function checkListener(value: unknown): Socket {
  try {
    if (value instanceof Socket && typeof value.sendQueueMax === 'number') return value;
  } catch {
    // What only imitates one.
  }
  throw invalidType('listener', 'a listening Socket', value);
}
