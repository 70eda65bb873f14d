/** Connections of a pool that come back: each by a reconnecting socket of its own. */
import type { StreamSocket } from '@sock/core';
import {
  checkPolicy,
  ReconnectingSocket,
  type ReconnectOptions,
  type ReconnectPolicy,
  systemClock,
} from '@sock/reconnect';
import type { Entry } from './entry.js';
import type { PooledSocket } from './pooled-socket.js';

/** What the pool does when a connection has changed. */
export interface ComebackHost<S extends PooledSocket> {
  /** It goes on over this socket; the one before is no longer its. */
  rekey(entry: Entry<S>, socket: S): void;
  /** It will not come back. */
  giveUp(entry: Entry<S>): void;
}

export class Comebacks<S extends PooledSocket> {
  readonly #host: ComebackHost<S>;
  /** Those that have one; walking over all connections would take as long as there are any. */
  readonly #entries = new Set<Entry<S>>();
  policy: ReconnectPolicy | undefined = undefined;

  constructor(host: ComebackHost<S>) {
    this.#host = host;
  }

  setPolicy(policy: ReconnectPolicy | null): void {
    if (policy !== null) checkPolicy(policy, systemClock, undefined);
    this.policy = policy === null ? undefined : { ...policy };
  }

  enable(
    entry: Entry<S>,
    host: string,
    port: number,
    options: ReconnectOptions | undefined,
  ): ReconnectingSocket {
    const link = new ReconnectingSocket(host, port, this.policy, options);
    this.disable(entry);
    entry.link = link;
    this.#entries.add(entry);
    link.on('connected', (socket: StreamSocket) => {
      // What its connect function makes is what the pool holds.
      if (entry.link === link) this.#host.rekey(entry, socket as S);
    });
    link.on('state', ({ to }) => {
      const isOver = to === 'disconnected' && link.lastError !== null;
      if (isOver && entry.link === link) this.#host.giveUp(entry);
    });
    return link;
  }

  disable(entry: Entry<S>): void {
    const { link } = entry;
    entry.link = null;
    this.#entries.delete(entry);
    link?.close();
  }

  /** Its socket is closed: one that the link made, or the one that was there before. */
  lost(entry: Entry<S>): void {
    const { link, socket, isLinked } = entry;
    if (link === null) return;
    // Where the link has closed it, it is in the middle of that.
    queueMicrotask(() => {
      if (entry.link !== link) return;
      // What is closed on this side it does not notice by itself.
      if (link.socket !== null && link.socket === socket) link.disconnect();
      else if (isLinked && link.state === 'disconnected') return;
      void link.connect();
    });
  }

  process(): void {
    for (const { link } of [...this.#entries]) link?.process();
  }

  timeoutMs(): number {
    let leastMs = Number.POSITIVE_INFINITY;
    for (const { link } of this.#entries) {
      if (link !== null) leastMs = Math.min(leastMs, link.nextTimeoutMs());
    }
    return leastMs;
  }
}
