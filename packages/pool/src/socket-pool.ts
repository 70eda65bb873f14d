import {
  connect,
  type OperationOptions,
  type ResolverLike,
  Socket,
  type SyncOptions,
} from '@sock/core';
import {
  checkFunction,
  checkHost,
  checkInteger,
  checkOptions,
  checkPort,
  checkTime,
  checkTimeout,
  invalidType,
  invalidValue,
  outOfRange,
} from '@sock/native';
import {
  checkLimits,
  type ReconnectingSocket,
  type ReconnectOptions,
  type ReconnectPolicy,
} from '@sock/reconnect';
import type { PrefixLimits } from './admission.js';
import { CidrList } from './cidr-list.js';
import type { Connection } from './connection.js';
import { type ConnectionSource, checkSource, Intake } from './intake.js';
import { checkLimiterOptions, type LimiterOptions } from './limiter-options.js';
import { checkStore, type LimiterStore } from './limiter-store.js';
import { checkIp } from './network-key.js';
import {
  checkBufferSize,
  checkMaxConnections,
  checkPoolOptions,
  type SocketPoolOptions,
} from './pool-options.js';
import type { SocketPoolStats } from './pool-stats.js';
import { checkSocket, type PooledSocket } from './pooled-socket.js';
import { closedError, fullError, Roster } from './roster.js';
import { StoreLimits } from './store-limits.js';

/** A name looked up, and a socket that can connect to what was found. */
export interface PreparedConnection {
  /** Of the family of the first address; not connected. */
  readonly socket: Socket;
  /** For `socket.connectTo`: those of the socket's family. */
  readonly addresses: Awaited<ReturnType<ResolverLike['resolve']>>;
}

/** What {@link SocketPool.getConnectionRate} tells. */
export interface ConnectionRate {
  /** Connections per second that come in on average; `Infinity` without a limit. */
  readonly perSecond: number;
  /** How many come in at once after a pause; `Infinity` without a limit. */
  readonly burst: number;
}

/** The limits of {@link SocketPool.connect}, and what makes the connection. */
export interface PoolConnectOptions<S extends PooledSocket = Socket> extends OperationOptions {
  /** Makes the connection. Default: `connect` of `@sock/core`. */
  connect?: ((host: string, port: number, options: OperationOptions) => Promise<S>) | undefined;
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
  readonly #roster: Roster<Data, S>;
  readonly #intake: Intake<Data, S>;

  /**
   * No memory is taken before it is used, or {@link prewarm} asks for it.
   *
   * @param options At least `maxConnections`.
   * @throws TypeError, RangeError when one is wrong.
   */
  constructor(options: SocketPoolOptions) {
    this.#roster = new Roster(checkPoolOptions(options));
    this.#intake = new Intake(this.#roster);
  }

  /** How many connections there are. */
  get count(): number {
    return this.#roster.count;
  }

  /** The most that there may be; {@link resize} changes it. */
  get maxConnections(): number {
    return this.#roster.max;
  }

  /** Bytes of the buffers that are made from now on; {@link setBufferSize} changes it. */
  get bufferSize(): number {
    return this.#roster.buffers.size;
  }

  /** Aborted when the pool drains or closes: the sign for whoever serves a connection to end it. */
  get signal(): AbortSignal {
    return this.#roster.stop;
  }

  /** What there is, and what has happened so far. A new object at each look. */
  get stats(): SocketPoolStats {
    const { tally, count, max, buffers, admission } = this.#roster;
    return tally.stats(count, max, buffers.spare, admission.store?.stats ?? null);
  }

  /**
   * Takes a socket in.
   *
   * @param socket A connected stream. From now on it is the pool's to close, until {@link remove}.
   * @returns Its connection; the same one again where the socket is in the pool already, which
   * counts as a use of it. `null` where it is refused, and stays the caller's: every place is
   * taken, the pool drains, or a limit is reached. `stats.rejected` and the channel
   * `sock:pool:reject` tell why.
   * @throws TypeError when it is no stream; `PoolError` (`ERR_SOCK_CLOSED`) when the socket, or the
   * pool, is closed.
   */
  add(socket: S): Connection<Data, S> | null {
    checkSocket<S>(socket);
    this.#roster.checkOpen();
    const known = this.#roster.use(socket);
    if (known !== null) return known;
    if (socket.fd < 0) throw closedError('the socket is closed');
    return this.#roster.admit(socket);
  }

