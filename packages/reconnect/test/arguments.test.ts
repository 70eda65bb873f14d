import { ReconnectingSocket, type ReconnectOptions, ReconnectPolicy } from '@sock/reconnect';

describe('a reconnecting socket', () => {
  it.each<[string, unknown[], string]>([
    ['a host that is no string', [1, 80], 'host'],
    ['a host that is empty', ['', 80], 'host'],
    ['a host that is too long', ['x'.repeat(256), 80], 'host'],
    ['a port of 0', ['x', 0], 'port'],
    ['a port that is none', ['x', 65_536], 'port'],
  ])('refuses %s', (_, args, name) => {
    expect(() => new ReconnectingSocket(...(args as [string, number]))).toThrow(name);
  });

  it.each<[ReconnectPolicy, string]>([
    [{ initialDelay: 0 }, 'policy.initialDelay'],
    [{ initialDelay: -5 }, 'policy.initialDelay'],
    [{ initialDelay: 100, maxDelay: 99 }, 'policy.maxDelay'],
    [{ multiplier: 0.9 }, 'policy.multiplier'],
    [{ jitter: -0.1 }, 'policy.jitter'],
    [{ maxAttempts: 0 }, 'policy.maxAttempts'],
    [{ maxAttempts: 1.5 }, 'policy.maxAttempts'],
    [{ circuitFailureThreshold: 0 }, 'policy.circuitFailureThreshold'],
    [{ circuitResetTimeout: 0 }, 'policy.circuitResetTimeout'],
    [{ connectTimeout: 0 }, 'policy.connectTimeout'],
    [{ healthCheckInterval: 0 }, 'policy.healthCheckInterval'],
    [{ healthCheckTimeout: -1 }, 'policy.healthCheckTimeout'],
    [{ deadAfter: 1_999 }, 'policy.deadAfter'],
    [{ delivery: 'resend' as never }, 'policy.delivery'],
    [{ bufferMax: -1 }, 'policy.bufferMax'],
    [{ maxRetries: 3 } as never, 'policy.maxRetries'],
    [null as never, 'policy'],
  ])('refuses the policy %p', (policy, name) => {
    expect(() => new ReconnectingSocket('x', 1, policy)).toThrow(name);
  });

  it.each<[ReconnectOptions, string]>([
    [{ connect: 1 as never }, 'options.connect'],
    [{ onStateChange: 'x' as never }, 'options.onStateChange'],
    [{ byHand: 'yes' as never }, 'options.byHand'],
    [{ breaker: {} as never }, 'options.breaker'],
    [{ budget: {} as never }, 'options.budget'],
    [{ clock: { now: () => 0 } as never }, 'options.clock.setTimeout'],
    [{ random: 0.5 as never }, 'options.random'],
    [{ manual: true } as never, 'options.manual'],
  ])('refuses the options %p', (options, name) => {
    expect(() => new ReconnectingSocket('x', 1, {}, options)).toThrow(name);
  });

  it('takes every default of the policy, and Infinity where it means none', () => {
    const none = Number.POSITIVE_INFINITY;
    for (const policy of [
      ReconnectPolicy.defaults,
      {
        maxAttempts: none,
        circuitFailureThreshold: none,
        connectTimeout: none,
        healthCheckInterval: none,
        healthCheckTimeout: none,
        deadAfter: none,
      },
    ]) {
      const link = new ReconnectingSocket('x', 1, policy);
      expect(link).toMatchObject({ host: 'x', port: 1, state: 'disconnected', pollFd: -1 });
      link.close();
    }
    expect(Object.isFrozen(ReconnectPolicy.defaults)).toBe(true);
  });

  it('checks what its methods are given', () => {
    const link = new ReconnectingSocket('x', 1);
    expect(() => link.setHealthCheck(1 as never)).toThrow(TypeError);
    expect(() => link.connect({ timeout: -1 })).toThrow(RangeError);
    expect(() => link.connect({ signal: {} as never })).toThrow(TypeError);
    link.close();
  });
});
