/**
 * Values that nobody should pass, as arguments of polls and timers. Each is refused with an error
 * that names the argument, or taken; nothing crashes, hangs, or stays open. `SOCK_SEED` replays
 * what it finds.
 */
import { isSocketError, Socket } from '@sock/core';
import { binding } from '@sock/native';
import { type PollBackend, SocketPoll, Waker } from '@sock/poll';
import { chooseSeed, expectSockets, openSockets, within } from '@sock/testing';
import { anything, expectAllowed, type Maker, maker, oneOf, options } from '@sock/testing/hostile';
import fc from 'fast-check';

const odd = anything();
/** What is in the poll, is not, or anything: numbers are descriptors, of whatever. */
const target = fc.oneof(odd, ...[0, 1].map((at) => fc.constant(maker(() => seats[at], `${at}`))));
const callback = fc.oneof(
  odd,
  oneOf(() => {}),
);
/** A wait is never long, which any number may ask for: the poll is woken before each. */
const limits = options({ signal: odd });

let seats: Socket[] = [];

type Verb = (poll: SocketPoll, args: never[]) => unknown;

const verbs: Record<string, [Verb, readonly fc.Arbitrary<Maker>[]]> = {
  construct: [
    (_, [arg]) => new SocketPoll(arg).close(),
    [options({ maxEvents: odd, backend: odd })],
  ],
  add: [
    (poll, [one, events, data]) => poll.add(one as never, events as never, data as never),
    [target, odd, odd],
  ],
  modify: [
    (poll, [one, events, data]) => poll.modify(one as never, events as never, data as never),
    [target, odd, odd],
  ],
  remove: [(poll, [one]) => poll.remove(one as never), [target]],
  wait: [(poll, [limit, arg]) => poll.wait(limit as never, arg as never), [odd, limits]],
  waitSync: [(poll, [limit]) => poll.waitSync(limit as never), [odd]],
  run: [(poll, [handler, arg]) => poll.run(handler as never, arg as never), [callback, limits]],
  setDefault: [
    (poll, [limit]) => {
      poll.defaultTimeout = limit as never;
    },
    [odd],
  ],
  addTimer: [
    (poll, [delay, call]) => poll.addTimer(delay as never, call as never),
    [odd, callback],
  ],
  addRepeatingTimer: [
    (poll, [interval, call]) => poll.addRepeatingTimer(interval as never, call as never),
    [odd, callback],
  ],
  reschedule: [(poll, [delay]) => poll.addTimer(1, () => {}).reschedule(delay as never), [odd]],
  wakeOthers: [(_, [waker]) => new Waker(waker as never).wake(), [odd]],
};

const call = fc
  .constantFrom(...Object.keys(verbs))
  .chain((name) => fc.tuple(fc.constant(name), fc.tuple(...(verbs[name]?.[1] ?? []))));

/** What poll(2) says of edge-triggered interests, which the others have. */
function isOfPoll(error: unknown, name: string): boolean {
  const isUnsupported = isSocketError(error) && error.code === 'ERR_SOCK_UNSUPPORTED';
  return isUnsupported && (name === 'add' || name === 'modify');
}

/** A few calls on one poll, and its end. */
async function attempt(
  backend: PollBackend,
  calls: readonly [string, readonly Maker[]][],
): Promise<void> {
  seats = Socket.pair();
  const poll = new SocketPoll({ backend });
  const pending: Promise<unknown>[] = [];
  for (const [name, makers] of calls) {
    const expectFrom = (error: unknown): void => {
      if (backend !== 'poll' || !isOfPoll(error, name)) expectAllowed(error, name);
    };
    try {
      poll.wake();
      const result = verbs[name]?.[0](poll, makers.map((make) => make()) as never[]);
      if (result instanceof Promise) pending.push(result.catch(expectFrom));
    } catch (error) {
      expectFrom(error);
    }
  }
  poll.close();
  for (const socket of seats) socket.close();
  await within(5_000, Promise.all(pending), 'settling');
}

// Those of the usual addon: kqueue's is asked by `pnpm check jest:address`.
describe.each(binding.backends)('hostile arguments of a SocketPoll', (backend) => {
  it(`are refused by name, or taken, on ${backend}`, async () => {
    const before = openSockets();
    const numRuns = Number(process.env.SOCK_RUNS ?? 200);
    const property = fc.asyncProperty(fc.array(call, { maxLength: 8 }), (calls) =>
      attempt(backend, calls),
    );
    await fc.assert(property, { seed: chooseSeed(), numRuns });
    await expectSockets(before);
  }, 60_000);
});
