/**
 * Sends that wait for a connection.
 *
 * Theory of operation. A send stays in the outbox, in the order of the calls, until it is settled:
 * with the socket of the connection that there is, which has a queue of its own, or with none.
 * When the connection is lost, its socket rejects whatever it had, each with the count of bytes
 * that the kernel took. Those of which it took none have their place still, and go to the next
 * connection, whole; the one of which it took a part fails, since what follows it would make no
 * sense to the peer without its beginning, and the beginning may have arrived. No byte is sent
 * twice.
 *
 * By the time there is another connection all of these rejections have come: they are microtasks,
 * and an attempt takes longer.
 */
import { AbortError, type OperationOptions, ReconnectError, SocketError } from '@sock/core';
import type { TimerClock } from './clock.js';
import type { Connection } from './connection.js';
import { Alarm, type Limits, Waiters } from './waiters.js';

/** Whether a send is done with its first bytes, or with all of them. */
export type SendVerb = 'send' | 'sendAll';

interface Parcel {
  readonly verb: SendVerb;
  readonly data: Uint8Array;
  readonly limits: Limits;
  alarm: Alarm | null;
  connection: Connection | null;
  resolve(value: number | undefined): void;
  reject(error: unknown): void;
}

export interface OutboxHost {
  /** Whether there is a connection, or will be. */
  readonly comesBack: boolean;
}

export class Outbox {
  readonly #bytesMax: number;
  readonly #clock: TimerClock;
  readonly #host: OutboxHost;
  readonly #draining: Waiters<void>;
  readonly #parcels = new Set<Parcel>();
  #bytes = 0;
  #isShedding = false;
  /** The connection that sends go to; null: they wait. */
  #open: Connection | null = null;

  constructor(bytesMax: number, clock: TimerClock, host: OutboxHost) {
    this.#bytesMax = bytesMax;
    this.#clock = clock;
    this.#host = host;
    this.#draining = new Waiters(clock);
  }

  /** Bytes that wait, here or with the socket. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#parcels.size === 0;
  }

  submit(verb: SendVerb, data: Uint8Array, limits: Limits): Promise<number | undefined> {
    if (limits.signal?.aborted) return Promise.reject(new AbortError(limits.signal, 0));
    const isFree = this.#open !== null && this.isEmpty;
    if (!isFree && this.#bytes + data.length > this.#bytesMax) return Promise.reject(full());
    return new Promise((resolve, reject) => {
      const parcel: Parcel = { verb, data, limits, alarm: null, connection: null, resolve, reject };
      this.#parcels.add(parcel);
      this.#bytes += data.length;
      if (this.#open === null) this.#keep(parcel);
      else this.#hand(parcel, this.#open);
    });
  }

  /** All that waits goes out. */
  open(connection: Connection): void {
    this.#open = connection;
    for (const parcel of this.#parcels) {
      if (parcel.connection === null) this.#hand(parcel, connection);
    }
  }

  /** The connection is gone, or not open yet. */
  shut(): void {
    this.#open = null;
  }

  /** Resolves when nothing waits any more, whatever became of it. */
  drained(limits: Limits): Promise<void> {
    return this.isEmpty ? Promise.resolve() : this.#draining.wait(limits, 'the end');
  }

  /** Nobody brings a connection any more. */
  refuseAll(error: Error): void {
    for (const parcel of this.#parcels) {
      if (parcel.connection === null) this.#reject(parcel, unsent(error));
    }
  }

  /** It waits, within its limits, of which waiting takes a part. */
  #keep(parcel: Parcel): void {
    parcel.connection = null;
    parcel.alarm ??= new Alarm(
      this.#clock,
      parcel.limits,
      'the send',
      (error) => {
        if (parcel.connection === null) this.#reject(parcel, error);
      },
      0,
    );
  }

  #hand(parcel: Parcel, connection: Connection): void {
    const { verb, data, alarm, limits } = parcel;
    parcel.connection = connection;
    const options: OperationOptions = alarm?.rest ?? optionsOf(limits);
    const sending: Promise<unknown> = connection.socket[verb](data, options);
    sending.then(
      (count) => {
        this.#remove(parcel);
        parcel.resolve(count as number | undefined);
      },
      (error: unknown) => this.#onFailure(parcel, connection, error),
    );
  }

  #onFailure(parcel: Parcel, connection: Connection, error: unknown): void {
    connection.noticeFailure(error);
    const isUntouched = error instanceof SocketError && (error.bytesTransferred ?? 0) === 0;
    if (!connection.isLost || !isUntouched || !this.#host.comesBack) {
      this.#reject(parcel, connection.explain(error));
      return;
    }
    this.#keep(parcel);
    if (this.#open !== null) this.#hand(parcel, this.#open);
    else if (this.#bytes > this.#bytesMax) this.#shedSoon();
  }

  /** The socket's queue may have had more than fits here: once all of it is back, the last go. */
  #shedSoon(): void {
    if (this.#isShedding) return;
    this.#isShedding = true;
    setImmediate(() => {
      this.#isShedding = false;
      for (const parcel of [...this.#parcels].reverse()) {
        if (this.#bytes <= this.#bytesMax) return;
        if (parcel.connection === null) this.#reject(parcel, full());
      }
    });
  }

  #reject(parcel: Parcel, error: unknown): void {
    this.#remove(parcel);
    parcel.reject(error);
  }

  #remove(parcel: Parcel): void {
    if (this.#parcels.delete(parcel)) this.#bytes -= parcel.data.length;
    parcel.alarm?.disarm();
    if (this.isEmpty) this.#draining.resolve();
  }
}

function optionsOf({ signal, timeoutMs }: Limits): OperationOptions {
  return timeoutMs === Number.POSITIVE_INFINITY ? { signal } : { signal, timeout: timeoutMs };
}

/** Each that waited has an error of its own, with its fate. */
function unsent(cause: Error): ReconnectError {
  const code = cause instanceof SocketError ? cause.code : undefined;
  return new ReconnectError(cause.message, { code, bytesTransferred: 0, cause });
}

function full(): SocketError {
  return new SocketError('too many bytes wait for a connection', {
    code: 'ERR_SOCK_QUEUE_FULL',
    bytesTransferred: 0,
  });
}
