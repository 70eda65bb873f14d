/** Unix paths and abstract names: what is taken over, what is left alone, what is cleaned up. */
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, listen, Socket, UnixSocketError } from '@sock/core';
import { expectSockets, failureOf, openSockets, thrownBy } from '@sock/testing';
import { startChild } from './support/child.js';
import { Cleanup } from './support/states.js';

let folder: string;
let path: string;
let cleanup: Cleanup;
let socketsBefore: number;

beforeEach(() => {
  socketsBefore = openSockets();
  folder = mkdtempSync(join(tmpdir(), 'sock-unix-'));
  path = join(folder, 'socket');
  cleanup = new Cleanup();
});
afterEach(async () => {
  cleanup.close();
  rmSync(folder, { recursive: true });
  await expectSockets(socketsBefore);
});

/** Leaves a socket file behind, as a process does that was killed. */
function leaveStaleFile(at: string): void {
  const socket = new Socket({ family: 'unix' });
  socket.bindUnix(`${at}~`);
  linkSync(`${at}~`, at);
  // Takes its own name away, but not the other one.
  socket.close();
  expect(lstatSync(at).isSocket()).toBe(true);
}

const inUse = { code: 'EADDRINUSE', errno: -98, syscall: 'bind' };

describe('a path', () => {
  it('carries messages with their borders, of type seqpacket', async () => {
    const listener = cleanup.add(listen({ path, type: 'seqpacket' }));
    const near = cleanup.add(await connect({ path, type: 'seqpacket' }));
    const far = cleanup.add(await listener.accept());
    for (const message of ['one', 'two']) await near.sendAll(message);
    expect([String(await far.recv()), String(await far.recv())]).toEqual(['one', 'two']);
    const error = await failureOf(connect({ path }));
    expect(error).toMatchObject({ code: 'EPROTOTYPE', path });
    for (const make of [listen, connect]) {
      const call = () => make({ host: '127.0.0.1', port: 1, type: 'seqpacket' });
      expect(thrownBy(call).message).toContain('"options.type"');
    }
  });

  it('carries a conversation, and tells both sides its name', async () => {
    const listener = cleanup.add(listen({ path }));
    const near = cleanup.add(await connect({ path }));
    const far = cleanup.add(await listener.accept());
    expect(listener.localAddress).toBe(path);
    expect([near.remoteAddress, near.localAddress]).toEqual([path, undefined]);
    expect([far.remoteAddress, far.localAddress]).toEqual([undefined, path]);
    await near.sendAll('hello');
    expect(String(await far.recv())).toBe('hello');
  });

  it('names a client that is bound, too', async () => {
    const listener = cleanup.add(listen({ path }));
    const near = cleanup.add(new Socket({ family: 'unix' }));
    near.bindUnix(`${path}-client`);
    await near.connectUnix(path);
    expect(cleanup.add(await listener.accept()).remoteAddress).toBe(`${path}-client`);
  });

  it('may look like an IP address', () => {
    const before = process.cwd();
    process.chdir(folder);
    try {
      expect(cleanup.add(listen({ path: '127.0.0.1' })).localAddress).toBe('127.0.0.1');
      cleanup.close();
    } finally {
      process.chdir(before);
    }
  });

  it('is removed when its listener is closed', () => {
    const listener = listen({ path });
    expect(lstatSync(path).isSocket()).toBe(true);
    listener.close();
    expect(existsSync(path)).toBe(false);
  });

  it('stays when a connection that was accepted from it is closed', async () => {
    const listener = cleanup.add(listen({ path }));
    const near = await connect({ path });
    const far = await listener.accept();
    far.close();
    near.close();
    expect(existsSync(path)).toBe(true);
  });

  it('is not removed when somebody else has put a file there meanwhile', () => {
    const listener = listen({ path });
    rmSync(path);
    writeFileSync(path, 'precious');
    listener.close();
    expect(readFileSync(path, 'utf8')).toBe('precious');
  });

  it('that another listener has taken over is left to it', async () => {
    const first = listen({ path });
    rmSync(path);
    const second = cleanup.add(listen({ path }));
    first.close();
    const near = cleanup.add(await connect({ path }));
    cleanup.add(await second.accept());
    expect(near.isConnected).toBe(true);
  });

  it.each([
    ['of our own', () => cleanup.add(listen({ path }))],
    [
      'that does not listen yet',
      () => {
        const socket = cleanup.add(new Socket({ family: 'unix' }));
        socket.bindUnix(path);
        return socket;
      },
    ],
    [
      'of another type',
      () => {
        const socket = cleanup.add(new Socket({ family: 'unix', type: 'seqpacket' }));
        socket.bindUnix(path);
        socket.listen();
        return socket;
      },
    ],
  ])('that is held by a live socket is never taken: %s', (_name, hold) => {
    const holder = hold();
    const error = thrownBy(() => listen({ path }));
    expect(error).toBeInstanceOf(UnixSocketError);
    expect(error).toMatchObject({ ...inUse, path, retryable: true });
    expect(holder.localAddress).toBe(path);
    expect(lstatSync(path).isSocket()).toBe(true);
  });

  it('of a live server that is not ours is never taken', async () => {
    const server = net.createServer().listen(path);
    await new Promise((resolve) => server.once('listening', resolve));
    expect(thrownBy(() => listen({ path }))).toMatchObject({ ...inUse, path });
    await new Promise((resolve) => server.close(resolve));
  });

  it('of a server whose backlog is full is never taken', async () => {
    const holder = cleanup.add(listen({ path, backlog: 1 }));
    for (let i = 0; i < 2; i++) cleanup.add(await connect({ path }));
    expect(thrownBy(() => listen({ path }))).toMatchObject({ ...inUse, path });
    expect(holder.isListening).toBe(true);
  });

  it('that was left behind is replaced', async () => {
    leaveStaleFile(path);
    const listener = cleanup.add(listen({ path }));
    cleanup.add(await connect({ path }));
    cleanup.add(await listener.accept());
  });

  it('that is a regular file is left as it is', () => {
    writeFileSync(path, 'precious');
    expect(thrownBy(() => listen({ path }))).toMatchObject({ ...inUse, path });
    expect(readFileSync(path, 'utf8')).toBe('precious');
  });

  it('that is a link is left as it is, and so is what it leads to', () => {
    const target = join(folder, 'target');
    leaveStaleFile(target);
    symlinkSync(target, path);
    expect(thrownBy(() => listen({ path }))).toMatchObject({ ...inUse, path });
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
    expect(lstatSync(target).isSocket()).toBe(true);
  });

  it('that is a folder is left as it is', () => {
    mkdirSync(path);
    expect(thrownBy(() => listen({ path }))).toMatchObject({ ...inUse, path });
    expect(lstatSync(path).isDirectory()).toBe(true);
  });

  it('that was left behind is taken by one of many processes that start at once', async () => {
    leaveStaleFile(path);
    const children = Array.from({ length: 6 }, () => startChild('claim', { args: [path] }));
    await Promise.all(children.map(({ line }) => line()));
    for (const { process: child } of children) child.stdin?.write('now\n');
    const claims = await Promise.all(children.map(({ line }) => line()));
    expect(claims.filter((claim) => claim === 'taken')).toHaveLength(1);
    expect(claims.filter((claim) => claim === 'EADDRINUSE')).toHaveLength(5);
    for (const { process: child } of children) child.stdin?.end();
    for (const { ended } of children) expect(await ended).toMatchObject({ code: 0, stderr: '' });
  });

  it.each([
    ['into no folder', () => join(folder, 'none', 'socket'), 'ENOENT'],
    [
      'through a file',
      () => {
        writeFileSync(path, '');
        return join(path, 'socket');
      },
      'ENOTDIR',
    ],
  ])('that leads %s says so', (_name, make, code) => {
    const wrong = make();
    expect(thrownBy(() => listen({ path: wrong }))).toMatchObject({ code, path: wrong });
  });

  it('that nobody listens on is refused, one that is not there is not found', async () => {
    expect(await failureOf(connect({ path }))).toMatchObject({ code: 'ENOENT', path });
    leaveStaleFile(path);
    expect(await failureOf(connect({ path }))).toMatchObject({ code: 'ECONNREFUSED', path });
  });

  it.each([
    ['107 bytes are taken', 107, true],
    ['108 bytes are refused before the kernel sees them', 108, false],
    ['bytes count, not characters', 107, false, 'é'],
  ])('may be so long: %s', (_name, length, isTaken, last = 'x') => {
    const long = `${path}-${'x'.repeat(length - path.length - 2)}${last}`;
    const files = readdirSync(folder);
    const attempt = (): unknown => cleanup.add(listen({ path: long }));
    if (isTaken) {
      expect(attempt()).toMatchObject({ localAddress: long });
      return;
    }
    const error = thrownBy(attempt);
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    expect(error.message).toContain('"path"');
    expect(readdirSync(folder)).toEqual(files);
  });
});

