import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Socket } from '@sock/core';
import { binding, readCounters } from '@sock/native';
import { type PollBackend, PollEvents, SocketPoll, type WakeupEvent } from '@sock/poll';
import { within } from '@sock/testing';
import { Cleanup } from './support.js';

const { Read, Write } = PollEvents;
// Those of the usual addon: kqueue's is asked by `pnpm check jest:address`.
const backends: readonly PollBackend[] = binding.backends;

describe.each(backends)('what can be watched of polls, on %s', (backend) => {
  const cleanup = new Cleanup();
  let poll: SocketPoll;
  let near: Socket;
  let far: Socket;
  let told: WakeupEvent[];
  const onWakeup = (message: unknown): void => void told.push(message as WakeupEvent);

  beforeEach(() => {
    told = [];
    poll = cleanup.add(new SocketPoll({ backend }));
    [near, far] = Socket.pair().map((socket) => cleanup.add(socket)) as [Socket, Socket];
    subscribe('sock:poll:wakeup', onWakeup);
  });
  afterEach(() => {
    unsubscribe('sock:poll:wakeup', onWakeup);
    cleanup.run();
  });

  it('tells of a wait that has found events, with their number', () => {
    poll.add(near, Write);
    poll.add(far, Write);
    poll.waitSync(1_000);
    expect(told).toEqual([{ time: expect.any(Number), backend, events: 2, timers: 0 }]);
  });

  it('tells of timers that fired, and of a wake-up that found nothing', async () => {
    poll.addTimer(0, () => {});
    poll.addTimer(0, () => {});
    await within(1_000, poll.wait());
    poll.wake();
    poll.waitSync(1_000);
    expect(told.map(({ events, timers }) => [events, timers])).toEqual([
      [0, 2],
      [0, 0],
    ]);
  });

  it('tells nothing of a wait whose time was over', async () => {
    poll.add(near, Read);
    poll.waitSync(1);
    await poll.wait(1);
    expect(poll.tryWait()).toEqual([]);
    expect(told).toEqual([]);
  });

  it('counts waits, events and timers, over all threads', () => {
    const before = readCounters();
    poll.add(near, Write);
    poll.waitSync(1_000);
    poll.tryWait();
    poll.addTimer(0, () => {});
    poll.addTimer(60_000, () => {}).cancel();
    poll.tryWait();
    const after = readCounters();
    expect(after.poll_wakeups - before.poll_wakeups).toBe(3);
    expect(after.poll_events_dispatched - before.poll_events_dispatched).toBe(3);
    expect(after.timers_fired - before.timers_fired).toBe(1);
  });
});
