import { FakeClock, seeded } from '@sock/testing';
import type { CircuitStore, StoredCircuit } from './circuit-store.js';
import { SharedCircuitBreaker, type SharedCircuitOptions } from './shared-circuit-breaker.js';

/** A store in memory, on the clock of the test. */
class MemoryStore implements CircuitStore {
  reads = 0;
  failing = false;
  private readonly records = new Map<string, { value: string; endMs: number }>();

  constructor(private readonly clock: FakeClock) {}

  async get(key: string): Promise<StoredCircuit | null> {
    this.reads++;
    if (this.failing) throw new Error('the store is down');
    return this.look(key);
  }

  async replace(key: string, expected: string | null, value: string | null, ttl: number) {
    if (this.failing) throw new Error('the store is down');
    if ((this.look(key)?.value ?? null) !== expected) return false;
    if (value === null) this.records.delete(key);
    else this.records.set(key, { value, endMs: this.clock.now() + ttl });
    return true;
  }

  private look(key: string): StoredCircuit | null {
    const record = this.records.get(key);
    if (record === undefined || record.endMs <= this.clock.now()) return null;
    return { value: record.value, ttl: record.endMs - this.clock.now() };
  }
}

const refused = { code: 'ERR_SOCK_CIRCUIT_OPEN' };
const fail = () => Promise.reject(new Error('no'));

function make(count: number, options: SharedCircuitOptions = {}) {
  const clock = new FakeClock();
  const store = new MemoryStore(clock);
  const all = { failureThreshold: 2, resetTimeout: 1_000, refreshInterval: 0, clock, ...options };
  const breakers = Array.from({ length: count }, () => {
    return new SharedCircuitBreaker(store, 'key', all);
  });
  const open = async (breaker: SharedCircuitBreaker) => {
    for (let i = 0; i < 2; i++) await expect(breaker.execute(fail)).rejects.toThrow('no');
  };
  return { clock, store, breakers: breakers as [SharedCircuitBreaker, SharedCircuitBreaker], open };
}

describe('a shared circuit breaker', () => {
  it('that opens refuses the calls of others', async () => {
    const { breakers, open } = make(2);
    await open(breakers[0]);
    await expect(breakers[1].execute(() => {})).rejects.toMatchObject(refused);
    expect(breakers[1].state).toBe('open');
  });

  it('lets one probe of all through when its time is over', async () => {
    const { breakers, open, clock } = make(2);
    await open(breakers[0]);
    await clock.advance(1_000);
    let finish = (): void => {};
    const probe = breakers[1].execute(
      () =>
        new Promise<void>((resolve) => {
          finish = resolve;
        }),
    );
    await clock.advance(0);
    await expect(breakers[0].execute(() => {})).rejects.toMatchObject(refused);
    finish();
    await probe;
    await breakers[0].execute(() => {});
    expect(breakers.map(({ state }) => state)).toEqual(['closed', 'closed']);
  });

  it('opens for all again when the probe fails', async () => {
    const { breakers, open, clock } = make(2);
    await open(breakers[0]);
    await clock.advance(1_000);
    await expect(breakers[1].execute(fail)).rejects.toThrow('no');
    await clock.advance(999);
    await expect(breakers[0].execute(() => {})).rejects.toMatchObject(refused);
  });

  it('needs as many successful probes as are asked for, whoever makes them', async () => {
    const { breakers, open, clock } = make(2, { successThreshold: 2 });
    await open(breakers[0]);
    await clock.advance(1_000);
    await breakers[0].execute(() => {});
    expect(breakers[0].state).toBe('half-open');
    await breakers[1].execute(() => {});
    expect(breakers[1].state).toBe('closed');
  });

  it('gives up probes of a process that has died', async () => {
    const { breakers, open, clock } = make(2);
    await open(breakers[0]);
    await clock.advance(1_000);
    void breakers[0].execute(() => new Promise(() => {}));
    await clock.advance(999);
    await expect(breakers[1].execute(() => {})).rejects.toMatchObject(refused);
    await clock.advance(1);
    await expect(breakers[1].execute(() => 'yes')).resolves.toBe('yes');
  });

  it('asks the store no more often than it was told to, while it is closed', async () => {
    const { breakers, store, clock } = make(1, { refreshInterval: 100 });
    for (let i = 0; i < 50; i++) await breakers[0].execute(() => {});
    expect(store.reads).toBe(1);
    await clock.advance(100);
    for (let i = 0; i < 50; i++) await breakers[0].execute(() => {});
    expect(store.reads).toBe(2);
  });

  it('is a breaker of its own while the store is down, and counts that', async () => {
    const { breakers, store, open, clock } = make(2);
    store.failing = true;
    await open(breakers[0]);
    await expect(breakers[0].execute(() => {})).rejects.toMatchObject(refused);
    await expect(breakers[1].execute(() => 'yes')).resolves.toBe('yes');
    expect(breakers[0].storeFailures).toBeGreaterThan(0);
    await clock.advance(1_000);
    await expect(breakers[0].execute(() => 'yes')).resolves.toBe('yes');
    expect(breakers[0].state).toBe('closed');
  });

  it('closes for all by a reset', async () => {
    const { breakers, open } = make(2);
    await open(breakers[0]);
    await breakers[1].reset();
    await expect(breakers[0].execute(() => 'yes')).resolves.toBe('yes');
  });

  it('gives up a store that does not answer', async () => {
    const hanging = { get: () => new Promise<null>(() => {}), replace: async () => true };
    const breaker = new SharedCircuitBreaker(hanging, 'key', { storeTimeout: 1 });
    await expect(breaker.execute(() => 'yes')).resolves.toBe('yes');
    expect(breaker.storeFailures).toBe(1);
  });

  it.each([
    [{}, 'key', {}, 'store.get'],
    [new MemoryStore(new FakeClock()), '', {}, 'key'],
    [new MemoryStore(new FakeClock()), 'key', { refreshInterval: -1 }, 'options.refreshInterval'],
    [new MemoryStore(new FakeClock()), 'key', { probes: 0 }, 'options.probes'],
  ])('checks its arguments', (store, key, options, name) => {
    expect(() => new SharedCircuitBreaker(store as never, key, options)).toThrow(name);
  });
});

describe('several shared circuit breakers', () => {
  it(
    'never have more probes under way than one would',
    seeded(async (random) => {
      for (let run = 0; run < 10; run++) {
        const probes = random.integer(1, 2);
        const { breakers, clock } = make(4, { probes, successThreshold: 2 });
        let underWay = 0;
        const call = async (failing: boolean) => {
          underWay++;
          if (breakers.some(({ state }) => state === 'half-open')) {
            expect(underWay).toBeLessThanOrEqual(probes);
          }
          await new Promise((resolve) => setImmediate(resolve));
          underWay--;
          if (failing) throw new Error('no');
        };
        for (let step = 0; step < 20; step++) {
          if (breakers.every(({ state }) => state === 'closed')) {
            for (let i = 0; i < 2; i++) await breakers[0].execute(fail).catch(() => {});
          }
          await clock.advance(random.integer(0, 1) * 1_000);
          const isFailing = random.oneIn(3);
          const calls = breakers.map((breaker) => breaker.execute(() => call(isFailing)));
          await Promise.allSettled(calls);
        }
      }
    }),
  );
});
