/**
 * Theory of operation. A map leads from each socket to what is known of it, so that adding, getting
 * and removing take the same time however many there are. A pool hears of every close of a socket
 * of ours, so that whatever ends a connection also frees its place. No connection has a timer, and
 * no operation of a socket tells the pool anything: when somebody wants to know how long a
 * connection was idle, the bytes that went over it are compared with those of the last look.
 *
 * There is one way in ({@link Roster.admit}) and one way out ({@link Roster.leave}), whoever it is
 * that comes or goes: what is counted on the one is taken back on the other.
 */
import { PoolError, type Socket } from '@sock/core';
import { type TimerClock, Waiters } from '@sock/reconnect';
import { Admission } from './admission.js';
import { BufferStore, type Buffers } from './buffer-store.js';
import { Comebacks } from './comebacks.js';
import { Connection } from './connection.js';
import {
  countReused,
  type RejectReason,
  type RemoveReason,
  tellAdded,
  tellRejected,
  tellRemoved,
  tellTurnedAway,
} from './diagnostics.js';
import { Entry } from './entry.js';
import { ipOf, type PeerAddress, peerAddress } from './network-key.js';
import type { CheckedPoolOptions } from './pool-options.js';
import { Tally } from './pool-stats.js';
import { notWhenClosed, type PooledSocket, whenClosed } from './pooled-socket.js';
import type { StoreLimits } from './store-limits.js';
import { Sweeper } from './sweeper.js';

interface Holding<Data, S extends PooledSocket> {
  readonly entry: Entry<S>;
  readonly connection: Connection<Data, S>;
}

export class Roster<Data, S extends PooledSocket = Socket> {
  readonly clock: TimerClock;
  readonly buffers: BufferStore;
  readonly comebacks: Comebacks<S>;
  readonly admission: Admission;
  readonly tally = new Tally();
  /** Those who wait until no connection is left. */
  readonly leaving: Waiters<void>;
  /** Those who wait for a place. */
  readonly room: Waiters<void>;
  max: number;
  /** Places for connections that are being made. */
  reserved = 0;
  readonly #holdings = new Map<S, Holding<Data, S>>();
  readonly #sweeper: Sweeper;
  readonly #stopping = new AbortController();
  #closed = false;

  constructor(options: CheckedPoolOptions) {
    const { clock, idleTimeoutMs, rateLimiter, ipTracker } = options;
    this.clock = clock;
    this.max = options.maxConnections;
    this.buffers = new BufferStore(options.bufferSize, options.arena);
    this.admission = new Admission(rateLimiter, ipTracker);
    this.leaving = new Waiters(clock);
    this.room = new Waiters(clock);
    this.#sweeper = new Sweeper(clock, idleTimeoutMs, () => this.sweep(idleTimeoutMs));
    this.comebacks = new Comebacks({
      rekey: (entry, socket) => this.#rekey(entry, socket),
      giveUp: (entry) => this.leave(entry.socket, 'given-up', true),
    });
  }

  get count(): number {
    return this.#holdings.size;
  }

  /** Aborted when nobody is taken in any more. */
  get stop(): AbortSignal {
    return this.#stopping.signal;
  }

  get isFull(): boolean {
    return this.#holdings.size + this.reserved >= this.max;
  }

