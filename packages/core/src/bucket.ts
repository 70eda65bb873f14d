/**
 * The arithmetic of a token bucket.
 *
 * Theory of operation. The whole state is one moment: when the bucket was empty. What it holds is
 * what has come since, and never more than its size, so that no timer has to fill it and fractions
 * of a token are kept for nothing. Taking tokens moves the moment on. One number is also what
 * several threads can agree on without a lock (see shared-bucket.ts). Rejected: a count of tokens
 * and the time of the last refill, which loses the fractions at each refill, and is two numbers.
 */

/** What rounding may make a whole token lack. It is owed, not given: nothing adds up. */
const slack = 1e-6;

export class Bucket {
  /** Tokens per second, and at most. */
  protected perSecond: number;
  protected size: number;
  /** On the clock of the caller, who passes the time in; in the future when it owes tokens. */
  protected emptyMs: number;

  /** Begins full. */
  constructor(rate: number, burst: number, nowMs: number) {
    this.perSecond = rate;
    this.size = burst;
    this.emptyMs = this.momentOf(burst, nowMs);
  }

  /** Tokens per second. */
  get rate(): number {
    this.load();
    return this.perSecond;
  }

  get burst(): number {
    this.load();
    return this.size;
  }

  /** Whole tokens that can be taken now. */
  available(nowMs: number): number {
    this.load();
    return Math.max(0, Math.floor(this.level(nowMs) + slack));
  }

  /** What it holds, with the fraction; below 0 when it owes. */
  exactly(nowMs: number): number {
    this.load();
    return this.level(nowMs);
  }

  /** Takes what there is, at most `most`; 0, and nothing taken, when that is less than `least`. */
  take(least: number, most: number, nowMs: number): number {
    for (;;) {
      this.load();
      const level = this.level(nowMs);
      if (level + slack < least) return 0;
      const taken = Math.max(least, Math.min(most, Math.floor(level + slack)));
      if (this.store(this.momentOf(level - taken, nowMs))) return taken;
    }
  }

  /** Gives back what was taken, and pays for what was used, both of them now. */
  settle(taken: number, used: number, nowMs: number): void {
    do this.load();
    while (
      !this.store(this.momentOf(Math.min(this.size, this.level(nowMs) + taken) - used, nowMs))
    );
  }

  /** Whole milliseconds until it holds as many, were its size no limit. */
  waitMs(count: number, nowMs: number): number {
    this.load();
    const missing = count - this.level(nowMs);
    return missing <= slack ? 0 : Math.ceil((missing * 1000) / this.perSecond);
  }

  fill(nowMs: number): void {
    do this.load();
    while (!this.store(this.momentOf(this.size, nowMs)));
  }

  /** What has come until now came at the old rate; what the new size cannot hold is lost. */
  configure(rate: number, burst: number, nowMs: number): void {
    const level = Math.min(burst, this.level(nowMs));
    this.perSecond = rate;
    this.size = burst;
    this.emptyMs = this.momentOf(level, nowMs);
  }

  /** Brings the fields up to date with what other threads did. */
  protected load(): void {}

  /** False when another thread was faster, and nothing was stored. */
  protected store(emptyMs: number): boolean {
    this.emptyMs = emptyMs;
    return true;
  }

  protected level(nowMs: number): number {
    return Math.min(this.size, ((nowMs - this.emptyMs) * this.perSecond) / 1000);
  }

  protected momentOf(level: number, nowMs: number): number {
    return nowMs - (level * 1000) / this.perSecond;
  }
}