  /**
   * Lets go of a socket, without closing it: it is the caller's again. Its buffers are overwritten
   * with zeros and handed on. Where the connection comes back ({@link enableReconnect}), that is
   * over, and a socket that came of it is closed.
   *
   * @returns Whether it was in the pool.
   */
  remove(socket: S): boolean {
    return this.#roster.leave(socket, 'removed', false);
  }

  /** The connection of a socket, or `null` when it is not in the pool. Counts as a use of it. */
  get(socket: S): Connection<Data, S> | null {
    return this.#roster.use(socket);
  }

  /** Whether the socket is in the pool. Does not count as a use. */
  has(socket: S): boolean {
    return this.#roster.has(socket);
  }

  /** The connections, in the order in which they came; adding and removing meanwhile is fine. */
  [Symbol.iterator](): IterableIterator<Connection<Data, S>> {
    return this.#roster.connections();
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
    return this.#roster.sweep(idleMs === 0 ? Number.NEGATIVE_INFINITY : idleMs);
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
    this.#roster.checkOpen();
    return this.#roster.resize(maxConnections);
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
    this.#roster.checkOpen();
    const { max, count, buffers } = this.#roster;
    return buffers.fillUp(Math.min(Math.floor((max * percent) / 100), max - count));
  }

  /**
   * Changes the size of buffers that are made from now on; those in use stay as they are.
   *
   * @param size Bytes of each, an integer from 512 to 1,048,576.
   * @throws TypeError, RangeError for a wrong argument.
   */
  setBufferSize(size: number): void {
    this.#roster.buffers.setSize(checkBufferSize('size', size));
  }

  /**
   * Waits for a connection that may come in, and takes it in. Others are closed at once, and it
   * waits on. While every place is taken nothing is accepted: who comes then waits in the backlog.
   *
   * @param server A listening socket, or a `TlsListener`.
   * @param options `timeout` (ms; default none) and `signal`.
   *
   * Rejects with `PoolError` (`ERR_SOCK_CLOSED`) when the pool is closed or drains,
   * `TimeoutError`, `AbortError`, and with what accepting fails with.
   * @throws TypeError, RangeError when an argument is wrong.
   * @example
   * ```ts
   * for (;;) void talk(await pool.acceptLimited(listener));
   * ```
   */
  acceptLimited(
    server: ConnectionSource<S>,
    options?: OperationOptions,
  ): Promise<Connection<Data, S>> {
    return this.#intake.accept(checkSource(server), checkLimits(options));
  }

  /**
   * Blocks this thread's event loop: {@link acceptLimited}. Throws `PoolError`
   * (`ERR_SOCK_POOL_FULL`) when every place is taken, since none becomes free meanwhile.
   */
  acceptLimitedSync(server: ConnectionSource<S>, options?: SyncOptions): Connection<Data, S> {
    const { timeout } = checkOptions<SyncOptions>(options, ['timeout']);
    return this.#intake.acceptSync(checkSource(server), checkTimeout(timeout));
  }

  /**
   * Takes in a connection that waits already, or returns `null`: none waits, every place is taken,
   * or it has closed 64 that may not come in, and gives others a turn. Throws what
   * {@link acceptLimited} rejects with.
   */
  tryAcceptLimited(server: ConnectionSource<S>): Connection<Data, S> | null {
    return this.#intake.acceptWaiting(checkSource(server), 1)[0] ?? null;
  }

