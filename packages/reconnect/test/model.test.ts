/** Whatever users and peers do, in any order: the socket does what the table of states says. */
import type { Socket } from '@sock/core';
import type { ReconnectState } from '@sock/reconnect';
import { type Random, seeded, until } from '@sock/testing';
import { closeRigs, makeRig } from './rig.js';

afterEach(closeRigs);

const never = Number.POSITIVE_INFINITY;

interface Limits {
  readonly initialDelay: number;
  readonly maxDelay: number;
  readonly maxAttempts: number;
  readonly circuitFailureThreshold: number;
  readonly circuitResetTimeout: number;
  readonly connectTimeout: number;
}

/** The table, as plainly as it can be written down. */
class Model {
  state: ReconnectState = 'disconnected';
  attempts = 0;
  failures = 0;
  nowMs = 0;
  dueMs = never;
  /** Of the circuit: failures in a row, and when it may be probed. */
  private inRow = 0;
  private opensMs = 0;
  private circuit: 'closed' | 'open' | 'half-open' = 'closed';
  private retries = 0;
  private delayMs = 0;
  private connectedMs = 0;

  constructor(private readonly limits: Limits) {}

  connect(): void {
    if (this.state !== 'disconnected') return;
    this.attempts = 0;
    this.delayMs = 0;
    this.attempt();
  }

  disconnect(): void {
    if (this.state === 'disconnected') return;
    this.attempts = this.failures = this.retries = 0;
    this.go('disconnected', never);
  }

  reset(): void {
    this.circuit = 'closed';
    this.inRow = this.failures = this.retries = 0;
    this.attempts = this.state === 'connecting' ? 1 : 0;
    if (this.state === 'backoff' || this.state === 'circuit-open') this.attempt();
  }

  succeed(): void {
    this.circuit = 'closed';
    this.inRow = this.attempts = this.failures = 0;
    this.connectedMs = this.nowMs;
    this.go('connected', never);
  }

  fail(): void {
    this.inRow++;
    this.failures++;
    const { circuitFailureThreshold, circuitResetTimeout, maxAttempts } = this.limits;
    if (this.circuit === 'half-open' || this.inRow >= circuitFailureThreshold) {
      this.circuit = 'open';
      this.opensMs = this.nowMs + circuitResetTimeout;
    }
    if (this.attempts >= maxAttempts) this.go('disconnected', never);
    else if (this.circuit === 'open') this.waitForCircuit();
    else this.waitForDelay();
  }

  lose(): void {
    if (this.nowMs - this.connectedMs >= this.delayMs) this.retries = 0;
    this.fail();
  }

  tick(): void {
    if (this.nowMs < this.dueMs) return;
    if (this.state === 'connecting') this.fail();
    else this.attempt();
  }

  private attempt(): void {
    if (this.circuit === 'open') {
      if (this.nowMs < this.opensMs) {
        this.waitForCircuit();
        return;
      }
      this.circuit = 'half-open';
    }
    this.attempts++;
    this.go('connecting', this.nowMs + this.limits.connectTimeout);
  }

  private waitForCircuit(): void {
    this.delayMs = this.opensMs - this.nowMs;
    this.go('circuit-open', this.opensMs);
  }

  private waitForDelay(): void {
    const { initialDelay, maxDelay } = this.limits;
    this.delayMs = Math.min(initialDelay * 2 ** this.retries++, maxDelay);
    this.go('backoff', this.nowMs + this.delayMs);
  }

  private go(state: ReconnectState, dueMs: number): void {
    this.state = state;
    this.dueMs = dueMs;
  }
}

function chooseLimits(random: Random): Limits {
  const initialDelay = random.integer(1, 50);
  return {
    initialDelay,
    maxDelay: initialDelay * random.integer(1, 20),
    maxAttempts: random.integer(1, 6),
    circuitFailureThreshold: random.integer(1, 6),
    circuitResetTimeout: random.integer(1, 300),
    connectTimeout: random.integer(20, 500),
  };
}

async function play(random: Random): Promise<void> {
  const limits = chooseLimits(random);
  const model = new Model(limits);
  const { link, trials, clock } = makeRig(limits);
  const log: string[] = [];
  let peer: Socket | undefined;
  const actions: Record<string, () => void | Promise<void>> = {
    connect: () => {
      link.connect();
      model.connect();
    },
    disconnect: () => {
      link.disconnect();
      model.disconnect();
    },
    reset: () => {
      link.reset();
      model.reset();
    },
    succeed: async () => {
      if (model.state !== 'connecting') return;
      peer = await trials.at(-1)?.succeed();
      model.succeed();
    },
    fail: async () => {
      if (model.state !== 'connecting') return;
      await trials.at(-1)?.fail();
      model.fail();
    },
    // Those whose attempt was called off bring a connection all the same.
    late: async () => {
      if (trials.length > (model.state === 'connecting' ? 1 : 0)) await trials[0]?.succeed();
    },
    'hang up': async () => {
      if (model.state !== 'connected') return;
      peer?.close();
      const how = random.integer(0, 2);
      if (how === 0) await link.recv().catch(() => {});
      if (how === 1) await link.send('x').catch(() => {});
      await until(5_000, () => !link.isConnected);
      model.lose();
    },
    talk: async () => {
      if (model.state !== 'connected' || peer === undefined) return;
      await Promise.all([link.sendAll('ping'), peer.sendAll('pong')]);
      expect(String(await link.recvAll(4)) + String(await peer.recvAll(4))).toBe('pongping');
    },
    wait: async () => {
      const untilMs = clock.now() + random.integer(0, 200);
      while (model.dueMs <= untilMs) {
        model.nowMs = Math.max(model.nowMs, model.dueMs);
        model.tick();
      }
      model.nowMs = untilMs;
      await clock.advance(untilMs - clock.now());
    },
  };
  const usual = ['connect', 'succeed', 'fail', 'fail', 'hang up', 'talk', 'wait', 'wait', 'wait'];
  const rare = ['disconnect', 'reset', 'late'];
  for (let step = 0; step < 60; step++) {
    const name = random.pick(random.oneIn(8) ? rare : usual);
    log.push(name);
    await actions[name]?.();
    const left = model.dueMs === never ? never : model.dueMs - model.nowMs;
    const expected = {
      state: model.state,
      attempts: model.attempts,
      failures: model.failures,
      left,
    };
    const { state, attempts, failures } = link;
    const found = { state, attempts, failures, left: link.nextTimeoutMs() };
    expect({ log, limits, ...found }).toEqual({ log, limits, ...expected });
    expect(link.socket !== null).toBe(model.state === 'connected');
  }
}

describe('a reconnecting socket and its model', () => {
  it(
    'agree on whatever happens',
    seeded(async (random) => {
      for (let run = 0; run < 15; run++) {
        await play(random);
        closeRigs();
      }
    }),
  );
});