  *connections(): IterableIterator<Connection<Data, S>> {
    for (const { connection } of this.#holdings.values()) yield connection;
  }

  has(socket: S): boolean {
    return this.#holdings.has(socket);
  }

  /** The connection that there is, used now; else null. */
  use(socket: S): Connection<Data, S> | null {
    const holding = this.#holdings.get(socket);
    holding?.entry.touch();
    return holding?.connection ?? null;
  }

  /** Takes it in, where nothing is against it; else tells what is, and returns null. */
  admit(socket: S): Connection<Data, S> | null {
    const { remoteAddress } = socket;
    const ip = ipOf(remoteAddress);
    const reason = this.#refusal() ?? this.admission.admit(ip);
    if (reason === null) return this.#enter(socket, remoteAddress, ip, true);
    this.reject(remoteAddress, reason);
    return null;
  }

  /**
   * Whether who comes from there would be admitted, asked by the addon before there is a socket. It
   * counts those whom it turns away; the others are counted once they are {@link admit}ted.
   */
  readonly guard = (address: Uint8Array): boolean => {
    const reason = this.admission.turnAway(peerAddress(address));
    if (reason === null) return true;
    this.tally.reject(reason);
    tellTurnedAway(address, this.#holdings.size, reason);
    return false;
  };

  /** Takes in what was connected from here, for which there is a place: limits are for guests. */
  enter(socket: S): Connection<Data, S> {
    return this.#enter(socket, socket.remoteAddress, undefined, false);
  }

  reject(remoteAddress: string | undefined, reason: RejectReason): void {
    this.tally.reject(reason);
    tellRejected(remoteAddress, this.#holdings.size, reason);
  }

  leave(socket: S, reason: RemoveReason, closes: boolean): boolean {
    const holding = this.#holdings.get(socket);
    if (holding === undefined) return false;
    const { entry } = holding;
    this.#holdings.delete(socket);
    notWhenClosed(socket, entry.onClosed);
    if (entry.isCounted) this.admission.release(entry.ip);
    const buffers = entry.leave();
    if (buffers !== null) this.#giveBack(buffers);
    this.comebacks.disable(entry);
    if (closes) closeQuietly(socket);
    this.tally.remove(reason);
    tellRemoved(entry.remoteAddress, this.#holdings.size, reason);
    if (!this.isFull) this.room.resolve();
    if (this.#holdings.size === 0) {
      this.#sweeper.stop();
      this.leaving.resolve();
    }
    return true;
  }

  entryOf(connection: Connection<Data, S>): Entry<S> {
    const holding = connection instanceof Connection && this.#holdings.get(connection.socket);
    if (holding && holding.connection === connection) return holding.entry;
    throw new PoolError('the connection is not in this pool', { code: 'ERR_SOCK_NOT_POOLED' });
  }

  /** The addresses of those that are counted. */
  *ips(): Iterable<PeerAddress | undefined> {
    for (const { entry } of this.#holdings.values()) if (entry.isCounted) yield entry.ip;
  }

  /** Closes what is idle for more than that. */
  sweep(idleMs: number): number {
    const nowMs = this.clock.now();
    let closed = 0;
    for (const [socket, { entry }] of [...this.#holdings]) {
      // One of another's making, which does not tell.
      if (socket.fd < 0 && entry.link === null) this.leave(socket, 'closed', false);
      if (!entry.isActive) continue;
      entry.look();
      if (nowMs - entry.lastActivityMs <= idleMs) continue;
      this.leave(socket, 'idle', true);
      closed++;
    }
    return closed;
  }

  setLimiter(store: StoreLimits | null): void {
    this.checkOpen();
    this.admission.setStore(store, [...this.ips()]);
  }

  /** Changes the number of places; returns how many were closed. */
  resize(max: number): number {
    this.max = max;
    const surplus = Math.max(0, this.#holdings.size - max);
    if (surplus > 0) this.#closeOldest(surplus);
    this.buffers.trim(max - this.#holdings.size);
    if (!this.isFull) this.room.resolve();
    return surplus;
  }

  /** Nobody is taken in any more. */
  stopTaking(): void {
    if (this.stop.aborted) return;
    this.#stopping.abort();
    this.room.reject(closedError('the pool drains'));
  }

  close(keepSockets: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.stopTaking();
    for (const socket of [...this.#holdings.keys()]) {
      this.leave(socket, 'pool-closed', !keepSockets);
    }
    this.buffers.clear();
    // Those that have left are to be taken out of the store, too.
    void this.admission.store?.close();
  }

  checkOpen(): void {
    if (this.#closed) throw closedError('the pool is closed');
  }

  checkRunning(): void {
    this.checkOpen();
    if (this.stop.aborted) throw closedError('the pool drains');
  }

  #refusal(): RejectReason | null {
    if (this.stop.aborted) return 'draining';
    return this.isFull ? 'full' : null;
  }

  #enter(
    socket: S,
    remoteAddress: string | undefined,
    ip: PeerAddress | undefined,
    isCounted: boolean,
  ): Connection<Data, S> {
    const entry = new Entry<S>(this.#owner, socket, remoteAddress, ip, isCounted);
    entry.onClosed = () => this.#onClosed(entry);
    const connection = new Connection<Data, S>(entry);
    this.#holdings.set(socket, { entry, connection });
    whenClosed(socket, entry.onClosed);
    this.#sweeper.start();
    this.tally.added++;
    tellAdded(remoteAddress, this.#holdings.size);
    return connection;
  }

  readonly #owner = {
    now: (): number => this.clock.now(),
    takeBuffers: (): Buffers => this.#takeBuffers(),
  };

  #takeBuffers(): Buffers {
    const spare = this.buffers.takeSpare();
    if (spare === null) return this.buffers.make();
    this.tally.reused++;
    countReused();
    return spare;
  }

  #giveBack(buffers: Buffers): void {
    this.buffers.giveBack(buffers);
    this.buffers.trim(this.max - this.#holdings.size);
  }

  /** Its socket was closed: the connection comes back, or is over. */
  #onClosed(entry: Entry<S>): void {
    if (entry.link === null) this.leave(entry.socket, 'closed', false);
    else this.comebacks.lost(entry);
  }

  #rekey(entry: Entry<S>, socket: S): void {
    const before = entry.socket;
    const holding = this.#holdings.get(before);
    if (holding === undefined || before === socket) return;
    this.#holdings.delete(before);
    notWhenClosed(before, entry.onClosed);
    closeQuietly(before);
    entry.replaceSocket(socket);
    this.#holdings.set(socket, holding);
    whenClosed(socket, entry.onClosed);
  }

  #closeOldest(surplus: number): void {
    const holdings = [...this.#holdings.values()];
    for (const { entry } of holdings) entry.look();
    holdings.sort((one, other) => one.entry.lastActivityMs - other.entry.lastActivityMs);
    for (const { entry } of holdings.slice(0, surplus)) this.leave(entry.socket, 'resize', true);
  }
}

/** A stream of somebody's own making may throw; the pool is done with it all the same. */
export function closeQuietly(socket: PooledSocket): void {
  try {
    socket.close();
  } catch {}
}

export function closedError(message: string): PoolError {
  return new PoolError(message, { code: 'ERR_SOCK_CLOSED' });
}

export function fullError(): PoolError {
  return new PoolError('every place of the pool is taken', { code: 'ERR_SOCK_POOL_FULL' });
}
