/** Tells when nothing has happened for a while. Never keeps the event loop alive. */
export class IdleTimer {
  private limitMs = 0;
  private timer: NodeJS.Timeout | null = null;
  /** What the timer was made with; it can be used again for the same limit only. */
  private timerMs = 0;
  private readonly onIdle: () => void;

  constructor(onIdle: () => void) {
    this.onIdle = onIdle;
  }

  /**
   * 0 switches it off. The timer stays where it is then: a server that sets the limit and takes it
   * back with every request would otherwise make a timer for each.
   */
  set(limitMs: number): void {
    this.limitMs = limitMs;
    if (limitMs === 0) return;
    if (this.timer !== null && this.timerMs === limitMs) {
      this.timer.refresh();
      return;
    }
    this.stop();
    this.timerMs = limitMs;
    this.timer = setTimeout(this.fire, limitMs).unref();
  }

  /** Something happened. */
  touch(): void {
    if (this.limitMs !== 0) this.timer?.refresh();
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private readonly fire = (): void => {
    if (this.limitMs !== 0) this.onIdle();
  };
}
