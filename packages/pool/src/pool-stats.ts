import type { RejectReason, RemoveReason } from './diagnostics.js';
import type { LimiterStats } from './store-limits.js';

/** A {@link SocketPool} in numbers. */
export interface SocketPoolStats {
  /** Connections now. */
  readonly count: number;
  /** Places. */
  readonly maxConnections: number;
  /** Pairs of buffers that wait for a connection. */
  readonly spareBuffers: number;
  /** Connections that came, since the pool was made. */
  readonly added: number;
  /** Those of them that took over buffers which were there already. */
  readonly reused: number;
  /** Connections that left, by the reason. */
  readonly removed: Readonly<Record<RemoveReason, number>>;
  /** Connections that were refused, by the reason. */
  readonly rejected: Readonly<Record<RejectReason, number>>;
  /** The store of limits ({@link SocketPool.setLimiter}); null without one. */
  readonly limiter: LimiterStats | null;
}

export class Tally {
  added = 0;
  reused = 0;
  readonly #removed = {
    removed: 0,
    closed: 0,
    idle: 0,
    resize: 0,
    'pool-closed': 0,
    'given-up': 0,
  };
  readonly #rejected = { full: 0, draining: 0, denied: 0, 'per-ip': 0, 'per-prefix': 0, rate: 0 };

  remove(reason: RemoveReason): void {
    this.#removed[reason]++;
  }

  reject(reason: RejectReason): void {
    this.#rejected[reason]++;
  }

  stats(
    count: number,
    maxConnections: number,
    spareBuffers: number,
    limiter: LimiterStats | null,
  ): SocketPoolStats {
    return {
      count,
      maxConnections,
      spareBuffers,
      added: this.added,
      reused: this.reused,
      removed: { ...this.#removed },
      rejected: { ...this.#rejected },
      limiter,
    };
  }
}
