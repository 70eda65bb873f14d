/** A store of limits on a clock that a test moves, which fails as it is told to. */
import type { LimiterAnswer, LimiterCallOptions, LimiterStore } from '@sock/pool';
import type { FakeClock } from '@sock/testing';

interface Key {
  points: number;
  readonly endMs: number;
}

/** What one process sees of the store. */
export class StoreClient implements LimiterStore {
  /** What it does with a call instead of answering; null: it answers. */
  fault: ((answer: () => Promise<unknown>) => unknown) | null = null;
  /** Calls so far, as `verb key points`. */
  readonly calls: string[] = [];
  /** Calls that have not settled. */
  pending = 0;
  pendingMost = 0;

  constructor(private readonly store: FakeStore) {}

  get points(): number | undefined {
    return this.store.tellsPoints ? this.store.points : undefined;
  }

  consume(key: string, points = 1, options: LimiterCallOptions = {}): Promise<LimiterAnswer> {
    return this.call('consume', key, points, () => {
      const answer = this.store.add(key, points, options);
      if (answer.consumedPoints > this.store.points) throw answer;
      return answer;
    });
  }

  penalty(key: string, points = 1, options: LimiterCallOptions = {}): Promise<LimiterAnswer> {
    return this.call('penalty', key, points, () => this.store.add(key, points, options));
  }

  reward(key: string, points = 1, options: LimiterCallOptions = {}): Promise<LimiterAnswer> {
    return this.call('reward', key, points, () => this.store.add(key, -points, options));
  }

  get(key: string): Promise<LimiterAnswer | null> {
    return this.call('get', key, 0, () => this.store.look(key));
  }

  private call<T>(verb: string, key: string, points: number, answer: () => T): Promise<T> {
    this.calls.push(`${verb} ${key} ${points}`);
    this.pendingMost = Math.max(this.pendingMost, ++this.pending);
    const settle = async (): Promise<T> => {
      this.pending--;
      return answer();
    };
    return (this.fault === null ? settle() : this.fault(settle)) as Promise<T>;
  }
}

export class FakeStore {
  readonly keys = new Map<string, Key>();
  tellsPoints = true;

  constructor(
    readonly clock: FakeClock,
    readonly points: number,
    readonly durationMs: number,
  ) {}

  client(): StoreClient {
    return new StoreClient(this);
  }

  /** What is counted under a key now. */
  pointsOf(key: string): number {
    return this.find(key)?.points ?? 0;
  }

  /** All connections that are counted for the present epoch. */
  get counted(): number {
    const epoch = this.pointsOf('counts:epoch');
    const keys = [...this.keys.keys()].filter((key) => key.startsWith(`counts:${epoch}:`));
    return keys.reduce((sum, key) => sum + this.pointsOf(key), 0);
  }

  add(key: string, by: number, { customDuration }: LimiterCallOptions): LimiterAnswer {
    const keptMs = customDuration === undefined ? this.durationMs : customDuration * 1000;
    const endMs = keptMs === 0 ? Number.POSITIVE_INFINITY : this.clock.now() + keptMs;
    const found = this.find(key) ?? { points: 0, endMs };
    found.points += by;
    this.keys.set(key, found);
    return this.answer(found);
  }

  look(key: string): LimiterAnswer | null {
    const found = this.find(key);
    return found === undefined ? null : this.answer(found);
  }

  private find(key: string): Key | undefined {
    const found = this.keys.get(key);
    if (found !== undefined && found.endMs <= this.clock.now()) this.keys.delete(key);
    return this.keys.get(key);
  }

  private answer({ points, endMs }: Key): LimiterAnswer {
    return {
      consumedPoints: points,
      remainingPoints: Math.max(0, this.points - points),
      msBeforeNext: endMs === Number.POSITIVE_INFINITY ? -1 : endMs - this.clock.now(),
    };
  }
}
