/** The table of states of the specification, row by row, on a clock that stands still. */
import { type Socket, SocketClosedError, SocketError, TimeoutError } from '@sock/core';
import {
  CircuitBreaker,
  ReconnectBudget,
  ReconnectingSocket,
  ReconnectState,
  stateName,
} from '@sock/reconnect';
import { FakeClock, failureOf, turns, until } from '@sock/testing';
import { closeRigs, makeRig, type Rig } from './rig.js';

afterEach(closeRigs);

/** The kernel tells of an end in its own time. */
async function lose(rig: Rig, peer: Socket): Promise<void> {
  peer.close();
  await until(1_000, () => !rig.link.isConnected);
}

describe('a reconnecting socket that is disconnected', () => {
  it('does nothing until it is told to connect', async () => {
    const { link, trials, clock } = makeRig();
    await clock.advance(1_000_000);
    expect(trials).toHaveLength(0);
    expect(link).toMatchObject({ state: 'disconnected', isConnected: false, socket: null });
    expect(link.nextTimeoutMs()).toBe(Number.POSITIVE_INFINITY);
  });

  it('is connecting after connect(), and connected when the attempt succeeds', async () => {
    const { link, trial, events } = makeRig();
    const connected = link.connect();
    expect(link).toMatchObject({ state: 'connecting', attempts: 1 });
    await trial().succeed();
    await connected;
    expect(link).toMatchObject({ state: 'connected', attempts: 0, failures: 0, lastError: null });
    expect(link.socket?.isConnected).toBe(true);
    expect(events).toEqual(['disconnected -> connecting', 'connecting -> connected', 'connected']);
  });
});

describe('connect()', () => {
  it('changes nothing while it connects, waits or is connected', async () => {
    const { link, trial, trials, events, clock } = makeRig({ circuitFailureThreshold: 2 });
    link.connect();
    link.connect();
    expect(trials).toHaveLength(1);
    await trial().fail();
    expect(link.state).toBe('backoff');
    link.connect();
    expect(link.state).toBe('backoff');
    await clock.advance(100);
    await trial().fail();
    expect(link.state).toBe('circuit-open');
    const connected = link.connect();
    expect(link.state).toBe('circuit-open');
    await clock.advance(60_000);
    await trial().succeed();
    await connected;
    const count = events.length;
    await link.connect();
    expect(events).toHaveLength(count);
  });

  it('gives up only its own wait when it is aborted or late', async () => {
    const { link, trial, clock } = makeRig();
    const late = failureOf(link.connect({ timeout: 10 }));
    const controller = new AbortController();
    const aborted = failureOf(link.connect({ signal: controller.signal }));
    await clock.advance(10);
    controller.abort();
    expect(await late).toMatchObject({ code: 'ERR_SOCK_TIMEOUT', timeout: 10 });
    expect(await aborted).toMatchObject({ name: 'AbortError' });
    expect(link.state).toBe('connecting');
    await trial().succeed();
    expect(link.isConnected).toBe(true);
  });

  it('need not be awaited, however it ends', async () => {
    const { link, trial } = makeRig({ maxAttempts: 1 });
    link.connect();
    await trial().fail();
    expect(link.state).toBe('disconnected');
  });
});

