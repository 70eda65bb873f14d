/** What the iterations of AsyncIO promise, asked of a backend. */
import { connect, listen, Socket } from '@sock/core';
import { type AsyncBackend, AsyncIO } from '@sock/poll';
import { turns, until, within } from '@sock/testing';
import { Cleanup, tcpPair } from './support.js';

export function describeIterations(backend: AsyncBackend): void {
  describe(`AsyncIO on ${backend}`, () => {
    const cleanup = new Cleanup();
    let io: AsyncIO;
    let near: Socket;
    let far: Socket;

    beforeEach(() => {
      io = new AsyncIO({ backend });
      [near, far] = Socket.pair().map((socket) => cleanup.add(socket)) as [Socket, Socket];
    });
    afterEach(async () => {
      cleanup.run();
      await io[Symbol.asyncDispose]();
    });

    describe('an iteration over what is received', () => {
      it('brings everything, and ends with the stream', async () => {
        const chunks: Buffer[] = [];
        const sending = (async () => {
          for (let i = 0; i < 200; i++) await near.sendAll(Buffer.alloc(10_000, i));
          near.close();
        })();
        for await (const chunk of io.receives(far)) chunks.push(chunk);
        await sending;
        const all = Buffer.concat(chunks);
        expect(all).toHaveLength(2_000_000);
        for (let i = 0; i < 200; i++) expect(all[i * 10_000]).toBe(i % 256);
        expect(io.pending).toBe(0);
      });

      it('holds up the peer of a reader that is slow, and loses nothing', async () => {
        const [client, server] = await tcpPair(cleanup);
        const steps = io.receives(server);
        const first = steps.next();
        let sent = 0;
        const data = Buffer.alloc(65_536, 'x');
        const sending = (async () => {
          while (sent < 16 << 20) {
            await client.sendAll(data);
            sent += data.length;
          }
          client.close();
        })();
        await first;
        // Nobody reads: what waits here has a limit, what the kernel takes has one, too.
        let before = -1;
        await until(5_000, async () => {
          const isHeld = sent === before;
          before = sent;
          await new Promise((resolve) => setTimeout(resolve, 50));
          return isHeld;
        });
        expect(sent).toBeLessThan(16 << 20);
        let received = (await first).value?.length ?? 0;
        for await (const chunk of steps) received += chunk.length;
        await sending;
        expect(received).toBe(16 << 20);
      });

      it('gives back what was not read when the loop is left', async () => {
        near.trySend('one');
        for await (const chunk of io.receives(far)) {
          expect(String(chunk)).toBe('one');
          near.trySend('two');
          await turns(3);
          near.trySend('three');
          break;
        }
        expect(io.pending).toBe(0);
        expect(String(await far.recvAll(8))).toBe('twothree');
        near.trySend('four');
        expect(String(await io.recv(far))).toBe('four');
      });

      it('begins with what the socket has put aside', async () => {
        near.trySend('abc');
        await expect(far.recvAll(8, { timeout: 1 })).rejects.toMatchObject({
          code: 'ERR_SOCK_TIMEOUT',
        });
        expect(String(await io.recv(far, 2))).toBe('ab');
        const steps = io.receives(far);
        expect(String((await steps.next()).value)).toBe('c');
        near.trySend('d');
        expect(String((await within(1_000, steps.next())).value)).toBe('d');
        await steps.return?.();
      });

      it('serves several readers in turn, and tells an error once', async () => {
        const steps = io.receives(far);
        const reads = [steps.next(), steps.next(), steps.next()];
        near.trySend('one');
        expect(String((await reads[0])?.value)).toBe('one');
        near.trySend('two');
        expect(String((await reads[1])?.value)).toBe('two');
        far.close();
        await expect(reads[2]).rejects.toMatchObject({ code: 'ERR_SOCK_CLOSED' });
        expect(await steps.next()).toEqual({ value: undefined, done: true });
        expect(await steps.return?.()).toEqual({ value: undefined, done: true });
      });

      it('that was never begun is over when it is left', async () => {
        const steps = io.receives(far);
        expect(await within(1_000, steps.return?.() as Promise<unknown>)).toMatchObject({
          done: true,
        });
        expect(await steps.next()).toMatchObject({ done: true });
        near.trySend('x');
        expect(String(await far.recv())).toBe('x');
      });
    });

    describe('an iteration over connections', () => {
      it('brings one after the other, and ends when the listener is closed', async () => {
        const listener = cleanup.add(listen({ host: '127.0.0.1' }));
        const port = listener.localPort as number;
        const texts: string[] = [];
        const serving = (async () => {
          for await (const socket of io.accepts(listener)) {
            expect(socket.remotePort).toBeGreaterThan(0);
            texts.push(String(await io.recv(socket)));
            socket.close();
            if (texts.length === 20) listener.close();
          }
        })();
        for (let i = 0; i < 20; i++) {
          const client = cleanup.add(await connect({ host: '127.0.0.1', port }));
          await client.sendAll(`client ${i}`);
        }
        await within(5_000, serving);
        expect(texts).toEqual(Array.from({ length: 20 }, (_, i) => `client ${i}`));
      });

      it('gives back the connections that nobody took', async () => {
        const listener = cleanup.add(listen({ path: `@sock-async-${process.pid}-${backend}` }));
        const path = listener.localAddress as string;
        const steps = io.accepts(listener);
        const first = steps.next();
        const clients = await Promise.all(Array.from({ length: 3 }, () => connect({ path })));
        for (const client of clients) cleanup.add(client);
        cleanup.add((await within(1_000, first)).value as Socket);
        await turns(2);
        await steps.return?.();
        for (let i = 0; i < 2; i++) cleanup.add(await within(1_000, listener.accept()));
      });

      it('closes them when the listener is gone', async () => {
        const listener = cleanup.add(listen({ host: '127.0.0.1' }));
        const port = listener.localPort as number;
        const steps = io.accepts(listener);
        const first = steps.next();
        const clients = await Promise.all([1, 2].map(() => connect({ host: '127.0.0.1', port })));
        for (const client of clients) cleanup.add(client);
        const accepted = (await first).value as Socket;
        await turns(2);
        listener.close();
        accepted.close();
        expect(await within(1_000, steps.next())).toMatchObject({ done: true });
        for (const client of clients) {
          const ended = client.recv();
          await expect(within(1_000, ended)).rejects.toMatchObject({
            code: expect.stringMatching(/^(ERR_SOCK_EOF|ECONNRESET)$/),
          });
        }
      });
    });
  });
}
