/**
 * Connections that a process holds.
 *
 * Theory of operation. A map leads from each socket to what is known of it, so that adding, getting
 * and removing take the same time however many there are. A pool hears of every close of a socket
 * of ours, so that whatever ends a connection also frees its place. No connection has a timer, and
 * no operation of a socket tells the pool anything: when somebody wants to know how long a
 * connection was idle, the bytes that went over it are compared with those of the last look.
 */
import { connect, type OperationOptions, PoolError, type ResolverLike, Socket } from '@sock/core';
import {
  checkFunction,
  checkHost,
  checkOptions,
  checkPort,
  checkTime,
  invalidType,
  invalidValue,
  outOfRange,
} from '@sock/native';
import {
  checkLimits,
  type ReconnectingSocket,
  type ReconnectOptions,
  type ReconnectPolicy,
  type TimerClock,
  Waiters,
} from '@sock/reconnect';
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
} from './diagnostics.js';
import { Entry } from './entry.js';
import {
  checkBufferSize,
  checkMaxConnections,
  checkPoolOptions,
  type SocketPoolOptions,
} from './pool-options.js';
import { type SocketPoolStats, Tally } from './pool-stats.js';
import { checkSocket, notWhenClosed, type PooledSocket, whenClosed } from './pooled-socket.js';
import { Sweeper } from './sweeper.js';

/** A name looked up, and a socket that can connect to what was found. */
export interface PreparedConnection {
  /** Of the family of the first address; not connected. */
  readonly socket: Socket;
  /** For `socket.connectTo`: those of the socket's family. */
  readonly addresses: Awaited<ReturnType<ResolverLike['resolve']>>;
}

/** The limits of {@link SocketPool.connect}, and what makes the connection. */
export interface PoolConnectOptions<S extends PooledSocket = Socket> extends OperationOptions {
  /** Makes the connection. Default: `connect` of `@sock/core`. */
  connect?: ((host: string, port: number, options: OperationOptions) => Promise<S>) | undefined;
}

interface Holding<Data, S extends PooledSocket> {
  readonly entry: Entry<S>;
  readonly connection: Connection<Data, S>;
}

/**
 * The connections of a server, or of anything else that has many: found by their socket, each with
 * buffers, counted, and closed when they are idle.
 *
 * A pool belongs to its thread. It holds its sockets, and closes them with itself.
 * @example
 * ```ts
 * const pool = new SocketPool<Session>({ maxConnections: 1000, idleTimeout: 60_000 });
 * for await (const socket of listener) {
 *   const connection = pool.add(socket);
 *   if (connection === null) socket.close();
 *   else void talk(connection);
 * }
 * ```
 */
