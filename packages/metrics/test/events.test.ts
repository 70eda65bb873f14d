import { channel } from 'node:diagnostics_channel';
import { connect, listen } from '@sock/core';
import { type EventHandler, type EventRecord, events } from '@sock/metrics';
import { SocketPoll } from '@sock/poll';

const registered: EventHandler[] = [];

function register(handler: EventHandler): EventHandler {
  registered.push(handler);
  events.register(handler);
  return handler;
}
afterEach(() => {
  for (const handler of registered.splice(0)) events.unregister(handler);
});

const connection = {
  fd: 9,
  family: 'ipv4',
  localAddress: '127.0.0.1',
  localPort: 1,
  remoteAddress: '127.0.0.1',
  remotePort: 2,
} as const;

describe('events', () => {
  it('tell of connections that come, go and fail', async () => {
    const told: EventRecord[] = [];
    register((record) => told.push(record));
    const server = listen({ host: '127.0.0.1' });
    const port = server.localPort;
    const near = await connect({ host: '127.0.0.1', port });
    const far = await server.accept();
    for (const socket of [near, far, server]) socket.close();
    await expect(connect({ host: '127.0.0.1', port })).rejects.toThrow();
    const types = told.map(({ type }) => type);
    expect(types.sort()).toEqual(['accepted', 'closed', 'closed', 'connect-failed', 'connected']);
    expect(told.find(({ type }) => type === 'connected')).toMatchObject({ remotePort: port });
  });

  it('tell of polls that wake up', () => {
    const told: EventRecord[] = [];
    register((record) => told.push(record));
    const poll = new SocketPoll();
    poll.wake();
    poll.waitSync(1_000);
    poll.close();
    expect(told).toMatchObject([{ type: 'poll-wakeup', events: 0, timers: 0 }]);
  });

  it('are subscribed to only while somebody is registered', () => {
    const accepts = channel('sock:core:accept');
    expect(accepts.hasSubscribers).toBe(false);
    const handler = register(() => {});
    expect(accepts.hasSubscribers).toBe(true);
    events.unregister(handler);
    expect(accepts.hasSubscribers).toBe(false);
  });

  it('come to each handler once, in the order of registration', () => {
    const calls: string[] = [];
    const first = register(() => calls.push('first'));
    register(() => calls.push('second'));
    register(first);
    events.emitAccept(connection);
    expect(calls).toEqual(['first', 'second']);
  });

  it('let a handler unregister another while a record is handed out', () => {
    const later = jest.fn();
    register(() => events.unregister(later));
    register(later);
    events.emitAccept(connection);
    events.emitAccept(connection);
    expect(later).toHaveBeenCalledTimes(1);
  });

  it('reach the other handlers when one throws, whose error is not lost', () => {
    const nextTick = jest.spyOn(process, 'nextTick').mockImplementation(() => {});
    try {
      const other = jest.fn();
      register(() => {
        throw new Error('of the handler');
      });
      register(other);
      events.emitAccept(connection);
      expect(other).toHaveBeenCalledTimes(1);
      expect(nextTick.mock.calls[0]?.[0]).toThrow('of the handler');
    } finally {
      nextTick.mockRestore();
    }
  });

  it('can be told by hand', () => {
    const told: EventRecord[] = [];
    register((record) => told.push(record));
    events.emitAccept(connection);
    events.emitConnect({ ...connection, duration: 3 });
    events.emitDnsTimeout({ hostname: 'example.org' });
    events.emitPollWakeup({ backend: 'epoll', events: 2, timers: 1 });
    expect(told).toMatchObject([
      { type: 'accepted', fd: 9 },
      { type: 'connected', duration: 3 },
      { type: 'dns-timeout', hostname: 'example.org' },
      { type: 'poll-wakeup', events: 2, timers: 1 },
    ]);
    for (const { time } of told) expect(time).toBeGreaterThan(0);
  });

  it('refuse what is no function', () => {
    expect(() => events.register({} as never)).toThrow(/handler/);
  });
});