describe('a failed attempt', () => {
  it('is a failure, never a connection', async () => {
    const { link, trial, events } = makeRig();
    link.connect();
    await trial().fail(new SocketError('refused', { code: 'ECONNREFUSED' }));
    expect(link).toMatchObject({ state: 'backoff', attempts: 1, failures: 1 });
    expect(link.lastError).toMatchObject({ code: 'ECONNREFUSED' });
    expect(events).toEqual(['disconnected -> connecting', 'connecting -> backoff']);
  });

  it('is retried after the first delay, then after delays that grow', async () => {
    const { link, trial, clock } = makeRig({ circuitFailureThreshold: 10 });
    link.connect();
    for (const delay of [100, 200, 400, 800]) {
      await trial().fail();
      expect(link.nextTimeoutMs()).toBe(delay);
      await clock.advance(delay - 1);
      expect(link.state).toBe('backoff');
      await clock.advance(1);
      expect(link.state).toBe('connecting');
    }
  });

  it('counts when the function throws at once, or gives something else', async () => {
    const rig = makeRig(
      {},
      {
        connect: () => {
          throw new Error('no');
        },
      },
    );
    rig.link.connect();
    await rig.clock.advance(0);
    expect(rig.link).toMatchObject({ state: 'backoff', lastError: { message: 'no' } });
    const other = makeRig({}, { connect: async () => 'a socket' as never });
    other.link.connect();
    await other.clock.advance(0);
    expect(other.link.lastError).toBeInstanceOf(TypeError);
  });

  it('counts when it takes longer than the connect timeout, and is told so', async () => {
    const { link, trial, clock, events } = makeRig({ connectTimeout: 500 });
    link.connect();
    const { signal, succeed } = trial();
    expect(link.nextTimeoutMs()).toBe(500);
    await clock.advance(500);
    expect(signal.aborted).toBe(true);
    expect(link.state).toBe('backoff');
    expect(link.lastError).toBeInstanceOf(TimeoutError);
    const peer = await succeed();
    expect(link.state).toBe('backoff');
    expect(events).not.toContain('connected');
    expect(await failureOf(peer.recv())).toMatchObject({ code: 'ERR_SOCK_EOF' });
  });

  it('ends it all when it was the last that was allowed', async () => {
    const { link, trial, clock, events } = makeRig({ maxAttempts: 2 });
    const connected = failureOf(link.connect());
    await trial().fail();
    await clock.advance(100);
    await trial().fail();
    expect(link.state).toBe('disconnected');
    expect(events.at(-1)).toBe('connecting -> disconnected');
    const expected = {
      name: 'ReconnectError',
      code: 'ERR_SOCK_RECONNECT_EXHAUSTED',
      port: 1,
      cause: { message: 'refused' },
    };
    expect(await connected).toMatchObject(expected);
    expect(link.lastError).toMatchObject(expected);
    await clock.advance(1_000_000);
    expect(link.state).toBe('disconnected');
  });

  it('that was the last begins the count anew with the next connect()', async () => {
    const { link, trial } = makeRig({ maxAttempts: 1 });
    link.connect();
    await trial().fail();
    link.connect();
    expect(link).toMatchObject({ state: 'connecting', attempts: 1 });
  });
});

describe('a circuit', () => {
  it('opens after its failures, and lets one attempt through when its time is over', async () => {
    const { link, trial, trials, clock, events } = makeRig({
      circuitFailureThreshold: 2,
      circuitResetTimeout: 5_000,
    });
    link.connect();
    await trial().fail();
    await clock.advance(100);
    await trial().fail();
    expect(link).toMatchObject({ state: 'circuit-open', failures: 2 });
    expect(link.nextTimeoutMs()).toBe(5_000);
    await clock.advance(4_999);
    expect(trials).toHaveLength(0);
    await clock.advance(1);
    expect(link.state).toBe('connecting');
    await trial().fail();
    expect(link.state).toBe('circuit-open');
    expect(link.nextTimeoutMs()).toBe(5_000);
    await clock.advance(5_000);
    await trial().succeed();
    expect(link).toMatchObject({ state: 'connected', failures: 0 });
    expect(events.slice(-2)).toEqual(['connecting -> connected', 'connected']);
  });

  it('does not put off the end of all attempts', async () => {
    const { link, trial, clock } = makeRig({ circuitFailureThreshold: 2, maxAttempts: 3 });
    link.connect();
    await trial().fail();
    await clock.advance(100);
    await trial().fail();
    await clock.advance(60_000);
    await trial().fail();
    expect(link.state).toBe('disconnected');
  });

  it('is not tried when it is open already', async () => {
    const { link, trials, events, clock } = makeRig({}, {});
    const breaker = new CircuitBreaker({ failureThreshold: 1, resetTimeout: 1_000, clock });
    const rig = makeRig({}, { breaker, clock });
    breaker.failure();
    rig.link.connect();
    expect(rig.link.state).toBe('circuit-open');
    await clock.advance(1_000);
    expect(rig.link.state).toBe('connecting');
    expect({ link: link.state, trials, events }).toEqual({
      link: 'disconnected',
      trials: [],
      events: [],
    });
  });

  it('of many lets one of them probe', async () => {
    const first = makeRig();
    const { clock } = first;
    const breaker = new CircuitBreaker({ failureThreshold: 1, resetTimeout: 1_000, clock });
    const rigs = [makeRig({}, { breaker, clock }), makeRig({}, { breaker, clock })] as const;
    for (const { link } of rigs) link.connect();
    await rigs[0].trial().fail();
    await rigs[1].trial().fail();
    expect(rigs.map(({ link }) => link.state)).toEqual(['circuit-open', 'circuit-open']);
    await clock.advance(1_000);
    expect(rigs.map(({ trials }) => trials.length)).toEqual([1, 0]);
    await rigs[0].trial().succeed();
    await clock.advance(1_000);
    expect(rigs.map(({ link }) => link.state)).toEqual(['connected', 'connecting']);
  });

  it('gets its probe back from an attempt that was called off', async () => {
    const first = makeRig();
    const { clock } = first;
    const breaker = new CircuitBreaker({ failureThreshold: 1, resetTimeout: 1_000, clock });
    const { link, trial } = makeRig({}, { breaker, clock });
    link.connect();
    await trial().fail();
    await clock.advance(1_000);
    link.disconnect();
    expect(breaker.state).toBe('half-open');
    expect(breaker.remaining).toBe(0);
  });
});

