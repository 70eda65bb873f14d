/** Types of polls and timers: compiled, never run. */
import type { Poller, Socket } from '@sock/core';
import {
  type PollBackend,
  type PollEvent,
  PollEvents,
  SocketPoll,
  type Timer,
  Waker,
} from '@sock/poll';

export async function polls(socket: Socket, signal: AbortSignal): Promise<PollEvent[]> {
  using poll = new SocketPoll({ maxEvents: 10, backend: 'poll' });
  const backend: PollBackend = poll.backend;
  const asPoller: Poller = poll;
  poll.add(socket, PollEvents.Read | PollEvents.OneShot, backend);
  poll.add(0, PollEvents.Write);
  const removed: boolean = poll.remove(socket);
  // @ts-expect-error: no such backend
  new SocketPoll({ backend: 'select' });
  // @ts-expect-error: a name is no descriptor
  poll.add('stdin', PollEvents.Read);
  // @ts-expect-error: it cannot be changed
  poll.maxEvents = 5;
  // @ts-expect-error: the events are frozen
  PollEvents.Read = 2;
  await poll.run(({ data }) => void data, { signal });
  return removed
    ? poll.tryWait()
    : poll.wait(5, { signal: asPoller === poll ? signal : undefined });
}

export async function typed(socket: Socket): Promise<number> {
  const poll = new SocketPoll<Socket, { name: string }>();
  poll.add(socket, PollEvents.Read, { name: 'x' });
  // @ts-expect-error: sockets only
  poll.add(0, PollEvents.Read, { name: 'x' });
  // @ts-expect-error: of another shape
  poll.modify(socket, PollEvents.Read, { nam: 'x' });
  for await (const event of poll) return event.socket.fd + event.data.name.length;
  for (const event of poll.waitSync()) {
    // @ts-expect-error: an event is read only
    event.events = 0;
  }
  return poll.size;
}

export function timers(poll: SocketPoll): number {
  const timer: Timer = poll.addRepeatingTimer(5, () => {});
  timer.pause();
  // @ts-expect-error: it takes a function
  poll.addTimer(5);
  // @ts-expect-error: timers are made by polls
  new Timer();
  return timer.cancel() ? timer.remaining : Number(new Waker(structuredClone(poll.waker())).wake());
}
