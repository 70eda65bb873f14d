import { checkBoolean, checkFunction, checkOptions, invalidType } from '@sock/native';
import type { ConnectFunction } from './attempt.js';
import { CircuitBreaker } from './circuit-breaker.js';
import { checkClock } from './circuit-state.js';
import { systemClock, type TimerClock } from './clock.js';
import type { ReconnectStateEvent } from './diagnostics.js';
import { ReconnectBudget } from './reconnect-budget.js';
import type { ReconnectState } from './reconnect-state.js';

/** What a reconnecting socket is given besides its policy. */
export interface ReconnectOptions {
  /** Makes the connections. Default: `connect` of `@sock/core`. */
  connect?: ConnectFunction | undefined;
  /**
   * Called after each change of state, before the listeners of `state`, in the asynchronous context
   * of the construction. It may call any method.
   */
  onStateChange?:
    | ((from: ReconnectState, to: ReconnectState, event: ReconnectStateEvent) => void)
    | undefined;
  /**
   * `true`: nothing happens by itself. Whoever has it watches
   * {@link ReconnectingSocket.pollFd}, and calls {@link ReconnectingSocket.process}. Default
   * `false`: the event loop drives it.
   */
  byHand?: boolean | undefined;
  /** A breaker that others have, too. Default: one of its own, as the policy says. */
  breaker?: CircuitBreaker | undefined;
  /**
   * What limits the comebacks of many. Default: one for all of this thread with the same host and
   * port, with the defaults of {@link ReconnectBudget}.
   */
  budget?: ReconnectBudget | undefined;
  /** Where the time comes from, and timers. Default: the monotonic clock, and the event loop's. */
  clock?: TimerClock | undefined;
  /** Chance, for jitter: a number from 0 up to, and without, 1. Default: the system's. */
  random?: (() => number) | undefined;
}

const known = [
  'connect',
  'onStateChange',
  'byHand',
  'breaker',
  'budget',
  'clock',
  'random',
] as const;

/** By host and port; those that nobody uses any more are collected. */
const budgets = new Map<string, WeakRef<ReconnectBudget>>();
const collected = new FinalizationRegistry<string>((key) => {
  if (budgets.get(key)?.deref() === undefined) budgets.delete(key);
});

function commonBudget(host: string, port: number): ReconnectBudget {
  const key = `${host} ${port}`;
  const present = budgets.get(key)?.deref();
  if (present !== undefined) return present;
  const budget = new ReconnectBudget();
  budgets.set(key, new WeakRef(budget));
  collected.register(budget, key);
  return budget;
}

export interface CheckedOptions {
  readonly connect: ConnectFunction | undefined;
  readonly onStateChange: NonNullable<ReconnectOptions['onStateChange']> | undefined;
  readonly isByHand: boolean;
  readonly breaker: CircuitBreaker | undefined;
  readonly budget: ReconnectBudget;
  readonly clock: TimerClock;
  readonly random: (() => number) | undefined;
}

export function checkReconnectOptions(value: unknown, host: string, port: number): CheckedOptions {
  const given = checkOptions<ReconnectOptions>(value, known);
  for (const name of ['connect', 'onStateChange', 'random'] as const) {
    if (given[name] !== undefined) checkFunction(`options.${name}`, given[name]);
  }
  const { breaker, budget, clock = systemClock } = given;
  if (breaker !== undefined && !(breaker instanceof CircuitBreaker)) {
    throw invalidType('options.breaker', 'an instance of CircuitBreaker', breaker);
  }
  if (budget !== undefined && !(budget instanceof ReconnectBudget)) {
    throw invalidType('options.budget', 'an instance of ReconnectBudget', budget);
  }
  checkClock(clock);
  checkFunction('options.clock.setTimeout', clock.setTimeout);
  checkFunction('options.clock.clearTimeout', clock.clearTimeout);
  return {
    connect: given.connect,
    onStateChange: given.onStateChange,
    isByHand: checkBoolean('options.byHand', given.byHand ?? false),
    breaker,
    budget: budget ?? commonBudget(host, port),
    clock,
    random: given.random,
  };
}