describe('a lost connection', () => {
  it('is noticed when the peer hangs up, by whoever does nothing', async () => {
    const rig = makeRig();
    const { link, events, clock, trial } = rig;
    await lose(rig, await rig.connected());
    expect(link).toMatchObject({ state: 'backoff', attempts: 0, failures: 1, socket: null });
    expect(link.nextTimeoutMs()).toBe(100);
    await clock.advance(100);
    await trial().succeed();
    expect(events.slice(3)).toEqual([
      'lost ERR_SOCK_EOF',
      'connected -> backoff',
      'backoff -> connecting',
      'connecting -> connected',
      'connected',
    ]);
  });

  it('keeps what the peer sent before it hung up', async () => {
    const { link, connected } = makeRig();
    const peer = await connected();
    await peer.sendAll('last words');
    peer.close();
    await turns(20);
    expect(link.isConnected).toBe(true);
    expect((await link.recv()).toString()).toBe('last words');
    expect(await failureOf(link.recv())).toMatchObject({ code: 'ERR_SOCK_EOF' });
    expect(link.state).toBe('backoff');
  });

  it('shows in a send', async () => {
    const { link, connected, clock } = makeRig();
    const peer = await connected();
    peer.close();
    expect(await failureOf(link.send('x'))).toMatchObject({ code: 'EPIPE', bytesTransferred: 0 });
    expect(link.state).toBe('backoff');
    await clock.advance(0);
  });

  it('counts as a failure for the circuit', async () => {
    const rig = makeRig({ circuitFailureThreshold: 1 });
    await lose(rig, await rig.connected());
    expect(rig.link.state).toBe('circuit-open');
  });

  it('that was shorter than the delay before it lets the delays grow', async () => {
    const rig = makeRig({ circuitFailureThreshold: 100 });
    const { link, trial, clock } = rig;
    link.connect();
    await trial().fail();
    await clock.advance(100);
    await lose(rig, await trial().succeed());
    expect(link.nextTimeoutMs()).toBe(200);
    await clock.advance(200);
    const peer = await trial().succeed();
    await clock.advance(200);
    await lose(rig, peer);
    expect(link.nextTimeoutMs()).toBe(100);
  });

  it('is not a receive that would have to wait', async () => {
    const { link, connected, clock } = makeRig();
    await connected();
    expect(link.tryRecv()).toBeNull();
    await clock.advance(1_000);
    expect(link.isConnected).toBe(true);
  });
});

