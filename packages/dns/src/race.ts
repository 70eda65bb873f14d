/**
 * Happy Eyeballs, version 2 (RFC 8305), apart from how names are looked up and connections made.
 *
 * Theory of operation. Addresses come from two lookups into one list of the untried. An attempt is
 * started when the list has something and either nothing runs, or one has just failed, or the last
 * one was started a whole delay ago. The first to connect wins and ends everything else. It fails
 * when nothing runs, nothing is untried, and no lookup can bring more.
 */
import { AbortError, HappyEyeballsError, SocketError, TimeoutError } from '@sock/core';
import type { Clock } from './clock.js';
import type { Family } from './hostname.js';
import { familyOf, interleave } from './interleave.js';

export interface RaceConfig {
  /** How long after an attempt began the next one is, for the address it went to. */
  readonly delayMs: (address: string) => number;
  readonly attemptTimeoutMs: number;
  readonly totalTimeoutMs: number;
  readonly resolutionDelayMs: number;
  readonly first: Family | undefined;
  readonly firstFamilyCount: number;
  readonly attemptsMax: number;
}

/** Ends a lookup; what it still brings is of use to later races when this one is won. */
export type EndLookup = (isWon: boolean) => void;

/**
 * What a race is run in. Nothing settles within the call that begins it, nor once the function that
 * this returned was called, which must leave nothing behind.
 */
export interface RaceWorld<S> {
  readonly clock: Clock;
  lookUp(
    family: Family,
    found: (addresses: readonly string[]) => void,
    notFound: (error: Error) => void,
  ): EndLookup;
  sort(addresses: readonly string[]): readonly string[];
  attempt(
    address: string,
    connected: (connection: S) => void,
    failed: (error: Error) => void,
  ): () => void;
  /** Each step, as it is noted. */
  tell?(event: RaceEvent): void;
}

/** One step of a race. */
export interface RaceEvent {
  /** Milliseconds since the race began. */
  readonly at: number;
  /**
   * `'lookup'`: a family is asked for. `'found'`, `'notFound'`: what came. `'attempt'`: an address
   * is tried. `'failed'`: it failed. `'won'`: it connected, first. `'lost'`: it was called off.
   */
  readonly type: 'lookup' | 'found' | 'notFound' | 'attempt' | 'failed' | 'won' | 'lost';
  /** What is asked for, or the family of the address. */
  readonly family: 'ipv4' | 'ipv6';
  /** With `'attempt'` and what becomes of it. */
  readonly address?: string;
  /** With `'found'`, as the lookup gave them. */
  readonly addresses?: readonly string[];
  /** With `'notFound'` and `'failed'`: why. */
  readonly error?: Error;
}

interface Running {
  readonly address: string;
  cancel: () => void;
  timer: unknown;
}

const codeOf = (error: Error | undefined): string | undefined =>
  error instanceof SocketError ? error.code : undefined;

export class Race<S> {
  readonly trace: RaceEvent[] = [];
  private readonly lookups = new Map<Family, EndLookup>();
  private readonly startMs: number;
  private readonly running = new Set<Running>();
  private readonly tried: string[] = [];
  private readonly attemptErrors: Error[] = [];
  private readonly lookupErrors: Error[] = [];
  private known: readonly string[] = [];
  private untried: readonly string[] = [];
  private hasBegun = false;
  private isOver = false;
  private lastStartMs = 0;
  private nextTimer: unknown;
  private resolutionTimer: unknown;
  private totalTimer: unknown;
  private onAbort: (() => void) | undefined;
  private won: (connection: S) => void = () => {};
  private lost: (error: Error) => void = () => {};

  constructor(
    private readonly world: RaceWorld<S>,
    private readonly host: string,
    private readonly port: number,
    private readonly config: RaceConfig,
  ) {
    this.startMs = world.clock.now();
  }

  /** Whether an address was tried already. */
  get isConnecting(): boolean {
    return this.tried.length > 0;
  }

  /** Called once. One of the functions is called once, within the call if the signal says so. */
  run(
    signal: AbortSignal | undefined,
    won: (connection: S) => void,
    lost: (error: Error) => void,
  ): void {
    this.won = won;
    this.lost = lost;
    if (signal?.aborted) {
      this.lose(new AbortError(signal));
      return;
    }
    this.watch(signal);
    const { totalTimeoutMs } = this.config;
    if (totalTimeoutMs !== Number.POSITIVE_INFINITY) {
      this.totalTimer = this.world.clock.setTimeout(() => this.timeOut(), totalTimeoutMs);
    }
    // Section 3: AAAA first, A immediately after it.
    this.lookUp('ipv6');
    this.lookUp('ipv4');
  }

  /** Calls everything off, and tells nobody. */
  cancel(): void {
    if (!this.isOver) this.end(false);
  }

  private watch(signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    const onAbort = (): void => this.lose(new AbortError(signal));
    signal.addEventListener('abort', onAbort, { once: true });
    this.onAbort = () => signal.removeEventListener('abort', onAbort);
  }

  private lookUp(family: Family): void {
    this.note({ type: 'lookup', family });
    const cancel = this.world.lookUp(
      family,
      (addresses) => this.onFound(family, addresses),
      (error) => this.onNotFound(family, error),
    );
    this.lookups.set(family, cancel);
  }

