/** Accepting for a listener above, which asks once for all that comes. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { connect, type ListeningSocket, listen, type Socket } from '@sock/core';
import { binding, Control, type Guard } from '@sock/native';
import { until, useCleanup } from '@sock/testing';

const host = '127.0.0.1';

class Taker {
  guard: Guard | null = null;
  readonly taken: Socket[] = [];
  /** In which turns of the event loop. */
  readonly turns: number[] = [];
  readonly failures: unknown[] = [];
  onTake = (): void => {};
  most: number;

  constructor(most = Number.POSITIVE_INFINITY) {
    this.most = most;
  }

  get room(): number {
    return this.most - this.taken.length;
  }

  take(socket: Socket): void {
    this.taken.push(socket);
    this.turns.push(binding.control[Control.Turn] as number);
    this.onTake();
  }

  fail(error: unknown): void {
    this.failures.push(error);
  }
}

describe('a listener that hands over what comes', () => {
  const { add: closing } = useCleanup();

  const listening = (): ListeningSocket => closing(listen({ host }));

  async function clients(listener: ListeningSocket, count: number): Promise<Socket[]> {
    const target = { host, port: listener.localPort ?? 0 };
    return Promise.all(Array.from({ length: count }, async () => closing(await connect(target))));
  }

  function feeding(listener: ListeningSocket, taker: Taker): () => void {
    const close = (): void => {
      for (const socket of taker.taken) socket.close();
    };
    closing({ close });
    return listener.acceptInto(taker);
  }

  const named = (sockets: readonly Socket[]) => sockets.map(({ remotePort }) => remotePort);

  it('goes on without being asked again', async () => {
    const listener = listening();
    const taker = new Taker();
    feeding(listener, taker);
    const ports: unknown[] = [];
    for (let count = 1; count <= 3; count++) {
      ports.push((await clients(listener, 1))[0]?.localPort);
      await until(2_000, () => taker.taken.length === count);
    }
    expect(named(taker.taken)).toEqual(ports);
    expect(taker.failures).toEqual([]);
  });

  it('brings more in a turn while they come turn after turn', async () => {
    const listener = listening();
    const taker = new Taker();
    feeding(listener, taker);
    await clients(listener, 32);
    await until(2_000, () => taker.taken.length === 32);
    expect(new Set(taker.turns).size).toBeLessThan(16);
  });

  it('leaves those in the backlog for whom there is no room, until there is', async () => {
    const listener = listening();
    const taker = new Taker(2);
    const goOn = feeding(listener, taker);
    await clients(listener, 5);
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    expect(taker.taken).toHaveLength(2);
    taker.most = 4;
    goOn();
    await until(2_000, () => taker.taken.length === 4);
    // Who asks for one by hand gets the next.
    closing(await listener.accept());
    expect(taker.taken).toHaveLength(4);
  });

  it('does not take a long backlog in one turn', async () => {
    const listener = listening();
    await clients(listener, 40);
    const taker = new Taker();
    feeding(listener, taker);
    expect(taker.taken.length).toBeLessThan(40);
    await until(2_000, () => taker.taken.length === 40);
  });

  it('takes turns with those who accept by themselves', async () => {
    const listener = listening();
    const taker = new Taker();
    feeding(listener, taker);
    const accepting = [listener.accept(), listener.accept()];
    await clients(listener, 4);
    for (const accepted of accepting) closing(await accepted);
    await until(2_000, () => taker.taken.length === 2);
  });

  it('asks the guard that the taker has now', async () => {
    const listener = listening();
    const taker = new Taker();
    const goOn = feeding(listener, taker);
    await clients(listener, 1);
    await until(2_000, () => taker.taken.length === 1);
    let refused = 0;
    taker.guard = () => {
      refused++;
      return false;
    };
    goOn();
    // They may be reset before they know that they were connected.
    await clients(listener, 2).catch(() => {});
    await until(2_000, () => refused === 2);
    expect(taker.taken).toHaveLength(1);
  });

  it('tells that it was closed, at once or when it is to go on', async () => {
    const closed = { code: 'ERR_SOCK_CLOSED' };
    const waiting = listening();
    const taker = new Taker();
    const goOn = feeding(waiting, taker);
    waiting.close();
    expect(taker.failures).toMatchObject([closed]);
    goOn();
    expect(taker.failures).toMatchObject([closed, closed]);

    const taking = listening();
    const closer = new Taker();
    closer.onTake = () => taking.close();
    feeding(taking, closer);
    await clients(taking, 1);
    await until(2_000, () => closer.failures.length > 0);
    expect(closer.failures).toMatchObject([closed]);
    expect(() => taking.acceptInto(closer)).toThrow(expect.objectContaining(closed));
  });

  it('is refused while the accepting is lent', () => {
    const listener = listening();
    const loan = listener.lendAccepting({ onClosing: () => {} });
    const taker = new Taker();
    const goOn = feeding(listener, taker);
    expect(taker.failures).toMatchObject([{ code: 'ERR_SOCK_BUSY' }]);
    loan.end();
    goOn();
    expect(taker.failures).toHaveLength(1);
  });
});
