/** What a pool knows of one connection. */
import { PoolError } from '@sock/core';
import type { ReconnectingSocket } from '@sock/reconnect';
import type { Buffers } from './buffer-store.js';
import type { PeerAddress } from './network-key.js';
import { bytesMoved, type PooledSocket } from './pooled-socket.js';

export interface EntryOwner {
  now(): number;
  takeBuffers(): Buffers;
}

export class Entry<S extends PooledSocket> {
  readonly #owner: EntryOwner;
  socket: S;
  /** Of the socket that it came with, which may be closed by now. */
  readonly remoteAddress: string | undefined;
  /** The address among the limits; undefined where there is none. */
  readonly ip: PeerAddress | undefined;
  /** Whether it is counted there, under that address. */
  readonly isCounted: boolean;
  isActive = true;
  link: ReconnectingSocket | null = null;
  /** Whether the socket came of the link. */
  isLinked = false;
  lastActivityMs: number;
  /** Set by the pool: what is told when the socket is closed by itself. */
  onClosed: () => void = () => {};
  #buffers: Buffers | null = null;
  #bytes: number;

  constructor(
    owner: EntryOwner,
    socket: S,
    remoteAddress: string | undefined,
    ip: PeerAddress | undefined,
    isCounted: boolean,
  ) {
    this.#owner = owner;
    this.socket = socket;
    this.remoteAddress = remoteAddress;
    this.ip = ip;
    this.isCounted = isCounted;
    this.lastActivityMs = owner.now();
    this.#bytes = bytesMoved(socket);
  }

  /** Made by whoever asks first: many connections never do. */
  get buffers(): Buffers {
    if (!this.isActive) {
      const message = 'the connection is no longer in the pool, and its buffers are not its own';
      throw new PoolError(message, { code: 'ERR_SOCK_CLOSED' });
    }
    this.#buffers ??= this.#owner.takeBuffers();
    return this.#buffers;
  }

  /** It is used now. */
  touch(): void {
    this.lastActivityMs = this.#owner.now();
  }

  /** Bytes that went since somebody looked are activity. */
  look(): void {
    const bytes = bytesMoved(this.socket);
    if (bytes === this.#bytes) return;
    this.#bytes = bytes;
    this.touch();
  }

  /** The connection goes on over another socket. */
  replaceSocket(socket: S): void {
    this.socket = socket;
    this.isLinked = true;
    this.#bytes = bytesMoved(socket);
    this.touch();
  }

  /** It is out of the pool; these are its buffers, if it ever had some. */
  leave(): Buffers | null {
    const buffers = this.#buffers;
    this.#buffers = null;
    this.isActive = false;
    return buffers;
  }
}