  private onFound(family: Family, addresses: readonly string[]): void {
    this.note({ type: 'found', family, addresses });
    const { first, firstFamilyCount } = this.config;
    this.known = [...new Set([...this.known, ...addresses])];
    // With those that were tried already, so that the families go on taking turns.
    const order = interleave(this.world.sort(this.known), first, firstFamilyCount);
    this.untried = order.filter((address) => !this.tried.includes(address));
    this.onAnswer(family);
  }

  private onNotFound(family: Family, error: Error): void {
    this.note({ type: 'notFound', family, error });
    this.lookupErrors.push(error);
    this.onAnswer(family);
  }

  /** Section 3: the preferred family's answer starts the race; the other's waits a little. */
  private onAnswer(family: Family): void {
    this.lookups.delete(family);
    const isPreferred = family === (this.config.first ?? 'ipv6');
    const hasAny = this.untried.length > 0;
    if (this.hasBegun || this.lookups.size === 0 || (isPreferred && hasAny)) {
      this.begin();
    } else if (hasAny) {
      const { resolutionDelayMs } = this.config;
      this.resolutionTimer = this.world.clock.setTimeout(() => this.begin(), resolutionDelayMs);
    }
  }

  private begin(): void {
    this.world.clock.clearTimeout(this.resolutionTimer);
    this.hasBegun = true;
    this.schedule();
  }

  private get canStart(): boolean {
    return this.untried.length > 0 && this.tried.length < this.config.attemptsMax;
  }

  /** Starts the next attempt, now or when its time has come; or knows that it is all over. */
  private schedule(): void {
    const { clock } = this.world;
    clock.clearTimeout(this.nextTimer);
    if (this.isOver) return;
    if (this.running.size === 0) {
      if (this.canStart) this.startNext();
      else if (this.lookups.size === 0 || this.tried.length >= this.config.attemptsMax) this.fail();
      return;
    }
    if (!this.canStart) return;
    const delayMs = this.config.delayMs(this.tried.at(-1) as string);
    const leftMs = this.lastStartMs + delayMs - clock.now();
    this.nextTimer = clock.setTimeout(() => this.startNext(), Math.max(0, leftMs));
  }

  private startNext(): void {
    const [address, ...rest] = this.untried as [string, ...string[]];
    const { clock } = this.world;
    this.untried = rest;
    this.tried.push(address);
    this.lastStartMs = clock.now();
    this.note({ type: 'attempt', family: familyOf(address), address });
    const running: Running = { address, cancel: () => {}, timer: undefined };
    running.cancel = this.world.attempt(
      address,
      (connection) => this.onConnected(running, connection),
      (error) => this.onFailed(running, error),
    );
    this.running.add(running);
    const { attemptTimeoutMs } = this.config;
    if (attemptTimeoutMs !== Number.POSITIVE_INFINITY) {
      running.timer = clock.setTimeout(() => this.onSlow(running), attemptTimeoutMs);
    }
    this.schedule();
  }

  private onSlow(running: Running): void {
    const { address } = running;
    const { attemptTimeoutMs } = this.config;
    running.cancel();
    this.onFailed(
      running,
      new TimeoutError('connect', attemptTimeoutMs, { address, port: this.port }),
    );
  }

  /** Section 5: when an attempt fails, the next one does not wait. */
  private onFailed(running: Running, error: Error): void {
    this.leave(running);
    const { address } = running;
    this.attemptErrors.push(error);
    this.note({ type: 'failed', family: familyOf(address), address, error });
    if (this.canStart) this.startNext();
    else this.schedule();
  }

  private onConnected(running: Running, connection: S): void {
    this.leave(running);
    const { address } = running;
    this.note({ type: 'won', family: familyOf(address), address });
    this.end(true);
    this.won(connection);
  }

  private leave(running: Running): void {
    this.world.clock.clearTimeout(running.timer);
    this.running.delete(running);
  }

  private fail(): void {
    const errors = this.attemptErrors.length > 0 ? this.attemptErrors : this.lookupErrors;
    this.lose(this.failure(errors));
  }

  private failure(errors: readonly Error[]): HappyEyeballsError {
    const { host: hostname, port } = this;
    const last = errors.at(-1);
    const why = this.tried.length > 0 ? `all ${errors.length} attempts failed` : 'no address found';
    const message = `connect ${hostname} port ${port}: ${why}${last ? `; ${last.message}` : ''}`;
    return new HappyEyeballsError(message, { code: codeOf(last), port, hostname, errors });
  }

  private timeOut(): void {
    const errors = this.attemptErrors;
    const cause = errors.length > 0 ? this.failure(errors) : undefined;
    const details = { port: this.port, cause };
    this.lose(new TimeoutError(`connect ${this.host}`, this.config.totalTimeoutMs, details));
  }

  private lose(error: Error): void {
    if (this.isOver) return;
    this.end(false);
    this.lost(error);
  }

  /** Calls everything off that still goes on. */
  private end(isWon: boolean): void {
    const { clock } = this.world;
    this.isOver = true;
    for (const timer of [this.nextTimer, this.resolutionTimer, this.totalTimer]) {
      clock.clearTimeout(timer);
    }
    this.onAbort?.();
    for (const end of this.lookups.values()) end(isWon);
    for (const { address, cancel, timer } of this.running) {
      clock.clearTimeout(timer);
      this.note({ type: 'lost', family: familyOf(address), address });
      cancel();
    }
    this.running.clear();
  }

  private note(event: Omit<RaceEvent, 'at'>): void {
    const noted = { at: this.world.clock.now() - this.startMs, ...event };
    this.trace.push(noted);
    this.world.tell?.(noted);
  }
}