describe('an abstract name', () => {
  const unique = (): string => `@sock-unix-${process.pid}-${performance.now()}`;

  it('leaves no file, and is free again once closed', () => {
    const name = unique();
    listen({ path: name }).close();
    const listener = cleanup.add(listen({ path: name }));
    expect(listener.localAddress).toBe(name);
    expect(existsSync(name)).toBe(false);
  });

  it('is taken once only', () => {
    const name = unique();
    cleanup.add(listen({ path: name }));
    expect(thrownBy(() => listen({ path: name }))).toMatchObject({ ...inUse, path: name });
  });

  it('is exact, without padding', async () => {
    const name = unique();
    const listener = cleanup.add(listen({ path: name }));
    const near = cleanup.add(new Socket({ family: 'unix' }));
    near.bindUnix(`${name}-client`);
    await near.connectUnix(name);
    expect(cleanup.add(await listener.accept()).remoteAddress).toBe(`${name}-client`);
    // The kernel shows every byte of a name there, a NUL as another @.
    const names = readFileSync('/proc/net/unix', 'utf8').split(/[ \n]/);
    expect(names.filter((other) => other.startsWith(name)).sort()).toEqual([
      name,
      name,
      `${name}-client`,
    ]);
  });

  it('is reached by the bytes of its name, whatever their script', async () => {
    const name = `${unique()}-näme`;
    const listener = cleanup.add(listen({ path: name }));
    const near = cleanup.add(await connect({ path: name }));
    cleanup.add(await listener.accept());
    expect(near.remoteAddress).toBe(name);
  });
});

describe('a pair', () => {
  it('has no names, and is connected', () => {
    const [near, far] = Socket.pair();
    cleanup.add(near);
    cleanup.add(far);
    expect([near.localAddress, near.remoteAddress, near.isBound]).toEqual([
      undefined,
      undefined,
      false,
    ]);
    expect([near.isConnected, far.isConnected]).toEqual([true, true]);
    far.close();
    expect(near.isConnected).toBe(false);
  });

  it('of packets keeps their borders', async () => {
    const [near, far] = Socket.pair('seqpacket');
    cleanup.add(near);
    cleanup.add(far);
    expect(near.type).toBe('seqpacket');
    await near.send('one');
    await near.send('two');
    expect([String(await far.recv()), String(await far.recv())]).toEqual(['one', 'two']);
  });
});
