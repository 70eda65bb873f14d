import type { RingBuffer, Socket } from '@sock/core';
import type { ReconnectingSocket } from '@sock/reconnect';
import type { Entry } from './entry.js';
import type { PooledSocket } from './pooled-socket.js';

/**
 * A socket's place in a pool: made by {@link SocketPool.add} and its like, and over once the
 * connection is removed. The next connection in that place is another object.
 */
export class Connection<Data = unknown, S extends PooledSocket = Socket> {
  /** Whatever the application knows of this connection; undefined at first. */
  data: Data | undefined = undefined;
  readonly #entry: Entry<S>;

  /** @internal */
  constructor(entry: Entry<S>) {
    this.#entry = entry;
  }

  /** The socket; with reconnecting another one after each comeback. */
  get socket(): S {
    return this.#entry.socket;
  }

  /**
   * Bytes that came and were not used yet, for the application to put there and to take out. Made
   * at the first look. Valid while {@link isActive}: afterwards it throws `PoolError`
   * (`ERR_SOCK_CLOSED`), and the buffer is emptied, overwritten with zeros, and handed on.
   */
  get input(): RingBuffer {
    return this.#entry.buffers.input;
  }

  /** Bytes that are to be sent; otherwise as {@link input}. */
  get output(): RingBuffer {
    return this.#entry.buffers.output;
  }

  /**
   * When it was used last, in milliseconds of `monotonicMs`: when it was added, or got from the
   * pool, or when it was first noticed that bytes had come or gone, which looking here does.
   */
  get lastActivity(): number {
    if (this.#entry.isActive) this.#entry.look();
    return this.#entry.lastActivityMs;
  }

  /** Whether it is in the pool. */
  get isActive(): boolean {
    return this.#entry.isActive;
  }

  /** What brings the connection back: see {@link SocketPool.enableReconnect}; else null. */
  get reconnect(): ReconnectingSocket | null {
    return this.#entry.link;
  }

  /** Whether something does. */
  get hasReconnect(): boolean {
    return this.#entry.link !== null;
  }
}