export class SocketPool<Data = unknown, S extends PooledSocket = Socket>
  implements Iterable<Connection<Data, S>>
{
  readonly #clock: TimerClock;
  readonly #holdings = new Map<S, Holding<Data, S>>();
  readonly #buffers: BufferStore;
  readonly #comebacks: Comebacks<S>;
  readonly #sweeper: Sweeper;
  readonly #tally = new Tally();
  readonly #stopping = new AbortController();
  /** Those who wait until no connection is left. */
  readonly #leaving: Waiters<void>;
  #max: number;
  /** Places for connections that are being made. */
  #reserved = 0;
  #closed = false;

  /**
   * No memory is taken before it is used, or {@link prewarm} asks for it.
   *
   * @param options At least `maxConnections`.
   * @throws TypeError, RangeError when one is wrong.
   */
  constructor(options: SocketPoolOptions) {
    const { maxConnections, bufferSize, arena, idleTimeoutMs, clock } = checkPoolOptions(options);
    this.#max = maxConnections;
    this.#clock = clock;
    this.#buffers = new BufferStore(bufferSize, arena);
    this.#leaving = new Waiters(clock);
    this.#sweeper = new Sweeper(clock, idleTimeoutMs, () => this.#sweep(idleTimeoutMs));
    this.#comebacks = new Comebacks({
      rekey: (entry, socket) => this.#rekey(entry, socket),
      giveUp: (entry) => this.#leave(entry.socket, 'given-up', true),
    });
  }

  /** How many connections there are. */
  get count(): number {
    return this.#holdings.size;
  }

  /** The most that there may be; {@link resize} changes it. */
  get maxConnections(): number {
    return this.#max;
  }

  /** Bytes of the buffers that are made from now on; {@link setBufferSize} changes it. */
  get bufferSize(): number {
    return this.#buffers.size;
  }

  /** Aborted when the pool drains or closes: the sign for whoever serves a connection to end it. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** What there is, and what has happened so far. A new object at each look. */
  get stats(): SocketPoolStats {
    return this.#tally.stats(this.#holdings.size, this.#max, this.#buffers.spare);
  }

  /**
   * Takes a socket in.
   *
   * @param socket A connected stream. From now on it is the pool's to close, until {@link remove}.
   * @returns Its connection; the same one again where the socket is in the pool already, which
   * counts as a use of it. `null` where it is refused, and stays the caller's: the pool is full, or
   * drains. `stats.rejected` and the channel `sock:pool:reject` tell why.
   * @throws TypeError when it is no stream; `PoolError` (`ERR_SOCK_CLOSED`) when the socket, or the
   * pool, is closed.
   */
  add(socket: S): Connection<Data, S> | null {
    checkSocket<S>(socket);
    this.#checkOpen();
    const known = this.#holdings.get(socket);
    if (known !== undefined) {
      known.entry.touch();
      return known.connection;
    }
    if (socket.fd < 0) throw closedError('the socket is closed');
    const reason = this.#refusal();
    if (reason !== null) {
      this.#reject(socket, reason);
      return null;
    }
    return this.#enter(socket);
  }

  /**
   * Lets go of a socket, without closing it: it is the caller's again. Its buffers are overwritten
   * with zeros and handed on. Where the connection comes back ({@link enableReconnect}), that is
   * over, and a socket that came of it is closed.
   *
   * @returns Whether it was in the pool.
   */
  remove(socket: S): boolean {
    return this.#leave(socket, 'removed', false);
  }

  /** The connection of a socket, or `null` when it is not in the pool. Counts as a use of it. */
  get(socket: S): Connection<Data, S> | null {
    const holding = this.#holdings.get(socket);
    if (holding === undefined) return null;
    holding.entry.touch();
    return holding.connection;
  }

  /** Whether the socket is in the pool. Does not count as a use. */
  has(socket: S): boolean {
    return this.#holdings.has(socket);
  }

  /** The connections, in the order in which they came; adding and removing meanwhile is fine. */
  *[Symbol.iterator](): IterableIterator<Connection<Data, S>> {
    for (const { connection } of this.#holdings.values()) yield connection;
  }

  /**
   * Removes and closes connections over which nothing went, and which nobody used, for longer than
   * that.
   *
   * @param idle Milliseconds from 0 on; 0 closes all of them.
   * @returns How many were closed.
   * @throws TypeError, RangeError for a wrong argument.
   */
  cleanup(idle: number): number {
    const idleMs = checkTime('idle', idle, 0);
    return this.#sweep(idleMs === 0 ? -1 : idleMs);
  }

  /**
   * Changes the number of places. All connections stay that fit; of the others, those that were not
   * used for longest are removed and closed.
   *
   * @param maxConnections An integer from 1 to 1,048,576.
   * @returns How many were closed.
   * @throws TypeError, RangeError for a wrong argument; `PoolError` (`ERR_SOCK_CLOSED`).
   */
  resize(maxConnections: number): number {
    checkMaxConnections('maxConnections', maxConnections);
    this.#checkOpen();
    this.#max = maxConnections;
    const surplus = Math.max(0, this.#holdings.size - maxConnections);
    if (surplus > 0) this.#closeOldest(surplus);
    this.#buffers.trim(maxConnections - this.#holdings.size);
    return surplus;
  }

  /**
   * Makes buffers for connections to come, so that they need not wait for memory.
   *
   * @param percent Of all places, 0 to 100, rounded down: for so many there are buffers afterwards,
   * as far as the places are free.
   * @returns For how many connections buffers were made.
   * @throws TypeError, RangeError for a wrong argument; `PoolError` (`ERR_SOCK_CLOSED`);
   * `ArenaError`.
   */
  prewarm(percent: number): number {
    checkPercent(percent);
    this.#checkOpen();
    const wanted = Math.floor((this.#max * percent) / 100);
    return this.#buffers.fillUp(Math.min(wanted, this.#max - this.#holdings.size));
  }

  /**
   * Changes the size of buffers that are made from now on; those in use stay as they are.
   *
   * @param size Bytes of each, an integer from 512 to 1,048,576.
   * @throws TypeError, RangeError for a wrong argument.
   */
  setBufferSize(size: number): void {
    this.#buffers.setSize(checkBufferSize('size', size));
  }

  /**
   * Connects, and takes the connection in. Its place is kept while it is made.
   *
   * @param host A name or a literal address. 1 to 255 characters.
   * @param port 1 to 65,535.
   * @param options `timeout` (default the socket's `connectTimeout`), `signal`, `connect`.
   *
   * Rejects with `PoolError`: `ERR_SOCK_POOL_FULL`, and nothing was begun; `ERR_SOCK_CLOSED`, also
   * where the pool is closed or drains meanwhile. Otherwise with what connecting failed with.
   * @throws TypeError, RangeError when an argument is wrong.
   */
  async connect(
    host: string,
    port: number,
    options?: PoolConnectOptions<S>,
  ): Promise<Connection<Data, S>> {
    checkHost(host);
    checkPort(port, 1);
    const known = ['connect', 'signal', 'timeout'] as const;
    const { connect: make = connectByCore, ...rest } = checkOptions<PoolConnectOptions<S>>(
      options,
      known,
    );
    checkFunction('options.connect', make);
    const { signal } = checkLimits(rest);
    this.#checkRunning();
    if (this.#isFull) throw fullError();
    this.#reserved++;
    try {
      const stop = this.#stopping.signal;
      const either = signal === undefined ? stop : AbortSignal.any([signal, stop]);
      const socket = (await make(host, port, { ...rest, signal: either })) as S;
      if (stop.aborted) socket.close();
      else return this.#enter(socket);
    } catch (error) {
      if (signal?.aborted || !this.#stopping.signal.aborted) throw error;
    } finally {
      this.#reserved--;
    }
    throw closedError('the pool was closed');
  }

  /**
   * Looks a name up for a connection that is made step by step: `socket.connectTo(addresses)`, then
   * {@link add}.
   *
   * @param resolver What looks it up: a `Resolver` of `@sock/dns` is one.
   * @param host As for {@link connect}.
   * @param port 1 to 65,535.
   * @param options `timeout` and `signal`, for the resolver.
   * @returns The socket is the caller's to close.
   *
   * Rejects with what the resolver rejects with, or `SocketError` (`EMFILE`, …).
   */
  async prepareConnection(
    resolver: ResolverLike,
    host: string,
    port: number,
    options?: OperationOptions,
  ): Promise<PreparedConnection> {
    checkFunction('resolver.resolve', resolver?.resolve);
    checkHost(host);
    checkPort(port, 1);
    checkLimits(options);
    const found = await resolver.resolve(host, port, options);
    const family = found[0]?.family;
    if (family === undefined) throw invalidValue('resolver', 'must find an address', resolver);
    const addresses = found.filter((address) => address.family === family);
    return { socket: new Socket({ family }), addresses };
  }

  /**
   * The policy of connections that are to come back, from the next {@link enableReconnect} on.
   *
   * @param policy As for `ReconnectingSocket`; `null`: its defaults.
   * @throws TypeError, RangeError when it is wrong.
   */
  setReconnectPolicy(policy: ReconnectPolicy | null): void {
    this.#comebacks.setPolicy(policy);
  }

  /**
   * From now on the connection comes back when it is lost: once its socket is closed, by whomever,
   * a reconnecting socket connects to that host, and each socket that comes of it takes the place
   * of the one before: `connection.socket` and {@link get} go by the new one. Until then the
   * connection keeps its place, with its data and buffers. When the attempts are used up it is
   * removed.
   *
   * @param connection One of this pool; where it has a reconnecting socket, that is replaced.
   * @param host Where to connect to. 1 to 255 characters.
   * @param port 1 to 65,535.
   * @param options As for `ReconnectingSocket`, with `byHand` for {@link processReconnects}.
   * @returns Also as `connection.reconnect`; `connect()` of it connects at once.
   * @throws TypeError, RangeError when an argument is wrong; `PoolError` (`ERR_SOCK_NOT_POOLED`).
   */
  enableReconnect(
    connection: Connection<Data, S>,
    host: string,
    port: number,
    options?: ReconnectOptions,
  ): ReconnectingSocket {
    const { entry } = this.#holdingOf(connection);
    return this.#comebacks.enable(entry, host, port, options);
  }

  /**
   * The connection comes back no more. A socket that came of its reconnecting is closed, and with
   * it the connection removed; any other stays.
   *
   * @throws `PoolError` (`ERR_SOCK_NOT_POOLED`).
   */
  disableReconnect(connection: Connection<Data, S>): void {
    this.#comebacks.disable(this.#holdingOf(connection).entry);
  }

  /** For those with `byHand`: whatever is to be done now. It never waits. */
  processReconnects(): void {
    this.#comebacks.process();
  }

  /** Milliseconds until {@link processReconnects} has something to do; `Infinity` for never. */
  reconnectTimeoutMs(): number {
    return this.#comebacks.timeoutMs();
  }

  /**
   * Takes nobody in any more, aborts {@link signal}, and waits until the last connection has left.
   * Then the pool is closed.
   *
   * @param options `timeout` (ms; default none) and `signal`. After either, what is left is closed.
   * @returns How many connections had to be cut off: 0 as a rule. Calling it again waits as well.
   */
  async drain(options?: OperationOptions): Promise<number> {
    const limits = checkLimits(options);
    this.#stopping.abort();
    try {
      if (this.#holdings.size > 0) await this.#leaving.wait(limits, 'the drain');
    } catch {
      // What is left is cut off.
    }
    const cut = this.#holdings.size;
    this.close();
    return cut;
  }

  /**
   * Removes all connections, and closes them. Again: does nothing.
   *
   * @param options.keepSockets `true`: lets go of the sockets without closing them, as
   * {@link remove} does. Default `false`.
   */
  close(options?: { keepSockets?: boolean | undefined }): void {
    const { keepSockets = false } = checkOptions<{ keepSockets: boolean }>(options, [
      'keepSockets',
    ]);
    if (this.#closed) return;
    this.#closed = true;
    this.#stopping.abort();
    this.#sweeper.stop();
    for (const socket of [...this.#holdings.keys()])
      this.#leave(socket, 'pool-closed', !keepSockets);
    this.#buffers.clear();
  }

  /** {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** {@link drain} without a limit, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  get #isFull(): boolean {
    return this.#holdings.size + this.#reserved >= this.#max;
  }

  #refusal(): RejectReason | null {
    if (this.#stopping.signal.aborted) return 'draining';
    return this.#isFull ? 'full' : null;
  }

  #reject(socket: S, reason: RejectReason): void {
    this.#tally.reject(reason);
    tellRejected(socket.remoteAddress, this.#holdings.size, reason);
  }

  #enter(socket: S): Connection<Data, S> {
    const entry = new Entry<S>(this.#owner, socket);
    entry.onClosed = () => this.#onClosed(entry);
    const connection = new Connection<Data, S>(entry);
    this.#holdings.set(socket, { entry, connection });
    whenClosed(socket, entry.onClosed);
    this.#sweeper.start();
    this.#tally.added++;
    tellAdded(entry.remoteAddress, this.#holdings.size);
    return connection;
  }

  readonly #owner = {
    now: (): number => this.#clock.now(),
    takeBuffers: (): Buffers => this.#takeBuffers(),
  };

  #takeBuffers(): Buffers {
    const spare = this.#buffers.takeSpare();
    if (spare === null) return this.#buffers.make();
    this.#tally.reused++;
    countReused();
    return spare;
  }

  /** The one way out. */
  #leave(socket: S, reason: RemoveReason, closes: boolean): boolean {
    const holding = this.#holdings.get(socket);
    if (holding === undefined) return false;
    const { entry } = holding;
    this.#holdings.delete(socket);
    notWhenClosed(socket, entry.onClosed);
    const buffers = entry.leave();
    if (buffers !== null) this.#giveBack(buffers);
    this.#comebacks.disable(entry);
    if (closes) closeQuietly(socket);
    this.#tally.remove(reason);
    tellRemoved(entry.remoteAddress, this.#holdings.size, reason);
    if (this.#holdings.size === 0) {
      this.#sweeper.stop();
      this.#leaving.resolve();
    }
    return true;
  }

  #giveBack(buffers: Buffers): void {
    this.#buffers.giveBack(buffers);
    this.#buffers.trim(this.#max - this.#holdings.size);
  }

  /** Its socket was closed: the connection comes back, or is over. */
  #onClosed(entry: Entry<S>): void {
    if (entry.link === null) this.#leave(entry.socket, 'closed', false);
    else this.#comebacks.lost(entry);
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

  #holdingOf(connection: Connection<Data, S>): Holding<Data, S> {
    const holding = connection instanceof Connection && this.#holdings.get(connection.socket);
    if (holding && holding.connection === connection) return holding;
    throw new PoolError('the connection is not in this pool', { code: 'ERR_SOCK_NOT_POOLED' });
  }

  /** Closes what is idle for more than that. */
  #sweep(idleMs: number): number {
    const nowMs = this.#clock.now();
    let closed = 0;
    for (const [socket, { entry }] of [...this.#holdings]) {
      // One of another's making, which does not tell.
      if (socket.fd < 0 && entry.link === null) this.#leave(socket, 'closed', false);
      entry.look();
      if (!entry.isActive || nowMs - entry.lastActivityMs <= idleMs) continue;
      this.#leave(socket, 'idle', true);
      closed++;
    }
    return closed;
  }

  #closeOldest(surplus: number): void {
    const holdings = [...this.#holdings.values()];
    for (const { entry } of holdings) entry.look();
    holdings.sort((one, other) => one.entry.lastActivityMs - other.entry.lastActivityMs);
    for (const { entry } of holdings.slice(0, surplus)) this.#leave(entry.socket, 'resize', true);
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError('the pool is closed');
  }

  #checkRunning(): void {
    this.#checkOpen();
    if (this.#stopping.signal.aborted) throw closedError('the pool drains');
  }
}

function connectByCore<S>(host: string, port: number, options: OperationOptions): Promise<S> {
  // Whoever has a pool of other sockets says how these are made.
  return connect({ host, port, ...options }) as Promise<unknown> as Promise<S>;
}

/** A stream of somebody's own making may throw; the pool is done with it all the same. */
function closeQuietly(socket: PooledSocket): void {
  try {
    socket.close();
  } catch {}
}

function checkPercent(value: unknown): void {
  if (typeof value !== 'number') throw invalidType('percent', 'a number', value);
  if (!(value >= 0 && value <= 100)) throw outOfRange('percent', '>= 0 and <= 100', value);
}

function closedError(message: string): PoolError {
  return new PoolError(message, { code: 'ERR_SOCK_CLOSED' });
}

function fullError(): PoolError {
  return new PoolError('every place of the pool is taken', { code: 'ERR_SOCK_POOL_FULL' });
}