describe('disconnect()', () => {
  it('ends a connection, and what waits for it', async () => {
    const { link, connected, events } = makeRig();
    const peer = await connected();
    const receiving = failureOf(link.recv());
    link.disconnect();
    link.disconnect();
    expect(link).toMatchObject({ state: 'disconnected', socket: null });
    expect(events.slice(3)).toEqual(['connected -> disconnected']);
    expect(await receiving).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    expect(await failureOf(peer.recv())).toMatchObject({ code: 'ERR_SOCK_EOF' });
  });

  it('calls an attempt off, and closes what it still brings', async () => {
    const { link, trial } = makeRig();
    const connected = failureOf(link.connect());
    const { signal, succeed } = trial();
    link.disconnect();
    expect(signal.aborted).toBe(true);
    expect(await connected).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    const peer = await succeed();
    expect(link.state).toBe('disconnected');
    expect(await failureOf(peer.recv())).toMatchObject({ code: 'ERR_SOCK_EOF' });
  });

  it('ends waiting, and forgets attempts, failures and delays', async () => {
    const { link, trial, clock, trials } = makeRig();
    link.connect();
    await trial().fail();
    await clock.advance(100);
    await trial().fail();
    link.disconnect();
    expect(link).toMatchObject({ state: 'disconnected', attempts: 0, failures: 0 });
    expect(link.lastError).toBeNull();
    await clock.advance(1_000_000);
    expect(trials).toHaveLength(0);
    link.connect();
    await trial().fail();
    expect(link.nextTimeoutMs()).toBe(100);
  });
});

describe('reset()', () => {
  it('tries at once, from a delay and from an open circuit', async () => {
    const { link, trial, clock } = makeRig({ circuitFailureThreshold: 2 });
    link.connect();
    await trial().fail();
    link.reset();
    expect(link).toMatchObject({ state: 'connecting', attempts: 1, failures: 0 });
    await trial().fail();
    await clock.advance(100);
    await trial().fail();
    expect(link.state).toBe('circuit-open');
    link.reset();
    expect(link).toMatchObject({ state: 'connecting', failures: 0, lastError: null });
    await trial().fail();
    expect(link.state).toBe('backoff');
    expect(link.nextTimeoutMs()).toBe(100);
  });

  it('changes no state where nothing waits', async () => {
    const { link, connected } = makeRig();
    link.reset();
    expect(link.state).toBe('disconnected');
    await connected();
    link.reset();
    expect(link.state).toBe('connected');
  });
});

describe('close()', () => {
  it('tells the listeners, and is the end', async () => {
    const { link, connected, events } = makeRig();
    await connected();
    link.close();
    link.close();
    expect(events.at(-1)).toBe('connected -> disconnected');
    const closed = { name: 'SocketClosedError', code: 'ERR_SOCK_CLOSED' };
    expect(await failureOf(link.connect())).toMatchObject(closed);
    expect(await failureOf(link.send('x'))).toMatchObject(closed);
    expect(await failureOf(link.recv())).toMatchObject(closed);
    expect(() => link.tryRecv()).toThrow(expect.objectContaining(closed));
    link.reset();
    link.disconnect();
    expect(link.state).toBe('disconnected');
  });
});

describe('a health check', () => {
  const policy = { healthCheckInterval: 1_000, healthCheckTimeout: 300 };

  it('is made after each interval, and keeps what is well', async () => {
    const { link, connected, clock } = makeRig(policy);
    const check = jest.fn(async () => true);
    link.setHealthCheck(check);
    await connected();
    expect(link.nextTimeoutMs()).toBe(1_000);
    await clock.advance(3_000);
    expect(check).toHaveBeenCalledTimes(3);
    expect(link.isConnected).toBe(true);
  });

  it.each<[string, () => boolean | Promise<boolean>, string]>([
    ['says no', () => false, 'the health check says no'],
    ['says no later', async () => false, 'the health check says no'],
    ['fails', () => Promise.reject(new Error('no')), 'the health check failed'],
    [
      'throws',
      () => {
        throw new Error('no');
      },
      'the health check failed',
    ],
  ])('that %s ends the connection', async (_, check, message) => {
    const { link, connected, clock } = makeRig(policy);
    link.setHealthCheck(check);
    await connected();
    await clock.advance(1_000);
    expect(link.state).toBe('backoff');
    expect(link.lastError).toMatchObject({ code: 'ERR_SOCK_UNHEALTHY', message });
  });

  it('that takes too long ends the connection, and is told so', async () => {
    const { link, connected, clock } = makeRig(policy);
    let told: AbortSignal | undefined;
    link.setHealthCheck((_, { signal }) => {
      told = signal;
      return new Promise(() => {});
    });
    await connected();
    await clock.advance(1_000);
    expect(link.nextTimeoutMs()).toBe(300);
    await clock.advance(299);
    expect(link.isConnected).toBe(true);
    await clock.advance(1);
    expect(link.state).toBe('backoff');
    expect(link.lastError?.message).toBe('the health check took longer than 300 ms');
    expect(told?.aborted).toBe(true);
  });

  it('is the default one again, which takes nothing from the stream', async () => {
    const { link, connected, clock } = makeRig(policy);
    link.setHealthCheck(() => false);
    link.setHealthCheck(null);
    const peer = await connected();
    await peer.sendAll('data');
    await clock.advance(5_000);
    expect((await link.recv()).toString()).toBe('data');
  });
});

