/**
 * Values that nobody should pass, as arguments of AsyncIO. Each is refused with an error that names
 * the argument, or taken; nothing crashes, hangs, or stays open. `SOCK_SEED` replays what it finds.
 */
import { Socket } from '@sock/core';
import { type AsyncBackend, AsyncIO } from '@sock/poll';
import { chooseSeed, describeWithPeers, expectSockets, openSockets, within } from '@sock/testing';
import { anything, expectAllowed, type Maker, maker, oneOf, options } from '@sock/testing/hostile';
import fc from 'fast-check';

/** Registered memory of that size would be given, and pinned. */
const odd = anything((value) => typeof value === 'number' && value > 1e6 && value < 2 ** 31);
const callback = fc.oneof(
  odd,
  oneOf(() => {}),
);
const flags = options({ signal: odd, zeroCopy: fc.oneof(odd, oneOf(true, false)) });

/** A socket of the run, or anything. */
function seat(at: number): fc.Arbitrary<Maker> {
  return fc.oneof(odd, fc.constant(maker(() => seats[at], `socket ${at}`)));
}

let seats: Socket[] = [];

type Verb = (io: AsyncIO, args: never[]) => unknown;

const verbs: Record<string, [Verb, readonly fc.Arbitrary<Maker>[]]> = {
  construct: [(_, [arg]) => new AsyncIO(arg).close(), [options({ entries: odd, backend: odd })]],
  send: [(io, [to, data, arg]) => io.send(to as never, data as never, arg), [seat(0), odd, flags]],
  recv: [(io, [from, size, arg]) => io.recv(from as never, size, arg), [seat(1), odd, flags]],
  submitSend: [
    (io, [to, data, call, arg]) => io.submitSend(to as never, data as never, call as never, arg),
    [seat(0), odd, callback, flags],
  ],
  submitRecv: [
    (io, [from, size, call]) => io.submitRecv(from as never, size as never, call as never),
    [seat(1), odd, callback],
  ],
  receives: [(io, [from, arg]) => io.receives(from as never, arg).next(), [seat(1), flags]],
  accepts: [(io, [from, arg]) => io.accepts(from as never, arg).next(), [seat(1), flags]],
  cancel: [(io, [id]) => io.cancel(id as never), [odd]],
  processCompletions: [(io, [max]) => io.processCompletions(max), [odd]],
  registerMemory: [(io, [size]) => io.registerMemory(size as never), [odd]],
};

const call = fc
  .constantFrom(...Object.keys(verbs))
  .chain((name) => fc.tuple(fc.constant(name), fc.tuple(...(verbs[name]?.[1] ?? []))));

function describeHostile(backend: AsyncBackend): void {
  /** A few calls on one AsyncIO, and its end. */
  async function attempt(calls: readonly [string, readonly Maker[]][]): Promise<void> {
    seats = Socket.pair();
    const io = new AsyncIO({ backend });
    const pending: Promise<unknown>[] = [];
    for (const [name, makers] of calls) {
      const expectFrom = (error: unknown): void => expectAllowed(error, name);
      try {
        const result = verbs[name]?.[0](io, makers.map((make) => make()) as never[]);
        if (result instanceof Promise) pending.push(result.catch(expectFrom));
      } catch (error) {
        if ((error as { code?: string }).code !== 'ERR_SOCK_UNSUPPORTED') expectFrom(error);
      }
    }
    for (const socket of seats) socket.close();
    await within(2_000, Promise.all(pending), 'settling');
    await within(2_000, io[Symbol.asyncDispose](), 'the end of the AsyncIO');
  }

  it(`are refused by name, or taken, on ${backend}`, async () => {
    const before = openSockets();
    const numRuns = Number(process.env.SOCK_RUNS ?? 300);
    const property = fc.asyncProperty(fc.array(call, { maxLength: 6 }), attempt);
    await fc.assert(property, { seed: chooseSeed(), numRuns });
    await expectSockets(before);
  }, 60_000);
}

describe('hostile arguments', () => {
  describeWithPeers(['io_uring'], 'where there is io_uring', () => describeHostile('io_uring'));
  describeHostile('edge-triggered');
});