  /**
   * Takes in connections that wait already, as {@link tryAcceptLimited} does one: as many as there
   * are places for, and up to `max`.
   *
   * @param server A listening socket.
   * @param max An integer from 1 to 65,536.
   * @returns Those that came in; none when none waits, or may.
   * @throws TypeError, RangeError for a wrong argument. What accepting fails with, where it is the
   * first that fails; those that were taken in before are in the pool.
   */
  acceptBatch(server: ConnectionSource<S>, max: number): Connection<Data, S>[] {
    checkInteger('max', max, 1, 65_536);
    return this.#intake.acceptWaiting(checkSource(server), max);
  }

  /**
   * Whether a connection from there would come in now. Counts nothing, and takes no token.
   *
   * @param ip A literal address; `undefined`: from a peer that has none.
   * @throws TypeError when it is no address.
   */
  acceptAllowed(ip?: string): boolean {
    const { stop, isFull, admission } = this.#roster;
    const address = ip === undefined ? undefined : checkIp('ip', ip);
    return !stop.aborted && !isFull && admission.refusalOf(address) === null;
  }

  /**
   * Limits how many connections come in per second, on every way in. Those beyond are refused.
   *
   * @param perSecond A number above 0, or `Infinity` for no limit. A limiter that the pool was made
   * with is configured, for all who share it; `Infinity` leaves it, and the pool goes without.
   * @param burst As for `RateLimiter`: an integer from 1. Default: what comes in a second.
   * @throws TypeError, RangeError for a wrong argument.
   */
  setConnectionRate(perSecond: number, burst?: number): void {
    this.#roster.admission.setRate(perSecond, burst);
  }

  /** The rate at which connections come in. */
  getConnectionRate(): ConnectionRate {
    const { limiter } = this.#roster.admission;
    const none = Number.POSITIVE_INFINITY;
    return { perSecond: limiter?.rate ?? none, burst: limiter?.burst ?? none };
  }

  /**
   * Limits how many connections one address may have: see {@link IpTracker}. Those that are there
   * count, and stay where they are too many.
   *
   * @param max An integer from 1 to 2^31−1, or `Infinity` for no limit.
   * @throws TypeError, RangeError for a wrong argument.
   */
  setMaxPerIp(max: number): void {
    this.#roster.admission.perIp.max = max;
  }

  /** The most connections of one address; `Infinity` without a limit. */
  getMaxPerIp(): number {
    return this.#roster.admission.perIp.max;
  }

  /**
   * Limits how many connections whole networks may have, besides {@link setMaxPerIp}: against who
   * has many addresses. Replaces what was set before; those that are there count.
   *
   * @param limits By family; without one, that has none.
   * @throws TypeError, RangeError when one is wrong.
   * @example
   * ```ts
   * pool.setPrefixLimits({ ipv4: { prefix: 24, max: 100 }, ipv6: { prefix: 48, max: 100 } });
   * ```
   */
  setPrefixLimits(limits: PrefixLimits): void {
    this.#roster.admission.setPrefixLimits(limits, [...this.#roster.ips()]);
  }

  /**
   * The networks from which connections come in, as CIDR; empty, as it is at first: from all of
   * them. Otherwise peers without an address, on Unix sockets, do not come in either.
   */
  get allow(): readonly string[] {
    return this.#roster.admission.allow.cidrs;
  }

  /**
   * For those that come from then on. Throws TypeError, RangeError, naming the element, when one is
   * malformed; nothing has changed then.
   */
  set allow(cidrs: readonly string[]) {
    this.#roster.admission.allow = new CidrList('allow', cidrs);
  }

  /** The networks from which none comes in, {@link allow} or not; as that. */
  get deny(): readonly string[] {
    return this.#roster.admission.deny.cidrs;
  }

  /** As {@link allow}. */
  set deny(cidrs: readonly string[]) {
    this.#roster.admission.deny = new CidrList('deny', cidrs);
  }

