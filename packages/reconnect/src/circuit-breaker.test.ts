import { ReconnectError } from '@sock/core';
import { FakeClock, type Random, seeded } from '@sock/testing';
import { CircuitBreaker } from './circuit-breaker.js';
import type { CircuitBreakerOptions, CircuitSnapshot } from './circuit-state.js';

const refused = { name: 'ReconnectError', code: 'ERR_SOCK_CIRCUIT_OPEN', retryable: true };

function make(options: CircuitBreakerOptions = {}) {
  const clock = new FakeClock();
  const changes: string[] = [];
  const breaker = new CircuitBreaker({
    failureThreshold: options.window === undefined ? 3 : undefined,
    resetTimeout: 1_000,
    clock,
    onStateChange: (from, to) => changes.push(`${from} -> ${to}`),
    ...options,
  });
  const fail = (times = 1) => {
    for (let i = 0; i < times; i++) breaker.failure();
  };
  return { clock, changes, breaker, fail };
}

const failing = () => Promise.reject(new Error('no'));

describe('a circuit breaker', () => {
  it('opens after as many failures in a row as are allowed', () => {
    const { breaker, fail, changes } = make();
    fail(2);
    breaker.success();
    fail(2);
    expect(breaker.state).toBe('closed');
    fail();
    expect(breaker.state).toBe('open');
    expect(breaker.failures).toBe(3);
    expect(changes).toEqual(['closed -> open']);
  });

  it('refuses calls while it is open, without making them', async () => {
    const { breaker, fail } = make();
    fail(3);
    const call = jest.fn();
    const rejection = await breaker.execute(call).catch((error: unknown) => error);
    expect(rejection).toMatchObject(refused);
    expect(rejection).toBeInstanceOf(ReconnectError);
    expect(call).not.toHaveBeenCalled();
  });

  it('lets a probe through when its time is over, and not before', async () => {
    const { breaker, fail, clock } = make();
    fail(3);
    await clock.advance(999);
    expect(breaker.remaining).toBe(1);
    expect(breaker.allow()).toBe(false);
    await clock.advance(1);
    expect(breaker.state).toBe('open');
    expect(breaker.remaining).toBe(0);
    expect(breaker.allow()).toBe(true);
    expect(breaker.state).toBe('half-open');
  });

  it('closes when the probe succeeds', async () => {
    const { breaker, fail, clock, changes } = make();
    fail(3);
    await clock.advance(1_000);
    await expect(breaker.execute(() => 'yes')).resolves.toBe('yes');
    expect(breaker.state).toBe('closed');
    expect(breaker.failures).toBe(0);
    expect(changes).toEqual(['closed -> open', 'open -> half-open', 'half-open -> closed']);
  });

  it('opens again, for the whole time, when the probe fails', async () => {
    const { breaker, fail, clock } = make();
    fail(3);
    await clock.advance(1_500);
    await expect(breaker.execute(failing)).rejects.toThrow('no');
    expect(breaker.state).toBe('open');
    expect(breaker.remaining).toBe(1_000);
  });

  it('has as many probes under way as are allowed, and no more', async () => {
    const { breaker, fail, clock } = make({ probes: 2, successThreshold: 3 });
    fail(3);
    await clock.advance(1_000);
    expect([breaker.allow(), breaker.allow(), breaker.allow()]).toEqual([true, true, false]);
    breaker.success();
    expect([breaker.allow(), breaker.allow()]).toEqual([true, false]);
    breaker.success();
    expect(breaker.state).toBe('half-open');
    breaker.success();
    expect(breaker.state).toBe('closed');
  });

  it('gives the place of a cancelled probe to another', async () => {
    const { breaker, fail, clock } = make();
    fail(3);
    await clock.advance(1_000);
    expect(breaker.allow()).toBe(true);
    breaker.cancel();
    expect(breaker.allow()).toBe(true);
  });

  it('gives up probes whose outcome never comes', async () => {
    const { breaker, fail, clock } = make();
    fail(3);
    await clock.advance(1_000);
    breaker.allow();
    const { generation } = breaker;
    await clock.advance(999);
    expect(breaker.allow()).toBe(false);
    await clock.advance(1);
    expect(breaker.allow()).toBe(true);
    breaker.failure(generation);
    expect(breaker.state).toBe('half-open');
  });

  it('ignores the results of an older generation', async () => {
    const { breaker, clock } = make({ failureThreshold: 1 });
    let failLate = (_: Error): void => {};
    const late = breaker.execute(
      () =>
        new Promise((_, reject) => {
          failLate = reject;
        }),
    );
    breaker.failure();
    await clock.advance(1_000);
    await breaker.execute(() => {});
    failLate(new Error('too late to matter'));
    await expect(late).rejects.toThrow('too late to matter');
    expect(breaker.state).toBe('closed');
    expect(breaker.failures).toBe(0);
  });

  it('counts what is no failure as a success', async () => {
    const { breaker, fail } = make({ isFailure: (error) => !(error instanceof TypeError) });
    fail(2);
    await expect(breaker.execute(() => Promise.reject(new TypeError()))).rejects.toThrow(TypeError);
    expect(breaker.failures).toBe(0);
  });

  it('takes what is thrown at once as it takes what is rejected', async () => {
    const { breaker } = make({ failureThreshold: 1 });
    const throwing = () => {
      throw new Error('no');
    };
    await expect(breaker.execute(throwing)).rejects.toThrow('no');
    expect(breaker.state).toBe('open');
  });

  it('is closed, and has forgotten everything, after a reset', () => {
    const { breaker, fail, changes } = make();
    fail(3);
    breaker.reset();
    expect(breaker).toMatchObject({ state: 'closed', failures: 0, remaining: 0 });
    fail(2);
    expect(breaker.state).toBe('closed');
    expect(changes).toEqual(['closed -> open', 'open -> closed']);
  });

  it('lets a listener call any method', () => {
    const clock = new FakeClock();
    const states: string[] = [];
    const breaker: CircuitBreaker = new CircuitBreaker({
      failureThreshold: 1,
      clock,
      onStateChange: (_, to) => {
        states.push(`${to}, seen as ${breaker.state}`);
        if (to === 'open') breaker.reset();
      },
    });
    breaker.failure();
    expect(states).toEqual(['open, seen as open', 'closed, seen as closed']);
    expect(breaker.state).toBe('closed');
  });
});

