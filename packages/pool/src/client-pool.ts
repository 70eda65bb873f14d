/**
 * Connections that are lent out.
 *
 * Theory of operation. Who asks is given the connection that came back last, or stands in line.
 * What is on its way, a dial or a check, is nobody's in particular: whoever is first in line when
 * it arrives has it, and if nobody is, it lies idle. So giving up on an acquire ends only a place
 * in the line. There is never more on its way than there are people in the line, nor more
 * connections than `max`. A dial that fails, at every address that is up, fails for who is first
 * in line then: each failure is told once.
 *
 * A connection that is closed, by whomever, is out of the pool at that moment: to give up one that
 * is lent out is to close it.
 */
import {
  AbortError,
  type OperationOptions,
  PoolError,
  type Socket,
  type StreamSocket,
} from '@sock/core';
import { checkFunction } from '@sock/native';
import { Alarm, checkLimits, type Limits, randomFraction, Waiters } from '@sock/reconnect';
import { AddressBook, type AddressStats, type Place } from './address-book.js';
import {
  type CheckedClientOptions,
  type ClientPoolOptions,
  checkClientOptions,
} from './client-options.js';
import { hasEnded } from './peer-end.js';
import { checkSocket, notWhenClosed, whenClosed } from './pooled-socket.js';
import { closedError, closeQuietly } from './roster.js';
import { Sweeper } from './sweeper.js';

/** A {@link ClientPool} in numbers. */
export interface ClientPoolStats {
  /** Connections that are open: lent out, idle, or being checked. */
  readonly open: number;
  /** Connections that nobody has at the moment. */
  readonly idle: number;
  /** Connections that are lent out. */
  readonly lent: number;
  /** Connections that are being made. */
  readonly dialing: number;
  /** Those who wait for one. */
  readonly waiting: number;
  /** Connections made since the pool was. */
  readonly created: number;
  /** Those of them that are gone. */
  readonly destroyed: number;
  /** Times that a connection was lent out. */
  readonly acquired: number;
  /** Dials that failed. */
  readonly failed: number;
  /** The addresses, in the order in which they were given. */
  readonly addresses: readonly AddressStats[];
}

/** What the pool knows of one connection. */
class Held<S> {
  state: 'idle' | 'lent' | 'checked' = 'idle';
  sinceMs: number;
  /** Where it was lent out, if anybody wants to know. */
  borrower: Error | null = null;
  onClosed: () => void = () => {};

  constructor(
    readonly socket: S,
    readonly place: Place,
    readonly endMs: number,
    nowMs: number,
  ) {
    this.sinceMs = nowMs;
  }
}

interface Waiter<S> {
  readonly borrower: Error | null;
  resolve(socket: S): void;
  reject(error: unknown): void;
}

/** The part of a lifetime that chance may take off. */
const lifetimeJitter = 0.1;
/** Lost connections of `min` are made again, and addresses looked at, so often at least. */
const lookAgainMs = 1_000;

/**
 * Connections to one service, made once and used by many, one after the other.
 *
 * @example
 * ```ts
 * await using pool = new ClientPool({ host: '127.0.0.1', port: 6379, max: 20 });
 * const reply = await pool.use(async (connection) => {
 *   await connection.sendAll('PING\r\n');
 *   return connection.recv();
 * });
 * ```
 */
export class ClientPool<S extends StreamSocket = Socket> {
  readonly #options: CheckedClientOptions<S>;
  readonly #addresses: AddressBook;
  readonly #held = new Map<S, Held<S>>();
  /** The one that came back last is at the end. */
  readonly #idle: Held<S>[] = [];
  readonly #line = new Set<Waiter<S>>();
  readonly #draining: Waiters<void>;
  readonly #sweeper: Sweeper;
  readonly #stopping = new AbortController();
  #dialing = 0;
  #checking = 0;
  #lent = 0;
  #isDraining = false;
  readonly #tally = { created: 0, destroyed: 0, acquired: 0, failed: 0 };

