/** Limits that a pool has in common with others, through a store. */
import type { TimerClock } from '@sock/reconnect';
import { CountLeases } from './count-leases.js';
import type { CheckedLimiterOptions } from './limiter-options.js';
import type { LimiterStore } from './limiter-store.js';
import { RateLease } from './rate-lease.js';
import { StoreCalls } from './store-calls.js';
import { StoreEpochs } from './store-epochs.js';

/** What a pool has of a store of limits: see {@link SocketPool.setLimiter}. */
export interface LimiterStats {
  /**
   * `'up'`: the store is asked; `'starting'`: it has not answered yet; `'down'`: its last call has
   * failed, and no other has succeeded since. In both of these the local limits count.
   */
  readonly state: 'starting' | 'up' | 'down';
  /** Times that it went down. */
  readonly outages: number;
  /** Calls to it. */
  readonly calls: number;
  /** Those of them that failed, or took too long. */
  readonly failures: number;
  /** Connections that were let in or refused while it was not up. */
  readonly localDecisions: number;
  /** Tokens that are left of the lease. */
  readonly tokens: number;
  /** Addresses of which the store has been told, or is to be. */
  readonly addresses: number;
}

export class StoreLimits {
  localDecisions = 0;
  readonly #leasesRate: boolean;
  readonly #calls: StoreCalls;
  readonly #epochs: StoreEpochs;
  readonly #rate: RateLease;
  readonly #counts: CountLeases;
  #closing: Promise<void> | null = null;

  constructor(store: LimiterStore, options: CheckedLimiterOptions, clock: TimerClock) {
    const { leasesRate, lifetimeMs, timeoutMs, lease } = options;
    this.#leasesRate = leasesRate;
    this.#calls = new StoreCalls(store, timeoutMs, clock);
    this.#rate = new RateLease(this.#calls, clock, timeoutMs, store.points, lease);
    this.#epochs = new StoreEpochs(this.#calls, clock, lifetimeMs);
    this.#counts = new CountLeases(this.#calls, this.#epochs, clock, options);
    this.#epochs.onTurn = () => this.#counts.renew();
    this.#calls.onUp = () => {
      if (this.#leasesRate) this.#rate.renew();
      this.#epochs.look();
      this.#counts.renew();
    };
    this.#calls.onDown = () => {
      this.#rate.isKnown = false;
      this.#epochs.forget();
      this.#counts.abandon();
    };
    this.#calls.probe();
  }

  get isUp(): boolean {
    return this.#calls.isUp;
  }

  get stats(): LimiterStats {
    const { state, tally } = this.#calls;
    return {
      state,
      ...tally,
      localDecisions: this.localDecisions,
      tokens: this.#rate.tokens,
      addresses: this.#counts.size,
    };
  }

  /** A token, or none; null: the rate is not the store's to limit, or not now. */
  takeToken(): boolean | null {
    return this.#isRateShared ? this.#rate.take() : null;
  }

  /** As {@link takeToken} would find, taking nothing; where there is none, more are asked for. */
  hasToken(): boolean | null {
    if (!this.#isRateShared) return null;
    if (this.#rate.tokens === 0) this.#rate.renew();
    return this.#rate.tokens > 0;
  }

  /** Counts one more of a network, where it has room. */
  enter(network: string, max: number): boolean {
    if (!this.hasRoom(network, max)) return false;
    this.#counts.add(network);
    return true;
  }

  /** Counts one that is there. */
  add(network: string): void {
    this.#counts.add(network);
  }

  leave(network: string): void {
    this.#counts.subtract(network);
  }

  get #isRateShared(): boolean {
    return this.#leasesRate && this.isUp && this.#rate.isKnown;
  }

  /** Whether there is room for one more of a network; where there is none, the store is asked. */
  hasRoom(network: string, max: number): boolean {
    // Without a limit, or with nothing known, there is nothing to be full.
    if (max === Number.POSITIVE_INFINITY || !this.isUp || this.#epochs.epoch === null) return true;
    if (this.#counts.hasRoom(network, max)) return true;
    this.#counts.doubt(network);
    return false;
  }

  /** Hands back what it has; resolves when that is over, or the store fails. */
  close(): Promise<void> {
    this.#closing ??= this.#handBack();
    return this.#closing;
  }

  async #handBack(): Promise<void> {
    this.#calls.close();
    await Promise.all([
      new Promise<void>((done) => this.#rate.close(done)),
      new Promise<void>((done) => this.#counts.close(done)),
    ]);
    this.#epochs.stop();
  }
}