describe('a windowed circuit breaker', () => {
  const window = { duration: 1_000, failureRate: 0.5, minimumCalls: 4 };

  it('opens when the failures are too large a part of the calls', () => {
    const { breaker, fail } = make({ window });
    breaker.success();
    fail();
    breaker.success();
    expect(breaker.state).toBe('closed');
    fail();
    expect(breaker.state).toBe('open');
  });

  it('stays closed with too few calls to tell', () => {
    const { breaker, fail } = make({ window });
    fail(3);
    expect(breaker.state).toBe('closed');
  });

  it('forgets what is older than the window', async () => {
    const { breaker, fail, clock } = make({ window });
    fail(3);
    await clock.advance(1_000);
    fail();
    expect(breaker.state).toBe('closed');
    fail(3);
    expect(breaker.state).toBe('open');
  });

  it('begins with an empty window when it closes again', async () => {
    const { breaker, fail, clock } = make({ window, resetTimeout: 1 });
    fail(4);
    await clock.advance(1);
    await breaker.execute(() => {});
    fail(3);
    expect(breaker.state).toBe('closed');
  });
});

describe('the exported state of a breaker', () => {
  function copy(breaker: CircuitBreaker, clock: FakeClock, options: CircuitBreakerOptions) {
    const state = JSON.parse(JSON.stringify(breaker)) as CircuitSnapshot;
    return new CircuitBreaker({ ...options, clock, state });
  }

  it('goes on where it was, on another clock', async () => {
    const { breaker, fail, clock } = make();
    fail(3);
    await clock.advance(400);
    const other = new FakeClock();
    await other.advance(50_000);
    const imported = copy(breaker, other, { failureThreshold: 3, resetTimeout: 1_000 });
    expect(imported).toMatchObject({ state: 'open', failures: 3, remaining: 600 });
    await other.advance(600);
    expect(imported.allow()).toBe(true);
  });

  it('has the window with it', async () => {
    const options = { window: { duration: 1_000, failureRate: 0.5, minimumCalls: 4 } };
    const { breaker, fail, clock } = make(options);
    fail(3);
    await clock.advance(500);
    const imported = copy(breaker, clock, options);
    imported.failure();
    expect(imported.state).toBe('open');
  });

  it.each([
    [{ state: 'ajar', failures: 0, remaining: 0, successes: 0 }, 'options.state.state'],
    [{ state: 'open', failures: -1, remaining: 0, successes: 0 }, 'options.state.failures'],
    [{ state: 'open', failures: 1, successes: 0 }, 'options.state.remaining'],
    [{ state: 'open', failures: 1, remaining: 0, successes: 0, window: [{}] }, 'window[0].age'],
  ])('is checked: %p', (state, name) => {
    expect(() => new CircuitBreaker({ state: state as never })).toThrow(name);
  });
});