  /**
   * Connects at once where there is a `min`, otherwise when a connection is asked for.
   *
   * @param options At least a host and a port, or addresses.
   * @throws TypeError, RangeError when one is wrong.
   */
  constructor(options: ClientPoolOptions<S>) {
    const checked = checkClientOptions<S>(options);
    const { addresses, clock, random, idleMs, lifetimeMs, leakMs, min } = checked;
    this.#options = checked;
    this.#addresses = new AddressBook(addresses, clock, random);
    this.#draining = new Waiters(clock);
    const leastMs = Math.min(idleMs, lifetimeMs, leakMs, min > 0 ? 4 * lookAgainMs : idleMs);
    this.#sweeper = new Sweeper(clock, leastMs, () => this.#sweep());
    this.#fill();
    if (min > 0) this.#sweeper.start();
  }

  /** What there is now, and what has happened so far. A new object at each look. */
  get stats(): ClientPoolStats {
    return {
      open: this.#held.size,
      idle: this.#idle.length,
      lent: this.#lent,
      dialing: this.#dialing,
      waiting: this.#line.size,
      ...this.#tally,
      addresses: this.#addresses.stats,
    };
  }

  /**
   * Borrows a connection: one that is idle, else one that is made or given back. Who asks first is
   * served first.
   *
   * @param options `signal`, and `timeout` (ms; default `acquireTimeout`). Either ends the wait,
   * not the dial: what comes of that is for the next.
   * @returns The connection, until {@link release}. To give up one that is not to be used again,
   * close it.
   *
   * Rejects with `PoolError`: `ERR_SOCK_POOL_FULL` when `maxWaiting` wait already,
   * `ERR_SOCK_CLOSED` when the pool is closed, also meanwhile, or drains; `TimeoutError`,
   * `AbortError`; or with what connecting failed with, at the last of the addresses that are up.
   * @throws TypeError, RangeError for a wrong argument.
   */
  acquire(options?: OperationOptions): Promise<S> {
    const limits = this.#limitsOf(options);
    if (this.#isDraining) return Promise.reject(this.#refusal());
    if (limits.signal?.aborted) return Promise.reject(new AbortError(limits.signal));
    if (this.#line.size === 0) {
      const ready = this.#takeReady();
      if (ready !== null) return Promise.resolve(this.#lend(ready, this.#borrower()));
    }
    if (this.#line.size >= this.#options.waitingMax && !this.#canServe) {
      const message = `${this.#line.size} wait for a connection already`;
      return Promise.reject(new PoolError(message, { code: 'ERR_SOCK_POOL_FULL' }));
    }
    return this.#wait(limits);
  }

  /**
   * Gives a connection back. It must have been read to the end of what was asked for: the next
   * borrower would find the rest.
   *
   * @param connection What {@link acquire} gave; one that was closed meanwhile is fine.
   * @throws `PoolError` (`ERR_SOCK_NOT_POOLED`) when it is open and not lent out by this pool.
   */
  release(connection: S): void {
    const held = this.#held.get(connection);
    if (held === undefined && connection?.fd < 0) return;
    if (held?.state !== 'lent') {
      const message = 'the connection is not lent out by this pool';
      throw new PoolError(message, { code: 'ERR_SOCK_NOT_POOLED' });
    }
    this.#lent--;
    held.borrower = null;
    held.state = 'idle';
    const isGone = this.#isSpent(held) || (this.#line.size > 0 && hasEnded(held.socket));
    if (isGone) this.#discard(held);
    else this.#offer(held);
    this.#fill();
    this.#tellDrained();
  }

  /**
   * Borrows a connection for a function, and gives it back when that is done. Where the function
   * throws or rejects, the connection is closed instead: nobody knows what is still in it.
   *
   * @param fn What is done with it; its result is what this resolves with.
   * @param options As for {@link acquire}.
   *
   * Rejects as {@link acquire} does, and with what the function throws.
   * @throws TypeError, RangeError for a wrong argument.
   */
  async use<T>(fn: (connection: S) => T | Promise<T>, options?: OperationOptions): Promise<T> {
    checkFunction('fn', fn);
    const connection = await this.acquire(options);
    try {
      const result = await fn(connection);
      this.release(connection);
      return result;
    } catch (error) {
      closeQuietly(connection);
      throw error;
    }
  }

  /**
   * Lends nothing more to newcomers, closes what is idle, and waits until those in line are served
   * and what is lent out is back. Then the pool is closed.
   *
   * @param options `timeout` (ms; default none) and `signal`. After either, what is left is closed.
   * @returns How many connections were still lent out: 0 as a rule. Calling it again waits as well.
   */
  async drain(options?: OperationOptions): Promise<number> {
    const limits = checkLimits(options);
    this.#isDraining = true;
    for (const held of [...this.#idle]) this.#discard(held);
    try {
      if (!this.#isDrained) await this.#draining.wait(limits, 'the drain');
    } catch {
      // What is left is cut off.
    }
    const cut = this.#lent;
    this.close();
    return cut;
  }

  /**
   * Closes all connections, those that are lent out included; those in line are rejected with
   * `ERR_SOCK_CLOSED`. Again: does nothing.
   */
  close(): void {
    if (this.#stopping.signal.aborted) return;
    this.#isDraining = true;
    this.#stopping.abort();
    this.#sweeper.stop();
    for (const waiter of this.#line) waiter.reject(this.#refusal());
    for (const held of [...this.#held.values()]) this.#discard(held);
    this.#tellDrained();
  }

  /** {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** {@link drain} without a limit, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  get #total(): number {
    return this.#held.size + this.#dialing;
  }

  /** Whether one more in line would have something on its way for him. */
  get #canServe(): boolean {
    return this.#total < this.#options.max || this.#checking + this.#dialing > this.#line.size;
  }

  get #isDrained(): boolean {
    return this.#lent === 0 && this.#line.size === 0;
  }

  #refusal(): PoolError {
    return closedError(`the pool ${this.#stopping.signal.aborted ? 'is closed' : 'drains'}`);
  }

  #limitsOf(options: OperationOptions | undefined): Limits {
    const { signal, timeoutMs } = checkLimits(options);
    const isGiven = options?.timeout !== undefined;
    return { signal, timeoutMs: isGiven ? timeoutMs : this.#options.acquireMs };
  }

  /** Above the caller of `acquire`. */
  #borrower(): Error | null {
    return this.#options.leakMs === Number.POSITIVE_INFINITY ? null : new Error('borrowed here');
  }

  #wait(limits: Limits): Promise<S> {
    const borrower = this.#borrower();
    return new Promise((resolve, reject) => {
      const alarm = new Alarm(this.#options.clock, limits, 'acquire', (error) =>
        waiter.reject(error),
      );
      const leave = (): void => {
        this.#line.delete(waiter);
        alarm.disarm();
      };
      const waiter: Waiter<S> = {
        borrower,
        resolve: (socket) => {
          leave();
          resolve(socket);
        },
        reject: (error) => {
          leave();
          reject(error);
          this.#tellDrained();
        },
      };
      this.#line.add(waiter);
      this.#fill();
    });
  }

  /** An idle connection that is good without asking anybody; the bad ones on the way go. */
  #takeReady(): Held<S> | null {
    if (this.#options.validate !== undefined) return null;
    return this.#takeIdle();
  }

  #takeIdle(): Held<S> | null {
    for (let held = this.#idle.pop(); held !== undefined; held = this.#idle.pop()) {
      if (!this.#isSpent(held) && !hasEnded(held.socket)) return held;
      this.#discard(held);
    }
    return null;
  }

  /** As many are put on their way as stand in line, and as there have to be. */
  #fill(): void {
    while (this.#checking + this.#dialing < this.#line.size) {
      const held = this.#takeIdle();
      if (held !== null) this.#check(held);
      else if (this.#total < this.#options.max) void this.#dial();
      else return;
    }
    if (this.#isDraining) return;
    while (this.#total < this.#options.min && this.#addresses.isUp) void this.#dial();
  }

  /** To the first in line, or it lies idle. */
  #offer(held: Held<S>): void {
    const [waiter] = this.#line;
    if (waiter !== undefined) {
      // What was lent out a moment ago is checked like any other.
      if (this.#options.validate !== undefined && held.state === 'idle') this.#check(held);
      else waiter.resolve(this.#lend(held, waiter.borrower));
      return;
    }
    if (this.#isDraining) {
      this.#discard(held);
      return;
    }
    held.state = 'idle';
    held.sinceMs = this.#options.clock.now();
    this.#idle.push(held);
    this.#sweeper.start();
  }

  #lend(held: Held<S>, borrower: Error | null): S {
    held.state = 'lent';
    held.sinceMs = this.#options.clock.now();
    held.borrower = borrower;
    this.#lent++;
    this.#tally.acquired++;
    if (borrower !== null) this.#sweeper.start();
    return held.socket;
  }

  #check(held: Held<S>): void {
    const { validate } = this.#options;
    held.state = 'checked';
    if (validate === undefined) {
      this.#offer(held);
      return;
    }
    this.#checking++;
    const conclude = (isGood: boolean): void => {
      this.#checking--;
      if (this.#held.has(held.socket)) {
        if (isGood === true) this.#offer(held);
        else this.#discard(held);
      }
      this.#fill();
    };
    new Promise<boolean>((resolve) => resolve(validate(held.socket))).then(conclude, () =>
      conclude(false),
    );
  }

  /** One more connection, from whichever address has one. */
  async #dial(): Promise<void> {
    this.#dialing++;
    const tried = new Set<Place>();
    let failure: unknown;
    for (let place = this.#addresses.choose(tried); place !== null; ) {
      place.connections++;
      try {
        const socket = await this.#connect(place);
        this.#dialing--;
        this.#arrive(socket, place);
        return;
      } catch (error) {
        place.connections--;
        failure = error;
        if (this.#stopping.signal.aborted) break;
        this.#addresses.failed(place);
        this.#tally.failed++;
      }
      tried.add(place);
      place = this.#addresses.choose(tried);
    }
    this.#dialing--;
    const [waiter] = this.#line;
    waiter?.reject(failure);
    this.#fill();
  }

  async #connect({ host, port }: Place): Promise<S> {
    return checkSocket<S>(
      await this.#options.connect(host, port, { signal: this.#stopping.signal }),
    );
  }

  #arrive(socket: S, place: Place): void {
    this.#addresses.succeeded(place);
    this.#tally.created++;
    const { clock, lifetimeMs, random = randomFraction } = this.#options;
    const nowMs = clock.now();
    const endMs = nowMs + lifetimeMs * (1 - lifetimeJitter * random());
    const held = new Held(socket, place, endMs, nowMs);
    held.state = 'checked';
    held.onClosed = () => this.#onClosed(held);
    this.#held.set(socket, held);
    whenClosed(socket, held.onClosed);
    // Who was waiting for it may have found another, and the pool its end.
    if (this.#stopping.signal.aborted) this.#discard(held);
    else this.#offer(held);
    this.#fill();
  }

  /** Closed by its borrower, or by anybody else. */
  #onClosed(held: Held<S>): void {
    this.#forget(held);
    this.#fill();
    this.#tellDrained();
  }

  #discard(held: Held<S>): void {
    this.#forget(held);
    closeQuietly(held.socket);
  }

  #forget(held: Held<S>): void {
    if (!this.#held.delete(held.socket)) return;
    notWhenClosed(held.socket, held.onClosed);
    if (held.state === 'lent') this.#lent--;
    const index = this.#idle.indexOf(held);
    if (index >= 0) this.#idle.splice(index, 1);
    held.place.connections--;
    this.#tally.destroyed++;
  }

  #isSpent(held: Held<S>): boolean {
    return held.socket.fd < 0 || this.#options.clock.now() >= held.endMs;
  }

  #sweep(): void {
    const nowMs = this.#options.clock.now();
    const { idleMs, leakMs, min } = this.#options;
    // The one at the front has been idle for longest.
    for (const held of [...this.#idle]) {
      const isUnneeded = nowMs - held.sinceMs >= idleMs && this.#total > min;
      if (isUnneeded || this.#isSpent(held) || hasEnded(held.socket)) this.#discard(held);
    }
    for (const held of this.#held.values()) {
      if (held.borrower !== null && nowMs - held.sinceMs >= leakMs)
        warnOfLeak(held.borrower, leakMs);
      else continue;
      held.borrower = null;
    }
    this.#fill();
    if (this.#held.size === 0 && min === 0) this.#sweeper.stop();
  }

  #tellDrained(): void {
    if (this.#isDraining && this.#isDrained) this.#draining.resolve();
  }
}

function warnOfLeak({ stack }: Error, leakMs: number): void {
  const message = `A connection of a pool was not given back within ${leakMs} ms`;
  process.emitWarning(message, { code: 'SOCK_POOL_LEAK', detail: stack ?? '' });
}
