/** What AsyncIO promises, asked of a backend. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { listen, Socket } from '@sock/core';
import { readCounters } from '@sock/native';
import { type AsyncBackend, AsyncIO, type AsyncIOOptions } from '@sock/poll';
import { isPending, runScript, turns, until, within } from '@sock/testing';
import { Cleanup, tcpPair } from './support.js';

/** What a callback was told. */
type Told = [error: Error | null, value: Buffer | number | null];

export function describeAsyncIO(backend: AsyncBackend): void {
  describe(`AsyncIO on ${backend}`, () => {
    const cleanup = new Cleanup();
    let io: AsyncIO;
    let near: Socket;
    let far: Socket;

    function make(options?: AsyncIOOptions): AsyncIO {
      return cleanup.add(new AsyncIO({ backend, ...options }));
    }

    beforeEach(() => {
      io = make();
      [near, far] = Socket.pair().map((socket) => cleanup.add(socket)) as [Socket, Socket];
    });
    afterEach(async () => {
      cleanup.run();
      await io[Symbol.asyncDispose]();
    });

    /** Fills the way from near to far, so that a send has to wait. */
    function clog(): void {
      while (near.trySend(Buffer.alloc(65_536)) !== null);
    }

    it('tells what carries out the requests', () => {
      expect(io.backendName).toBe(backend);
    });

    describe('one request', () => {
      it('sends and receives', async () => {
        const received = io.recv(far, 100);
        expect(await io.send(near, 'hello')).toBe(5);
        expect(String(await within(1_000, received))).toBe('hello');
        expect(await io.send(near, Buffer.alloc(0))).toBe(0);
        expect(io.pending).toBe(0);
      });

      it('receives what was there before, and no more than asked for', async () => {
        near.trySend('abcdef');
        expect(String(await io.recv(far, 4))).toBe('abcd');
        expect(String(await io.recv(far))).toBe('ef');
      });

      it('has copied what it sends', async () => {
        const [client, server] = await tcpPair(cleanup);
        const data = Buffer.from('before');
        const sent = io.send(client, data);
        if (backend === 'io_uring') data.fill('x');
        expect(await sent).toBe(6);
        expect(String(await server.recv())).toBe('before');
      });

      it('calls back once, with the value, and never before the call has returned', async () => {
        const told: Told[] = [];
        near.trySend('there already');
        const id = io.submitRecv(far, 100, (...what) => told.push(what));
        const next = io.submitSend(far, 'an answer', (...what) => told.push(what));
        expect(told).toEqual([]);
        expect([id, next]).toEqual([1, 2]);
        await until(1_000, () => told.length === 2);
        await turns(2);
        expect(told).toHaveLength(2);
        expect(told).toContainEqual([null, 9]);
        expect(told.map(([, value]) => String(value))).toContain('there already');
      });

      it('waits for room', async () => {
        clog();
        const sent = io.send(near, 'at last');
        expect(await isPending(sent)).toBe(true);
        while (far.tryRecv(1 << 20) !== null);
        expect(await within(1_000, sent)).toBe(7);
        expect(String(await far.recv())).toBe('at last');
      });

      it('goes after those of its direction that were submitted before', async () => {
        clog();
        const sent = ['one ', 'two ', 'three'].map((text) => io.send(near, text));
        while (far.tryRecv(1 << 20) !== null);
        await within(1_000, Promise.all(sent));
        expect(String(await far.recvAll(13))).toBe('one two three');
        const received = [1, 2, 3].map((size) => io.recv(far, size));
        near.trySend('abbccc');
        expect((await Promise.all(received)).map(String)).toEqual(['a', 'bb', 'ccc']);
      });

      it('runs its callback where it was submitted', async () => {
        const storage = new AsyncLocalStorage();
        const seen = new Promise((resolve) => {
          storage.run('mine', () => {
            io.submitRecv(far, 1, () => resolve(storage.getStore()));
          });
        });
        near.trySend('x');
        expect(await within(1_000, seen)).toBe('mine');
      });

      it('keeps what a callback throws from the others', async () => {
        const result = await runScript(`
          const { Socket } = require('@sock/core');
          const { AsyncIO } = require('@sock/poll');
          process.on('uncaughtException', (error) => console.log(error.message));
          const io = new AsyncIO({ backend: '${backend}' });
          const [near, far] = Socket.pair();
          io.submitSend(near, 'x', () => { throw new Error('mine'); });
          io.submitSend(near, 'y', (error, sent) => console.log('sent', sent));
          console.log(String(await far.recvAll(2)));
          await io[Symbol.asyncDispose]();
          near.close();
          far.close();
        `);
        expect(result.stdout.split('\n').sort()).toEqual(['', 'mine', 'sent 1', 'xy']);
        expect(result.leakedSockets).toBe(0);
      });

      it('counts bytes for its socket', async () => {
        const [client, server] = await tcpPair(cleanup);
        await io.send(client, 'hello');
        await io.recv(server);
        expect([client.bytesWritten, server.bytesRead]).toEqual([5, 5]);
      });

      it('is one of many that go together', async () => {
        const count = 300;
        const small = make({ entries: 8 });
        const pairs = Array.from({ length: count }, () => Socket.pair());
        for (const socket of pairs.flat()) cleanup.add(socket);
        const received = pairs.map(([, to]) => small.recv(to));
        const sent = pairs.map(([from], index) => small.send(from, `message ${index}`));
        const texts = (await within(5_000, Promise.all(received))).map(String);
        expect(texts).toEqual(pairs.map((_, index) => `message ${index}`));
        await Promise.all(sent);
      });
    });

    describe('what goes wrong', () => {
      it('is the end of the stream', async () => {
        near.close();
        await expect(io.recv(far)).rejects.toMatchObject({
          code: 'ERR_SOCK_EOF',
          name: 'SocketClosedError',
        });
        await expect(far.recv()).rejects.toMatchObject({ code: 'ERR_SOCK_EOF' });
      });

      it('is a connection that broke, for everybody after that', async () => {
        const [client, server] = await tcpPair(cleanup);
        const received = io.recv(server);
        await turns(1);
        client.trySend('x');
        await received;
        server.trySend('unread');
        await until(1_000, () => (client.tcpInfo().bytesReceived ?? 0) > 0);
        const broken = io.recv(server);
        client.close();
        const reset = expect.objectContaining({ code: 'ECONNRESET', name: 'SocketClosedError' });
        await expect(broken).rejects.toEqual(reset);
        await expect(io.recv(server)).rejects.toEqual(reset);
        await expect(server.recv()).rejects.toEqual(reset);
        await expect(io.send(server, 'x')).rejects.toMatchObject({
          code: 'EPIPE',
          syscall: 'send',
          bytesTransferred: 0,
        });
        await expect(server.send('x')).rejects.toMatchObject({ code: 'EPIPE' });
      });

      it('is a socket that is not connected, or closed', async () => {
        const fresh = cleanup.add(new Socket({ family: 'ipv4' }));
        await expect(io.recv(fresh)).rejects.toMatchObject({ code: 'ENOTCONN' });
        await expect(io.send(fresh, 'x')).rejects.toMatchObject({ code: 'ENOTCONN' });
        await expect(io.accepts(fresh).next()).rejects.toMatchObject({ code: 'EINVAL' });
        near.close();
        const closed = expect.objectContaining({ code: 'ERR_SOCK_CLOSED' });
        await expect(io.recv(near)).rejects.toEqual(closed);
        expect(() => io.submitSend(near, 'x', () => {})).toThrow(closed);
        await expect(io.receives(near).next()).rejects.toEqual(closed);
        await expect(io.accepts(near).next()).rejects.toEqual(closed);
        expect(io.pending).toBe(0);
      });
    });

    describe('what is cancelled', () => {
      it('by its id calls back once, as cancelled', async () => {
        const told: Told[] = [];
        const tell = (...what: Told): void => void told.push(what);
        clog();
        const ids = [
          io.submitRecv(near, 10, tell),
          io.submitRecv(near, 10, tell),
          io.submitSend(near, 'x', tell),
        ];
        await turns(1);
        expect(ids.map((id) => io.cancel(id))).toEqual([true, true, true]);
        await until(1_000, () => told.length === 3);
        await turns(2);
        const cancelled = expect.objectContaining({ code: 'ECANCELED', name: 'AsyncIOError' });
        expect(told).toEqual(Array.from({ length: 3 }, () => [cancelled, null]));
        expect([...ids, 0, 99].map((id) => io.cancel(id))).toEqual(Array(5).fill(false));
        expect(io.pending).toBe(0);
      });

      it('leaves the bytes to the next one', async () => {
        const id = io.submitRecv(far, 10, () => {});
        const next = io.recv(far, 10);
        io.cancel(id);
        near.trySend('kept');
        expect(String(await within(1_000, next))).toBe('kept');
      });

      it('by a signal rejects in the shape of Node', async () => {
        const controller = new AbortController();
        const { signal } = controller;
        const aborted = expect.objectContaining({ code: 'ABORT_ERR', name: 'AbortError' });
        clog();
        const [other] = Socket.pair().map((socket) => cleanup.add(socket)) as [Socket, Socket];
        const waiting = [
          io.recv(near, 10, { signal }),
          io.send(near, 'x', { signal }),
          io.receives(other, { signal }).next(),
        ];
        await turns(1);
        controller.abort(new Error('why'));
        for (const one of waiting) await expect(one).rejects.toEqual(aborted);
        await expect(io.recv(near, 10, { signal })).rejects.toMatchObject({ cause: signal.reason });
        await expect(io.receives(other, { signal }).next()).rejects.toEqual(aborted);
        expect(io.pending).toBe(0);
      });

      it('by closing its socket calls back once, as closed', async () => {
        const told: Told[] = [];
        const tell = (...what: Told): void => void told.push(what);
        clog();
        io.submitRecv(near, 10, tell);
        io.submitRecv(near, 10, tell);
        io.submitSend(near, 'x', tell);
        await turns(1);
        near.close();
        await until(1_000, () => told.length === 3);
        const closed = expect.objectContaining({
          code: 'ERR_SOCK_CLOSED',
          name: 'SocketClosedError',
        });
        expect(told).toEqual(Array.from({ length: 3 }, () => [closed, null]));
        expect(io.pending).toBe(0);
      });

      it('by closing the socket lets go of the connection at once', async () => {
        const [client, server] = await tcpPair(cleanup);
        const waiting = io.recv(server);
        const step = io.receives(client).next();
        await turns(1);
        server.close();
        await expect(waiting).rejects.toMatchObject({ code: 'ERR_SOCK_CLOSED' });
        expect(await within(1_000, step)).toEqual({ value: undefined, done: true });
      });

      it('by closing the AsyncIO calls back once, and the sockets go on', async () => {
        const told: Told[] = [];
        const tell = (...what: Told): void => void told.push(what);
        io.submitRecv(near, 10, tell);
        io.submitRecv(near, 10, tell);
        const step = io.receives(far).next();
        await turns(1);
        io.close();
        io.close();
        expect(io.closed).toBe(true);
        const closed = expect.objectContaining({ code: 'ERR_SOCK_CLOSED', name: 'AsyncIOError' });
        await expect(step).rejects.toEqual(closed);
        await within(1_000, io[Symbol.asyncDispose]());
        expect(told).toEqual([
          [closed, null],
          [closed, null],
        ]);
        await expect(io.recv(near)).rejects.toEqual(closed);
        expect(() => io.submitRecv(near, 1, tell)).toThrow(closed);
        await expect(io.receives(near).next()).rejects.toEqual(closed);
        expect(() => io.registerMemory(1)).toThrow(closed);
        near.trySend('x');
        expect(String(await far.recv())).toBe('x');
      });
    });

    describe('a socket that is lent', () => {
      const busy = expect.objectContaining({ code: 'ERR_SOCK_BUSY' });

      it('refuses its own receives while a request waits, and the reverse', async () => {
        const request = io.recv(far);
        await expect(far.recv()).rejects.toEqual(busy);
        await expect(far.chunks().next()).rejects.toEqual(busy);
        await expect(far.recvAll(3)).rejects.toEqual(busy);
        expect(() => far.tryRecv()).toThrow(busy);
        expect(() => far.recvSync()).toThrow(busy);
        await expect(make().recv(far)).rejects.toEqual(busy);
        near.trySend('x');
        await within(1_000, request);
        const own = far.recv();
        await expect(io.recv(far)).rejects.toEqual(busy);
        expect(() => io.submitRecv(far, 1, () => {})).toThrow(busy);
        await expect(io.receives(far).next()).rejects.toEqual(busy);
        near.trySend('y');
        expect(String(await within(1_000, own))).toBe('y');
      });

      it('refuses its own sends likewise', async () => {
        clog();
        const request = io.send(near, 'x');
        await expect(near.send('y')).rejects.toEqual(busy);
        await expect(near.sendAll('y')).rejects.toEqual(busy);
        await expect(near.sendvAll(['y', 'z'])).rejects.toEqual(busy);
        expect(() => near.trySend('y')).toThrow(busy);
        expect(() => near.sendSync('y')).toThrow(busy);
        await expect(near.shutdown()).rejects.toEqual(busy);
        expect(() => near.detach()).toThrow(busy);
        while (far.tryRecv(1 << 20) !== null);
        await within(1_000, request);
        expect(String(far.tryRecv())).toBe('x');
        clog();
        const own = near.send('x');
        await expect(io.send(near, 'y')).rejects.toEqual(busy);
        while (far.tryRecv(1 << 20) !== null);
        await within(1_000, own);
      });

      it('receives and sends by both at once, one for each direction', async () => {
        for (let i = 0; i < 10; i++) {
          const request = io.recv(far);
          await near.sendAll(`ping ${i}`);
          await far.sendAll(await within(1_000, request));
          expect(String(await within(1_000, near.recv()))).toBe(`ping ${i}`);
        }
      });

      it('has an iteration, or requests', async () => {
        const step = io.receives(far);
        const next = step.next();
        await expect(io.recv(far)).rejects.toEqual(busy);
        await expect(io.receives(far).next()).rejects.toEqual(busy);
        near.trySend('x');
        await within(1_000, next);
        await step.return?.();
        const request = io.recv(far);
        await expect(io.receives(far).next()).rejects.toEqual(busy);
        near.trySend('y');
        await within(1_000, request);
      });

      it('refuses its own accepts while they are iterated over', async () => {
        const listener = cleanup.add(listen({ host: '127.0.0.1' }));
        const step = io.accepts(listener).next();
        await expect(listener.accept()).rejects.toEqual(busy);
        expect(() => listener.tryAccept()).toThrow(busy);
        await expect(io.accepts(listener).next()).rejects.toEqual(busy);
        listener.close();
        expect(await within(1_000, step)).toMatchObject({ done: true });
      });

      it('can be given away while it waits to receive', async () => {
        const request = io.recv(far);
        await turns(1);
        const adopted = cleanup.add(Socket.fromFd(far.detach()));
        await expect(request).rejects.toMatchObject({ code: 'ERR_SOCK_CLOSED' });
        near.trySend('x');
        expect(String(await within(1_000, adopted.recv()))).toBe('x');
      });
    });

    describe('registered memory', () => {
      it('is sent from', async () => {
        const [client, server] = await tcpPair(cleanup);
        const memory = io.registerMemory(64 * 1024);
        expect(memory).toHaveLength(64 * 1024);
        memory.write('registered', 100);
        const part = memory.subarray(100, 110);
        expect(await io.send(client, part, { zeroCopy: true })).toBe(10);
        const told = new Promise<Told>((resolve) => {
          io.submitSend(client, part, (...what) => resolve(what), { zeroCopy: true });
        });
        expect(await within(1_000, told)).toEqual([null, 10]);
        expect(String(await server.recvAll(20))).toBe('registeredregistered');
        expect(await io.send(client, part)).toBe(10);
      });

      it('stays valid when it is closed', async () => {
        const other = make();
        const memory = other.registerMemory(4096);
        await other[Symbol.asyncDispose]();
        memory.fill('x');
        expect(memory[4095]).toBe(0x78);
      });

      it('is one, and nothing else is sent without a copy', () => {
        const wrong = expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' });
        const data = Buffer.alloc(10);
        expect(() => io.send(near, data, { zeroCopy: true })).toThrow(wrong);
        io.registerMemory(4096);
        expect(() => io.send(near, data, { zeroCopy: true })).toThrow(wrong);
        expect(() => io.send(near, 'text', { zeroCopy: true })).toThrow(wrong);
        expect(() => io.registerMemory(4096)).toThrow(
          expect.objectContaining({ code: 'ERR_SOCK_BUSY' }),
        );
      });
    });

    describe('processCompletions', () => {
      it('calls back at once, as many as asked for', () => {
        const told: Told[] = [];
        const tell = (...what: Told): void => void told.push(what);
        expect(io.processCompletions()).toBe(0);
        near.trySend('abc');
        for (let i = 0; i < 3; i++) io.submitRecv(far, 1, tell);
        let ran = io.processCompletions(2);
        while (ran < 2) ran += io.processCompletions(2 - ran);
        expect(told).toHaveLength(2);
        while (io.processCompletions() === 0);
        expect(told.map(([, value]) => String(value))).toEqual(['a', 'b', 'c']);
        expect(io.processCompletions()).toBe(0);
      });

      it('can be called by a callback', async () => {
        const results: number[] = [];
        const done = new Promise<void>((resolve) => {
          io.submitSend(near, 'x', () => {
            results.push(io.processCompletions());
            resolve();
          });
        });
        await within(1_000, done);
        expect(results).toEqual([0]);
      });

      it('hears within a callback of all that came together', async () => {
        const pairs = Array.from({ length: 100 }, () => Socket.pair());
        for (const socket of pairs.flat()) cleanup.add(socket);
        let told = 0;
        const heardWithin = new Promise<number>((resolve) => {
          for (const [, receiver] of pairs) {
            io.submitRecv(receiver, 1, () => {
              told += 1;
              if (told > 1) return;
              const endMs = performance.now() + 2_000;
              while (told < pairs.length && performance.now() < endMs) io.processCompletions();
              resolve(told);
            });
          }
        });
        for (const [sender] of pairs) sender.trySend('x');
        expect(await heardWithin).toBe(pairs.length);
      });
    });

    if (backend === 'io_uring') {
      it('counts completions', async () => {
        const before = readCounters().io_uring_completions;
        await io.send(near, 'x');
        await io.recv(far);
        expect(readCounters().io_uring_completions).toBe(before + 2);
      });
    }
  });
}
