/** What every backend has to do alike. Each test is run on each. */
import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  watch,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { connect, listen, type Poller, Socket } from '@sock/core';
import { type PollBackend, PollEvents, SocketPoll } from '@sock/poll';
import { turns, until, useFolder, within } from '@sock/testing';
import { bits, Cleanup, tcpPair } from './support.js';

const { Read, Write, Error: Failed, Hangup, EdgeTriggered, OneShot } = PollEvents;

/** Descriptors of this process that are of that kind, as /proc names it. */
function descriptorsOf(kind: string): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).replace(/:\[\d+\]$/, '') === kind;
      } catch {
        return false;
      }
    });
}

/** Sends until the kernel takes no more. */
function fill(socket: Socket): void {
  const block = Buffer.alloc(65_536);
  while (socket.trySend(block) !== null);
}

export function describePolls(backend: PollBackend): void {
  describe(`SocketPoll on ${backend}`, () => {
    const cleanup = new Cleanup();
    const folder = useFolder();
    let poll: SocketPoll;
    let near: Socket;
    let far: Socket;

    beforeEach(() => {
      poll = cleanup.add(new SocketPoll({ backend }));
      [near, far] = Socket.pair().map((socket) => cleanup.add(socket)) as [Socket, Socket];
    });
    afterEach(() => cleanup.run());

    /** A fifo's descriptor, open in both directions. */
    function fifo(): number {
      const path = folder('fifo');
      execFileSync('mkfifo', [path]);
      const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
      cleanup.add({ close: () => closeSync(fd) });
      return fd;
    }

    it('knows its backend, and is a Poller', () => {
      const asPoller: Poller = poll;
      expect(poll.backend).toBe(backend);
      expect(asPoller.remove(near)).toBe(false);
    });

    describe('what is reported', () => {
      it('names the socket, what it is ready for, and the data', () => {
        const data = { name: 'near' };
        poll.add(near, Read, data);
        far.trySend('x');
        const [event] = poll.waitSync(1_000);
        expect(event?.socket).toBe(near);
        expect(event?.data).toBe(data);
        expect(event?.events).toBe(Read);
      });

      it('is only what was asked for', () => {
        poll.add(near, Write);
        far.trySend('x');
        expect(bits(poll.waitSync(1_000))).toEqual([Write]);
        poll.modify(near, Read);
        expect(bits(poll.waitSync(1_000))).toEqual([Read]);
        poll.modify(near, Read | Write);
        expect(bits(poll.waitSync(1_000))).toEqual([Read | Write]);
        poll.modify(near, 0);
        expect(poll.waitSync(0)).toEqual([]);
      });

      it('comes again while it holds, and ends when it is dealt with', () => {
        poll.add(near, Read);
        far.trySend('x');
        expect(bits(poll.waitSync(1_000))).toEqual([Read]);
        expect(bits(poll.waitSync(1_000))).toEqual([Read]);
        near.tryRecv();
        expect(poll.tryWait()).toEqual([]);
      });

      it('is one event for each target', async () => {
        const pairs = await Promise.all([tcpPair(cleanup), tcpPair(cleanup), tcpPair(cleanup)]);
        for (const [index, [one, other]] of pairs.entries()) {
          poll.add(one, Read | Write, index);
          other.trySend('x');
        }
        await until(1_000, () => poll.tryWait().every(({ events }) => events === (Read | Write)));
        expect(poll.tryWait().map(({ data }) => data)).toEqual(expect.arrayContaining([0, 1, 2]));
        expect(poll.size).toBe(3);
      });

      it('has the end of the stream as Read, and both ends as Hangup', async () => {
        poll.add(near, Read);
        await far.shutdown('write');
        expect(bits(poll.waitSync(1_000))).toEqual([Read]);
        expect(() => near.tryRecv()).toThrow(expect.objectContaining({ code: 'ERR_SOCK_EOF' }));
        far.close();
        expect(bits(poll.waitSync(1_000))).toEqual([Read | Hangup]);
        poll.modify(near, 0);
        expect(bits(poll.waitSync(1_000))).toEqual([Hangup]);
      });

      it('leaves a half-closed peer alone where only Write is asked for', async () => {
        [near, far] = await tcpPair(cleanup);
        await far.shutdown('write');
        fill(near);
        poll.add(near, Write);
        expect(poll.waitSync(20)).toEqual([]);
      });

      it('has a reset as an error in each direction asked for', async () => {
        [near, far] = await tcpPair(cleanup);
        near.trySend('unread');
        await until(1_000, () => far.tryRecv(1) !== null);
        poll.add(near, Read);
        far.close();
        const [events = 0] = bits(poll.waitSync(1_000));
        expect(events & (Read | Failed)).toBe(Read | Failed);
      });

      it('has room to write when it comes back', () => {
        fill(near);
        poll.add(near, Write);
        expect(poll.tryWait()).toEqual([]);
        while (far.tryRecv() !== null);
        expect(bits(poll.waitSync(1_000))).toEqual([Write]);
      });

      it('has connections that wait on a listener', async () => {
        const listener = cleanup.add(listen({ host: '127.0.0.1' }));
        poll.add(listener as unknown as Socket, Read);
        expect(poll.tryWait()).toEqual([]);
        cleanup.add(await connect({ host: '127.0.0.1', port: listener.localPort }));
        expect(bits(poll.waitSync(1_000))).toEqual([Read]);
        const accepted = listener.tryAccept();
        expect(accepted).not.toBeNull();
        accepted?.close();
        expect(poll.tryWait()).toEqual([]);
      });

      it('has a connect that came to its end as Write', () => {
        const listener = cleanup.add(listen({ host: '127.0.0.1' }));
        const socket = cleanup.add(new Socket({ family: 'ipv4' }));
        const done = socket.tryConnect('127.0.0.1', listener.localPort);
        poll.add(socket, Write);
        expect(bits(poll.waitSync(1_000))).toEqual([Write]);
        expect(done ?? socket.tryConnect()).toBe(true);
      });

      it('is at most maxEvents, and everyone has a turn', () => {
        const few = cleanup.add(new SocketPoll<Socket>({ backend, maxEvents: 2 }));
        const pairs = Array.from({ length: 7 }, () => Socket.pair());
        for (const socket of pairs.flat()) cleanup.add(socket);
        for (const [socket] of pairs) few.add(socket, Write);
        const seen = new Set<Socket>();
        for (let waits = 0; waits < 28; waits++) {
          const events = few.waitSync(1_000);
          expect(events.length).toBeLessThanOrEqual(2);
          for (const { socket } of events) seen.add(socket);
        }
        expect(seen.size).toBe(7);
      });

      it('is more than one batch of the kernel when asked for', () => {
        const many = cleanup.add(new SocketPoll({ backend, maxEvents: 1_000 }));
        for (let i = 0; i < 200; i++) {
          for (const socket of Socket.pair()) many.add(cleanup.add(socket), Write);
        }
        expect(many.waitSync(1_000)).toHaveLength(400);
      });
    });

    describe('a one-shot', () => {
      it('is reported once, and again after modify', () => {
        poll.add(near, Read | Write | OneShot);
        far.trySend('x');
        expect(bits(poll.waitSync(1_000))).toEqual([Read | Write]);
        expect(poll.waitSync(10)).toEqual([]);
        poll.modify(near, Read | OneShot);
        expect(bits(poll.waitSync(1_000))).toEqual([Read]);
        expect(poll.tryWait()).toEqual([]);
      });

      it('says nothing of a hang-up once it was reported', () => {
        poll.add(near, Write | OneShot);
        expect(bits(poll.waitSync(1_000))).toEqual([Write]);
        far.close();
        expect(poll.waitSync(10)).toEqual([]);
        poll.modify(near, Write);
        expect(bits(poll.waitSync(1_000))).toEqual([Write | Hangup]);
      });

      it('comes through a wait that does not block', async () => {
        poll.add(near, Read | OneShot);
        const waiting = poll.wait();
        far.trySend('x');
        expect(bits(await within(1_000, waiting))).toEqual([Read]);
        expect(await poll.wait(10)).toEqual([]);
      });
    });

    if (backend === 'poll') {
      it('refuses edges, which poll(2) does not have', () => {
        const error = expect.objectContaining({ code: 'ERR_SOCK_UNSUPPORTED', name: 'PollError' });
        expect(() => poll.add(near, Read | EdgeTriggered)).toThrow(error);
        poll.add(near, Read);
        expect(() => poll.modify(near, Read | EdgeTriggered)).toThrow(error);
      });
    } else {
      it('reports an edge once, and the next one when something new comes', () => {
        poll.add(near, Read | EdgeTriggered);
        far.trySend('x');
        expect(bits(poll.waitSync(1_000))).toEqual([Read]);
        expect(poll.tryWait()).toEqual([]);
        far.trySend('y');
        expect(bits(poll.waitSync(1_000))).toEqual([Read]);
        poll.modify(near, Read | EdgeTriggered);
        expect(bits(poll.waitSync(1_000))).toEqual([Read]);
      });
    }

    describe('what can be polled', () => {
      it('a pipe', () => {
        const fd = fifo();
        poll.add(fd, Read, 'fifo');
        expect(poll.tryWait()).toEqual([]);
        writeSync(fd, 'x');
        expect(poll.waitSync(1_000)).toEqual([{ socket: fd, events: Read, data: 'fifo' }]);
        readSync(fd, Buffer.alloc(1));
        expect(poll.tryWait()).toEqual([]);
      });

      it('an eventfd', () => {
        const kind = 'anon_inode:[eventfd]';
        const before = new Set(descriptorsOf(kind));
        const other = cleanup.add(new SocketPoll({ backend: 'epoll' }));
        const [fd] = descriptorsOf(kind).filter((one) => !before.has(one));
        poll.add(fd as number, Read);
        expect(poll.tryWait()).toEqual([]);
        other.wake();
        expect(bits(poll.waitSync(1_000))).toEqual([Read]);
        poll.remove(fd as number);
      });

      it('inotify', () => {
        mkdirSync(folder('watched'));
        const watcher = cleanup.add(watch(folder('watched')));
        const [fd] = descriptorsOf('anon_inode:inotify');
        poll.add(fd as number, Read);
        writeFileSync(folder('watched/new'), 'x');
        expect(bits(poll.waitSync(1_000))).toEqual([Read]);
        poll.remove(fd as number);
        watcher.close();
      });

      it('a terminal', () => {
        const fd = openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY);
        cleanup.add({ close: () => closeSync(fd) });
        poll.add(fd, Write);
        expect(bits(poll.waitSync(1_000)).map((events) => events & Write)).toEqual([Write]);
      });

      it("a child's stdio", async () => {
        const child = spawn('cat', { stdio: ['pipe', 'pipe', 'inherit'] });
        const ended = new Promise((resolve) => child.once('exit', resolve));
        const { fd } = (child.stdout as unknown as { _handle: { fd: number } })._handle;
        poll.add(fd, Read);
        child.stdin.write('x');
        // Blocking, or Node would read it first.
        expect(bits(poll.waitSync(5_000))).toEqual([Read]);
        poll.remove(fd);
        child.stdin.end();
        await within(5_000, ended, 'cat');
      });

      it('a UDP socket of somebody else', async () => {
        const before = new Set(descriptorsOf('socket'));
        const socket = cleanup.add(createSocket('udp4'));
        await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
        const [fd] = descriptorsOf('socket').filter((one) => !before.has(one));
        poll.add(fd as number, Write);
        expect(bits(poll.waitSync(1_000))).toEqual([Write]);
        poll.remove(fd as number);
      });

      it('not a regular file, nor a folder', () => {
        const path = folder('file');
        writeFileSync(path, 'x');
        for (const place of [path, tmpdir()]) {
          const fd = openSync(place, 'r');
          const error = expect.objectContaining({ code: 'EPERM', name: 'PollError' });
          expect(() => poll.add(fd, Read)).toThrow(error);
          expect(poll.size).toBe(0);
          closeSync(fd);
        }
      });

      it('no device that its kernel cannot watch, but with poll(2), which calls it ready', () => {
        const fd = openSync('/dev/zero', 'r');
        if (backend === 'poll') {
          poll.add(fd, Read);
          expect(bits(poll.waitSync(1_000))).toEqual([Read]);
          poll.remove(fd);
        } else {
          expect(() => poll.add(fd, Read)).toThrow(expect.objectContaining({ name: 'PollError' }));
          expect(poll.size).toBe(0);
        }
        closeSync(fd);
      });

      it('nothing that is closed', () => {
        const fd = openSync('/dev/null', 'r');
        closeSync(fd);
        expect(() => poll.add(fd, Read)).toThrow(expect.objectContaining({ code: 'EBADF' }));
        near.close();
        const closed = expect.objectContaining({ code: 'EBADF' });
        expect(() => poll.add(near, Read)).toThrow(closed);
        expect(poll.size).toBe(0);
      });
    });

    describe('the set', () => {
      it('refuses what is in it already, under whatever name', () => {
        poll.add(near, Read);
        const error = expect.objectContaining({
          code: 'EEXIST',
          message: expect.stringContaining('Socket already in poll set'),
        });
        expect(() => poll.add(near, Read)).toThrow(error);
        expect(() => poll.add(near.fd, Read)).toThrow(error);
      });

      it('modifies only what is in it, and removes without a word', () => {
        expect(() => poll.modify(near, Read)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
        poll.add(near, Read);
        expect(poll.remove(near)).toBe(true);
        expect(poll.remove(near)).toBe(false);
        expect(poll.size).toBe(0);
      });

      it('replaces the data with what is watched for', () => {
        poll.add(near, Write, 1);
        poll.modify(near, Write, 2);
        expect(poll.waitSync(1_000)).toEqual([{ socket: near, events: Write, data: 2 }]);
      });

      it('is left quietly by a socket that is closed', () => {
        poll.add(near, Read | Write);
        poll.add(far, Read);
        near.close();
        expect(poll.size).toBe(1);
        expect(poll.waitSync(1_000).map(({ socket }) => socket)).toEqual([far]);
      });

      it('never takes one descriptor for another that had its number', () => {
        poll.add(near, Read | Write | Hangup, 'old');
        const { fd } = near;
        const stale = poll.waitSync(1_000);
        near.close();
        const [fresh, other] = Socket.pair().map((one) => cleanup.add(one)) as [Socket, Socket];
        const reused = [fresh, other].find((one) => one.fd === fd) as Socket;
        poll.add(reused, Read, 'new');
        expect(poll.waitSync(10)).toEqual([]);
        expect(stale[0]?.socket.valueOf()).toBe(near);
      });

      it('says nothing of a descriptor that was closed without a word', () => {
        const path = folder('other');
        execFileSync('mkfifo', [path]);
        const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
        poll.add(fd, Write);
        expect(bits(poll.waitSync(1_000))).toEqual([Write]);
        closeSync(fd);
        expect(poll.waitSync(10)).toEqual([]);
        expect(poll.remove(fd)).toBe(true);
      });

      it('changes while it is waited for', async () => {
        const waiting = poll.wait();
        await turns(2);
        far.trySend('x');
        poll.add(near, Read, 'late');
        expect(await within(1_000, waiting)).toEqual([
          { socket: near, events: Read, data: 'late' },
        ]);
      });
    });

    describe('sockets of ours', () => {
      it('go on with promises while they are polled', async () => {
        poll.add(near, Read);
        const received = near.recv();
        far.trySend('one');
        expect(String(await within(1_000, received))).toBe('one');
        far.trySend('two');
        expect(bits(await within(1_000, poll.wait()))).toEqual([Read]);
        expect(String(near.tryRecv())).toBe('two');
        await far.sendAll('three');
        expect(String(await within(1_000, near.recv()))).toBe('three');
      });

      it('are readable while they hold what a reader gave up on', async () => {
        far.trySend('abc');
        await expect(near.recvAll(8, { timeout: 1 })).rejects.toMatchObject({
          code: 'ERR_SOCK_TIMEOUT',
        });
        poll.add(near, Read);
        expect(near.pendingRead()).toBe(true);
        expect(bits(poll.waitSync(1_000))).toEqual([Read]);
        expect(bits(await within(1_000, poll.wait()))).toEqual([Read]);
        expect(String(near.tryRecv())).toBe('abc');
        expect(near.pendingRead()).toBe(false);
        expect(poll.tryWait()).toEqual([]);
      });

      it('end a wait that is under way when a reader gives up', async () => {
        poll.add(near, Read | OneShot);
        far.trySend('abc');
        expect(bits(poll.waitSync(1_000))).toEqual([Read]);
        const reader = near.recvAll(8, { timeout: 20 });
        poll.modify(near, Read | OneShot);
        const waiting = poll.wait();
        await expect(reader).rejects.toMatchObject({ code: 'ERR_SOCK_TIMEOUT' });
        expect(bits(await within(1_000, waiting))).toEqual([Read]);
        expect(poll.waitSync(10)).toEqual([]);
      });

      it('share waits with others when they are always ready', () => {
        const few = cleanup.add(new SocketPoll({ backend, maxEvents: 1 }));
        const pending = { fd: near.fd, pendingRead: () => true };
        few.add(pending, Read);
        few.add(far, Write);
        const seen = new Set(Array.from({ length: 4 }, () => few.waitSync(1_000)[0]?.socket));
        expect(seen).toEqual(new Set([pending, far]));
      });
    });
  });
}
