import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { monotonicMs } from '@sock/core';
import { readCounters } from '@sock/native';
import { CircuitBreaker, type ReconnectState } from '@sock/reconnect';
import { runScript } from '@sock/testing';
import { closeRigs, makeRig } from './rig.js';

afterEach(closeRigs);

describe('a listener', () => {
  it('may call any method, and hears of every change in order', async () => {
    const { link, trial, events } = makeRig();
    link.on('state', ({ to }) => {
      expect(typeof link.attempts).toBe('number');
      if (to === 'backoff') link.disconnect();
      if (to === 'disconnected' && events.length < 6) link.connect();
    });
    link.connect();
    await trial().fail();
    expect(events).toEqual([
      'disconnected -> connecting',
      'connecting -> backoff',
      'backoff -> disconnected',
      'disconnected -> connecting',
    ]);
    expect(link.state).toBe('connecting');
  });

  it('of connected may hang up at once', async () => {
    const { link, connected, events } = makeRig();
    link.on('connected', () => link.disconnect());
    await connected();
    expect(link.state).toBe('disconnected');
    expect(events.at(-1)).toBe('connected -> disconnected');
  });

  it('of a breaker may disconnect in the middle of a failure', async () => {
    const { clock } = makeRig();
    const breaker: CircuitBreaker = new CircuitBreaker({
      failureThreshold: 1,
      clock,
      onStateChange: () => rig.link.disconnect(),
    });
    const rig = makeRig({}, { breaker, clock });
    rig.link.connect();
    await rig.trial().fail();
    expect(rig.link).toMatchObject({ state: 'disconnected', failures: 0 });
    expect(rig.events).toEqual(['disconnected -> connecting', 'connecting -> disconnected']);
    expect(rig.link.nextTimeoutMs()).toBe(Number.POSITIVE_INFINITY);
  });

  it('may close it from within the connect function', async () => {
    const rig = makeRig(
      {},
      {
        connect: () => {
          rig.link.close();
          return new Promise(() => {});
        },
      },
    );
    rig.link.connect();
    await rig.clock.advance(0);
    expect(rig.link.state).toBe('disconnected');
  });

  it('that throws keeps nobody else from hearing, and nothing from happening', async () => {
    const { stdout } = await runScript(`
      const { ReconnectingSocket } = require('@sock/reconnect');
      const { Socket } = require('@sock/core');
      process.on('uncaughtException', ({ message }) => console.log(message));
      const [near, far] = Socket.pair();
      const onStateChange = () => { throw new Error('thrown'); };
      const options = { connect: async () => near, onStateChange };
      const link = new ReconnectingSocket('x', 1, {}, options);
      link.on('state', ({ to }) => console.log(to));
      await link.connect();
      far.close();
      link.close();
    `);
    const lines = stdout.trim().split('\n');
    expect(lines.filter((line) => line === 'thrown')).toHaveLength(3);
    expect(lines.filter((line) => line !== 'thrown')).toEqual([
      'connecting',
      'connected',
      'disconnected',
    ]);
  });
});

describe('onStateChange', () => {
  it('is called with both states, in the context of the construction', async () => {
    const storage = new AsyncLocalStorage<string>();
    const calls: [ReconnectState, ReconnectState, string | undefined][] = [];
    const { link, trial } = storage.run('here', () =>
      makeRig({}, { onStateChange: (from, to) => calls.push([from, to, storage.getStore()]) }),
    );
    link.connect();
    await trial().fail();
    expect(calls).toEqual([
      ['disconnected', 'connecting', 'here'],
      ['connecting', 'backoff', 'here'],
    ]);
  });
});

describe('the event lost', () => {
  it('tells why, for how long it was there, and what had gone', async () => {
    const { link, connected, clock } = makeRig();
    const peer = await connected();
    const lost = new Promise((resolve) => link.once('lost', resolve));
    await link.sendAll('12345');
    await clock.advance(50);
    peer.close();
    await expect(lost).resolves.toMatchObject({
      error: expect.objectContaining({ name: 'SocketClosedError' }),
      duration: 50,
      bytesSent: 5,
    });
  });
});

describe('the channel sock:reconnect:state', () => {
  it('tells of every change', async () => {
    const messages: unknown[] = [];
    const listener = (message: unknown) => messages.push(message);
    subscribe('sock:reconnect:state', listener);
    const { link, trial } = makeRig();
    link.connect();
    await trial().fail();
    unsubscribe('sock:reconnect:state', listener);
    link.disconnect();
    const common = { host: 'x', port: 1, attempt: 1, time: expect.any(Number) };
    expect(messages).toEqual([
      { ...common, from: 'disconnected', to: 'connecting', error: undefined },
      { ...common, from: 'connecting', to: 'backoff', error: expect.any(Error) },
    ]);
    expect(monotonicMs()).toBeGreaterThan(0);
  });
});

describe('the counter reconnects', () => {
  it('counts comebacks, not first connections', async () => {
    const before = readCounters().reconnects;
    const { link, connected, clock, trial } = makeRig();
    const peer = await connected();
    expect(readCounters().reconnects).toBe(before);
    const lost = new Promise((resolve) => link.once('lost', resolve));
    peer.close();
    await lost;
    await clock.advance(100);
    await trial().succeed();
    expect(readCounters().reconnects).toBe(before + 1);
  });
});