  /**
   * Shares the limits with all processes that have the same store: the rate is the store's then,
   * its points in its duration for all together, and {@link setMaxPerIp} holds for all together.
   * What that guarantees is said at {@link LimiterStore}.
   *
   * While the store fails, or has not answered yet, the limits of this pool count alone, the rate
   * of {@link setConnectionRate} among them: `stats.limiter` counts that, and the channel
   * `sock:pool:log` tells when it begins and ends.
   *
   * @param store A limiter of `rate-limiter-flexible`, or what has its methods; it stays the
   * caller's to close, after {@link drain}. `null`: the limits are not shared any more. What a
   * former one has lent is handed back.
   * @param options How far ahead, and for how long.
   * @throws TypeError, RangeError when an argument is wrong; `PoolError` (`ERR_SOCK_CLOSED`).
   * @example
   * ```ts
   * pool.setLimiter(new RateLimiterRedis({ storeClient, points: 1_000, duration: 1 }));
   * pool.setMaxPerIp(10); // of all processes together
   * pool.setConnectionRate(250); // of this one, while the store is down
   * ```
   */
  setLimiter(store: LimiterStore | null, options?: LimiterOptions): void {
    this.#roster.checkOpen();
    const checked = checkLimiterOptions(options);
    const { clock } = this.#roster;
    const limits = store === null ? null : new StoreLimits(checkStore(store), checked, clock);
    this.#roster.setLimiter(limits);
  }

  /**
   * Counts a connection of an address that is not in the pool, unless it has as many as it may.
   * What is in the pool is counted and released by the pool.
   *
   * @returns Whether it may connect; then {@link releaseIp} takes it back.
   * @throws TypeError when it is no address.
   */
  trackIp(ip: string | undefined): boolean {
    return ip === undefined || this.#roster.admission.track(checkIp('ip', ip));
  }

  /** Takes back what {@link trackIp} has counted. */
  releaseIp(ip: string | undefined): void {
    if (ip !== undefined) this.#roster.admission.untrack(checkIp('ip', ip));
  }

  /** Connections of an address, and of those that count as the same. */
  ipCount(ip: string | undefined): number {
    return this.#roster.admission.perIp.count(ip);
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
    const roster = this.#roster;
    roster.checkRunning();
    if (roster.isFull) throw fullError();
    roster.reserved++;
    try {
      const { stop } = roster;
      const either = signal === undefined ? stop : AbortSignal.any([signal, stop]);
      const socket = (await make(host, port, { ...rest, signal: either })) as S;
      if (stop.aborted) socket.close();
      else return roster.enter(socket);
    } catch (error) {
      if (signal?.aborted || !roster.stop.aborted) throw error;
    } finally {
      roster.reserved--;
      if (!roster.isFull) roster.room.resolve();
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
    this.#roster.comebacks.setPolicy(policy);
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
    const entry = this.#roster.entryOf(connection);
    return this.#roster.comebacks.enable(entry, host, port, options);
  }

  /**
   * The connection comes back no more. A socket that came of its reconnecting is closed, and with
   * it the connection removed; any other stays.
   *
   * @throws `PoolError` (`ERR_SOCK_NOT_POOLED`).
   */
  disableReconnect(connection: Connection<Data, S>): void {
    this.#roster.comebacks.disable(this.#roster.entryOf(connection));
  }

  /** For those with `byHand`: whatever is to be done now. It never waits. */
  processReconnects(): void {
    this.#roster.comebacks.process();
  }

  /** Milliseconds until {@link processReconnects} has something to do; `Infinity` for never. */
  reconnectTimeoutMs(): number {
    return this.#roster.comebacks.timeoutMs();
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
    const roster = this.#roster;
    roster.stopTaking();
    try {
      if (roster.count > 0) await roster.leaving.wait(limits, 'the drain');
    } catch {
      // What is left is cut off.
    }
    const cut = roster.count;
    this.close();
    await roster.admission.store?.close();
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
    this.#roster.close(keepSockets);
  }

  /** {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** {@link drain} without a limit, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }
}

function connectByCore<S>(host: string, port: number, options: OperationOptions): Promise<S> {
  // Whoever has a pool of other sockets says how these are made.
  return connect({ host, port, ...options }) as Promise<unknown> as Promise<S>;
}

function checkPercent(value: unknown): void {
  if (typeof value !== 'number') throw invalidType('percent', 'a number', value);
  if (!(value >= 0 && value <= 100)) throw outOfRange('percent', '>= 0 and <= 100', value);
}
