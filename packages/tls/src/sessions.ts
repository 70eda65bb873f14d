/** Sessions that servers gave, to go on with: few, for a while, and each once. */
import { monotonicMs } from '@sock/core';

export class Sessions {
  /** By server; the first was kept first. */
  private readonly kept = new Map<string, { session: Uint8Array; untilMs: number }>();
  private size: number;
  private readonly lifeMs: number;

  constructor(size: number, lifeMs: number) {
    this.size = size;
    this.lifeMs = lifeMs;
  }

  /** In place of an older one of the same server. */
  keep(server: string, session: Uint8Array): void {
    this.kept.delete(server);
    this.kept.set(server, { session, untilMs: monotonicMs() + this.lifeMs });
    this.shrink();
  }

  /** RFC 8446, C.4: used twice, a ticket would tell onlookers that both clients are one. */
  take(server: string): Uint8Array | undefined {
    const found = this.kept.get(server);
    this.kept.delete(server);
    return found === undefined || found.untilMs < monotonicMs() ? undefined : found.session;
  }

  setSize(size: number): void {
    this.size = size;
    this.shrink();
  }

  clear(): void {
    this.kept.clear();
  }

  private shrink(): void {
    for (const server of this.kept.keys()) {
      if (this.kept.size <= this.size) break;
      this.kept.delete(server);
    }
  }
}
