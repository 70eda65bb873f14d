/** The AsyncIO that goes with a poll. */
import { Socket } from '@sock/core';
import { PollEvents, SocketPoll } from '@sock/poll';
import { within } from '@sock/testing';
import { Cleanup } from './support.js';

describe.each(['epoll', 'poll'] as const)('the asyncIO of a poll over %s', (backend) => {
  const cleanup = new Cleanup();
  let poll: SocketPoll;
  let near: Socket;
  let far: Socket;

  beforeEach(() => {
    poll = cleanup.add(new SocketPoll({ backend }));
    [near, far] = Socket.pair().map((socket) => cleanup.add(socket)) as [Socket, Socket];
  });
  afterEach(() => cleanup.run());

  it('is one, and closed with its poll', async () => {
    const { asyncIO } = poll;
    expect(poll.asyncIO).toBe(asyncIO);
    const received = asyncIO.recv(near);
    poll.close();
    await expect(received).rejects.toMatchObject({
      code: 'ERR_SOCK_CLOSED',
      name: 'AsyncIOError',
    });
    expect(asyncIO.closed).toBe(true);
    expect(() => poll.asyncIO).toThrow(expect.objectContaining({ code: 'ERR_SOCK_CLOSED' }));
  });

  it('calls back while the poll waits', async () => {
    const received = poll.asyncIO.recv(near);
    const waiting = poll.wait(5_000);
    far.trySend('x');
    expect(String(await within(1_000, received))).toBe('x');
    poll.wake();
    await waiting;
  });

  it('calls back within waits that block the thread, and ends them', () => {
    const told: unknown[] = [];
    poll.add(far, PollEvents.Read);
    poll.asyncIO.submitRecv(near, 10, (_, chunk) => told.push(String(chunk)));
    poll.asyncIO.submitSend(near, 'question', (_, sent) => told.push(sent));
    let events = poll.waitSync(5_000);
    while (events.length === 0) events = poll.waitSync(5_000);
    expect(events.map(({ socket }) => socket)).toEqual([far]);
    expect(String(far.tryRecv())).toBe('question');
    far.trySend('answer');
    while (told.length < 2) poll.waitSync(5_000);
    expect(told.sort()).toEqual([8, 'answer']);
    expect(poll.waitSync(5)).toEqual([]);
    expect(poll.tryWait()).toEqual([]);
  });

  it('calls back within a look that does not wait', () => {
    const told: unknown[] = [];
    far.trySend('there');
    poll.asyncIO.submitRecv(near, 10, (_, chunk) => told.push(String(chunk)));
    while (told.length === 0) poll.tryWait();
    expect(told).toEqual(['there']);
  });
});
