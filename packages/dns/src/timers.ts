/** Timers that nobody runs but their owner: a heap, the earliest first, equals in their order. */

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly task: () => void;
  /** Its place in the heap; −1 once it is out. */
  index: number;
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

export class Timers {
  private readonly heap: Timer[] = [];
  private count = 0;

  /** When the earliest is due; `Infinity` when there is none. */
  get nextMs(): number {
    return this.heap[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  set(task: () => void, atMs: number): unknown {
    const timer: Timer = { atMs, order: this.count++, task, index: this.heap.length };
    this.heap.push(timer);
    this.raise(timer);
    return timer;
  }

  /** One that has run, or is none, is passed over. */
  clear(timer: unknown): void {
    const { index = -1 } = (timer ?? {}) as Partial<Timer>;
    const known = this.heap[index];
    if (known !== undefined && known === timer) this.remove(known);
  }

  /** Runs those that are due, and those that these set and that are due by then. */
  runDue(nowMs: number): void {
    for (let [first] = this.heap; first !== undefined && first.atMs <= nowMs; [first] = this.heap) {
      this.remove(first);
      first.task();
    }
  }

  private remove(timer: Timer): void {
    const { index } = timer;
    const last = this.heap.pop() as Timer;
    timer.index = -1;
    if (last === timer) return;
    this.place(last, index);
    this.raise(last);
    this.lower(last);
  }

  private place(timer: Timer, index: number): void {
    this.heap[index] = timer;
    timer.index = index;
  }

  private raise(timer: Timer): void {
    while (timer.index > 0) {
      const parent = this.heap[(timer.index - 1) >> 1] as Timer;
      if (!isBefore(timer, parent)) return;
      this.swap(timer, parent);
    }
  }

  private lower(timer: Timer): void {
    for (;;) {
      const left = this.heap[2 * timer.index + 1];
      const right = this.heap[2 * timer.index + 2];
      const least =
        right !== undefined && left !== undefined && isBefore(right, left) ? right : left;
      if (least === undefined || !isBefore(least, timer)) return;
      this.swap(timer, least);
    }
  }

  private swap(a: Timer, b: Timer): void {
    const { index } = a;
    this.place(a, b.index);
    this.place(b, index);
  }
}
