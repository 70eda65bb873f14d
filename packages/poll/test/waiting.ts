/** How polls are waited for, in every form. Each test is run on each backend. */
import { monotonicMs, Socket } from '@sock/core';
import { type PollBackend, PollEvents, SocketPoll } from '@sock/poll';
import { turns, within } from '@sock/testing';
import { bits, Cleanup } from './support.js';

const { Read, Write, OneShot } = PollEvents;

export function describeWaiting(backend: PollBackend): void {
  describe(`SocketPoll on ${backend}`, () => {
    const cleanup = new Cleanup();
    let poll: SocketPoll;
    let near: Socket;
    let far: Socket;

    beforeEach(() => {
      poll = cleanup.add(new SocketPoll({ backend }));
      [near, far] = Socket.pair().map((socket) => cleanup.add(socket)) as [Socket, Socket];
    });
    afterEach(() => cleanup.run());

    describe('waiting', () => {
      it('ends with its time and not before, in each form', async () => {
        poll.add(near, Read);
        for (const wait of [() => poll.waitSync(12.5), () => poll.wait(12.5)]) {
          const startMs = monotonicMs();
          expect(await wait()).toEqual([]);
          expect(monotonicMs() - startMs).toBeGreaterThanOrEqual(12.5);
        }
        expect(await poll.wait(0)).toEqual([]);
        expect(poll.waitSync(0)).toEqual([]);
      });

      it('takes the default where none is given', async () => {
        expect(poll.defaultTimeout).toBe(Number.POSITIVE_INFINITY);
        poll.defaultTimeout = 5;
        expect(poll.waitSync()).toEqual([]);
        expect(await within(1_000, poll.wait())).toEqual([]);
      });

      it('waits without anything to wait for, until it is woken', async () => {
        const waiting = poll.wait();
        await turns(2);
        poll.wake();
        expect(await within(1_000, waiting)).toEqual([]);
      });

      it('keeps a wake-up for the next wait, and makes one of many', async () => {
        for (const wait of [() => poll.waitSync(1_000), () => poll.wait()]) {
          poll.wake();
          poll.wake();
          expect(await within(1_000, Promise.resolve(wait()))).toEqual([]);
          expect(poll.waitSync(5)).toEqual([]);
        }
      });

      it('is not woken by a wake-up that came with events', async () => {
        poll.add(near, Write);
        poll.wake();
        expect(bits(poll.waitSync(1_000))).toEqual([Write]);
        poll.remove(near);
        expect(await poll.wait(20)).toEqual([]);
      });

      it('is aborted by its signal, and loses no event by it', async () => {
        const abort = new AbortController();
        poll.add(near, Read | OneShot);
        const waiting = poll.wait(1_000, { signal: abort.signal });
        far.trySend('x');
        abort.abort('enough');
        await expect(waiting).rejects.toMatchObject({ name: 'AbortError', cause: 'enough' });
        await expect(poll.wait(1_000, { signal: abort.signal })).rejects.toMatchObject({
          code: 'ABORT_ERR',
        });
        await turns(2);
        expect(bits(poll.waitSync(1_000))).toEqual([Read]);
      });

      it('is one at a time', async () => {
        const waiting = poll.wait();
        const busy = expect.objectContaining({ code: 'ERR_SOCK_BUSY' });
        await expect(poll.wait()).rejects.toEqual(busy);
        expect(() => poll.waitSync()).toThrow(busy);
        expect(() => poll.tryWait()).toThrow(busy);
        poll.wake();
        await within(1_000, waiting);
      });

      it('leaves the event loop its turns, however much is ready', async () => {
        poll.add(near, Write);
        let ticks = 0;
        const timer = setInterval(() => ticks++, 1);
        while (ticks < 3) await within(1_000, poll.wait());
        clearInterval(timer);
      });

      it('is rejected when the poll is closed, as is every later call', async () => {
        const waiting = poll.wait();
        poll.close();
        poll.close();
        const closed = expect.objectContaining({ code: 'ERR_SOCK_CLOSED', name: 'PollError' });
        await expect(waiting).rejects.toEqual(closed);
        await expect(poll.wait()).rejects.toEqual(closed);
        await expect(poll.run(() => {})).rejects.toEqual(closed);
        const calls = [
          () => poll.add(near, Read),
          () => poll.modify(near, Read),
          () => poll.remove(near),
          () => poll.waitSync(),
          () => poll.tryWait(),
          () => poll.wake(),
          () => poll.waker(),
          () => poll.addTimer(1, () => {}),
          () => poll.addRepeatingTimer(1, () => {}),
        ];
        for (const call of calls) expect(call).toThrow(closed);
        expect(poll.closed).toBe(true);
      });

      it('gives its sockets back when the poll is closed', async () => {
        poll.add(near, Read);
        poll.close();
        far.trySend('x');
        expect(String(await within(1_000, near.recv()))).toBe('x');
        const next = cleanup.add(new SocketPoll({ backend }));
        next.add(near, Write);
        expect(bits(next.waitSync(1_000))).toEqual([Write]);
      });
    });

    describe('run and iteration', () => {
      it('bring one event after the other until the poll is closed', async () => {
        poll.add(near, Read);
        far.trySend('a');
        const seen: string[] = [];
        for await (const { socket } of poll) {
          seen.push(String((socket as Socket).tryRecv()));
          if (seen.length === 3) poll.close();
          else far.trySend('b');
        }
        expect(seen).toEqual(['a', 'b', 'b']);
      });

      it('pass over what was removed or closed meanwhile', async () => {
        const seen: unknown[] = [];
        poll.add(near, Write);
        poll.add(far, Write);
        await within(
          1_000,
          poll.run(({ socket }) => {
            seen.push(socket);
            for (const other of [near, far]) if (other !== socket) other.close();
            if (seen.length === 2) poll.close();
          }),
        );
        expect(seen[1]).toBe(seen[0]);
      });

      it('wait for the promise of a handler, and end with its error', async () => {
        poll.add(near, Write);
        poll.add(far, Write);
        let running = 0;
        let calls = 0;
        const run = poll.run(async () => {
          expect(++running).toBe(1);
          await turns(1);
          running--;
          if (++calls === 5) throw new Error('enough');
        });
        await expect(run).rejects.toThrow('enough');
        expect(poll.closed).toBe(false);
      });

      it('end with the signal', async () => {
        const abort = new AbortController();
        const run = poll.run(() => {}, { signal: abort.signal });
        abort.abort();
        await expect(run).rejects.toMatchObject({ name: 'AbortError' });
        expect(poll.tryWait()).toEqual([]);
      });
    });
  });
}