describe('the options of a breaker', () => {
  it.each<[CircuitBreakerOptions, string]>([
    [{ failureThreshold: 0 }, 'options.failureThreshold'],
    [{ resetTimeout: 0 }, 'options.resetTimeout'],
    [{ probes: 1.5 }, 'options.probes'],
    [{ successThreshold: Number.POSITIVE_INFINITY }, 'options.successThreshold'],
    [{ window: { duration: 1_000, failureRate: 0 } }, 'options.window.failureRate'],
    [{ window: { duration: 1_000, failureRate: 0.5 }, failureThreshold: 1 }, 'options.window'],
    [{ treshold: 1 } as never, 'options.treshold'],
    [{ clock: {} as never }, 'options.clock.now'],
  ])('are checked: %p', (options, name) => {
    expect(() => new CircuitBreaker(options)).toThrow(name);
  });
});

/** What the documentation says, as plainly as it can be written down. */
class Model {
  state: 'closed' | 'open' | 'half-open' = 'closed';
  round = 0;
  failures = 0;
  successes = 0;
  sinceMs = 0;
  probing = 0;

  constructor(
    private readonly clock: FakeClock,
    readonly limits: { failures: number; probes: number; successes: number; resetMs: number },
  ) {}

  private turn(state: Model['state']): void {
    Object.assign(this, { state, successes: 0, probing: 0, sinceMs: this.clock.now() });
    this.round++;
    if (state === 'closed') this.failures = 0;
  }

  allow(): boolean {
    const isDue = this.clock.now() - this.sinceMs >= this.limits.resetMs;
    if (this.state === 'closed') return true;
    if (this.state === 'open' && !isDue) return false;
    if (this.state === 'half-open' && this.probing >= this.limits.probes && !isDue) return false;
    if (this.state === 'open' || this.probing >= this.limits.probes) this.turn('half-open');
    this.probing++;
    return true;
  }

  settle(round: number, outcome: 'success' | 'failure' | 'cancel'): void {
    if (round !== this.round || this.state === 'open') return;
    if (this.state === 'half-open') this.probing--;
    if (outcome === 'cancel') return;
    if (outcome === 'failure') {
      this.failures++;
      if (this.state === 'half-open' || this.failures >= this.limits.failures) this.turn('open');
    } else if (this.state === 'closed') {
      this.failures = 0;
    } else if (++this.successes >= this.limits.successes) {
      this.turn('closed');
    }
  }

  reset(): void {
    this.turn('closed');
  }
}

async function playAgainstModel(random: Random): Promise<void> {
  const clock = new FakeClock();
  const limits = {
    failures: random.integer(1, 4),
    probes: random.integer(1, 3),
    successes: random.integer(1, 3),
    resetMs: random.integer(1, 100),
  };
  const model = new Model(clock, limits);
  const breaker = new CircuitBreaker({
    failureThreshold: limits.failures,
    probes: limits.probes,
    successThreshold: limits.successes,
    resetTimeout: limits.resetMs,
    clock,
  });
  const calls: { generation: number; round: number }[] = [];
  for (let step = 0; step < 300; step++) {
    const action = random.integer(0, 9);
    if (action <= 3) {
      const allowed = breaker.allow();
      expect(allowed).toBe(model.allow());
      if (allowed) calls.push({ generation: breaker.generation, round: model.round });
    } else if (action <= 7 && calls.length > 0) {
      const [call] = calls.splice(random.integer(0, calls.length - 1), 1);
      if (call === undefined) continue;
      const outcome = random.pick(['success', 'failure', 'failure', 'cancel'] as const);
      breaker[outcome](call.generation);
      model.settle(call.round, outcome);
    } else if (action === 8) {
      await clock.advance(random.integer(0, limits.resetMs));
    } else if (random.oneIn(10)) {
      breaker.reset();
      model.reset();
    }
    expect(breaker).toMatchObject({ state: model.state, failures: model.failures });
  }
}

describe('a breaker and its model', () => {
  it(
    'agree on whatever happens',
    seeded(async (random) => {
      for (let run = 0; run < 20; run++) await playAgainstModel(random);
    }),
  );
});