describe('a stream that has no descriptor', () => {
  it('is kept as well, as far as its verbs tell', async () => {
    const clock = new FakeClock();
    let end = (_: Error): void => {};
    const received = new Promise<Buffer>((_, reject) => {
      end = reject;
    });
    const stream = {
      send: async () => 1,
      sendAll: async () => {},
      recv: () => received,
      close: () => {},
    };
    const connect = async () => stream as never;
    const link = new ReconnectingSocket('x', 1, {}, { connect, clock });
    link.connect();
    await clock.advance(100_000);
    expect(link.isConnected).toBe(true);
    const receiving = failureOf(link.recv());
    end(new SocketClosedError('over', { code: 'ECONNRESET' }));
    expect(await receiving).toMatchObject({ code: 'ECONNRESET' });
    expect(link.state).toBe('backoff');
    link.close();
  });
});

describe('many that lost the same host', () => {
  it('come back one after another', async () => {
    const { clock } = makeRig();
    const budget = new ReconnectBudget({ rate: 10, burst: 2 });
    const rigs = Array.from({ length: 6 }, () => makeRig({}, { budget, clock }));
    for (const { link, trial } of rigs) {
      link.connect();
      await trial().fail();
    }
    const underWay = () => rigs.filter(({ trials }) => trials.length > 0).length;
    await clock.advance(100);
    expect(underWay()).toBe(2);
    await clock.advance(99);
    expect(underWay()).toBe(2);
    await clock.advance(1);
    expect(underWay()).toBe(3);
    await clock.advance(300);
    expect(underWay()).toBe(6);
  });
});

describe('those of a thread with the same host and port', () => {
  it('share a budget without being told to', async () => {
    const clock = new FakeClock();
    let attempts = 0;
    const connect = () => {
      attempts++;
      return Promise.reject(new Error('refused'));
    };
    const policy = { jitter: 0, maxAttempts: 2 };
    const links = Array.from({ length: 30 }, () => {
      return new ReconnectingSocket('herd', 1, policy, { connect, clock });
    });
    const other = new ReconnectingSocket('herd', 2, policy, { connect, clock });
    for (const link of [...links, other]) link.connect();
    await clock.advance(0);
    expect(attempts).toBe(31);
    await clock.advance(100);
    // Ten of the herd at once, and the one whose host is another.
    expect(attempts).toBe(31 + 11);
    expect(other.state).toBe('disconnected');
    await clock.advance(19 * 20);
    expect(attempts).toBe(31 + 30);
    await clock.advance(20);
    expect(attempts).toBe(31 + 31);
    for (const link of links) link.close();
  });
});

describe('the name of a state', () => {
  it('is its word in capitals', () => {
    expect(Object.values(ReconnectState).map(stateName)).toEqual([
      'DISCONNECTED',
      'CONNECTING',
      'CONNECTED',
      'BACKOFF',
      'CIRCUIT_OPEN',
    ]);
    expect(stateName('ajar')).toBe('UNKNOWN');
    expect(stateName(undefined)).toBe('UNKNOWN');
  });
});
