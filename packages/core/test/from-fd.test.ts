/** Descriptors that others have made. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { connect, Socket } from '@sock/core';
import { expectSockets, openSockets, runScript, useFolder } from '@sock/testing';
import { Cleanup, connectedPair, listening } from './support/states.js';

let cleanup: Cleanup;
let before: number;
beforeEach(() => {
  cleanup = new Cleanup();
  before = openSockets();
});
afterEach(async () => {
  cleanup.close();
  await expectSockets(before);
});

const taken = (fd: number) => cleanup.add(Socket.fromFd(fd));

describe('a socket from a descriptor', () => {
  it.each(['ipv4', 'unix'] as const)(
    'is the connection that it was, of family %s',
    async (family) => {
      const [near, far] = await connectedPair(cleanup, family);
      const { localAddress, localPort, remoteAddress, remotePort } = near;
      const fd = near.detach();
      const socket = taken(fd);
      expect(socket).toMatchObject({ fd, family, type: 'stream', isConnected: true });
      expect([socket.localAddress, socket.localPort]).toEqual([localAddress, localPort]);
      expect([socket.remoteAddress, socket.remotePort]).toEqual([remoteAddress, remotePort]);
      await far.sendAll('there');
      expect(String(await socket.recv())).toBe('there');
      await socket.sendAll('back');
      expect(String(await far.recv())).toBe('back');
      await far.end({ timeout: 0 }).catch(() => {});
      await expect(socket.recv()).rejects.toMatchObject({ code: 'ERR_SOCK_EOF' });
    },
  );

  it('keeps the boundaries of its messages', async () => {
    const [near, far] = Socket.pair('seqpacket');
    cleanup.add(far);
    const socket = taken(near.detach());
    expect(socket.type).toBe('seqpacket');
    await Promise.all([far.sendAll('one'), far.sendAll('two')]);
    expect(String(await socket.recv())).toBe('one');
  });

  it('accepts when it listens', async () => {
    const { listener, target } = listening(cleanup);
    const socket = taken(listener.detach());
    expect(socket).toMatchObject({ isListening: true, isConnected: false });
    cleanup.add(await connect(target));
    const accepted = cleanup.add(await socket.accept());
    expect(accepted.isConnected).toBe(true);
    cleanup.add(await connect(target));
    for await (const another of socket as unknown as AsyncIterable<Socket>) {
      another.close();
      break;
    }
  });

  it('connects, and stays the same descriptor when that fails', async () => {
    const made = new Socket({ family: 'ipv4' });
    const socket = taken(made.detach());
    const { fd } = socket;
    const refused = cleanup.add(new Socket({ family: 'ipv4' }));
    refused.bind('127.0.0.1', 0);
    const port = refused.localPort as number;
    await expect(socket.connect('127.0.0.1', port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    const { listener } = listening(cleanup);
    await socket.connect('127.0.0.1', listener.localPort as number);
    expect(socket).toMatchObject({ fd, isConnected: true });
  });

  it('goes on with a connect that was begun elsewhere', async () => {
    const { listener } = listening(cleanup);
    const made = new Socket({ family: 'ipv4' });
    made.tryConnect('127.0.0.1', listener.localPort);
    const socket = taken(made.detach());
    while (socket.tryConnect() === null) await new Promise(setImmediate);
    expect(socket.isConnected).toBe(true);
  });

  it('does not block, and is not inherited', () => {
    const [near, far] = Socket.pair();
    cleanup.add(far);
    near.setNonBlocking(false);
    near.setCloseOnExec(false);
    const socket = taken(near.detach());
    expect(socket.getCloseOnExec()).toBe(true);
    expect(socket.tryRecv()).toBeNull();
  });
});

describe('a descriptor that is refused', () => {
  const path = useFolder();

  it.each([-1, 1.5, 2 ** 31, '3', undefined, null])('is no descriptor at all: %p', (fd) => {
    expect(() => Socket.fromFd(fd as never)).toThrow(/"fd"/);
  });

  it('is not open', () => {
    const fd = openSync('/dev/null', 'r');
    closeSync(fd);
    expect(() => Socket.fromFd(fd)).toThrow(
      expect.objectContaining({ code: 'EBADF', syscall: 'getsockopt' }),
    );
  });

  it('is no socket, and stays open', () => {
    const fd = openSync(path('file'), 'w');
    expect(() => Socket.fromFd(fd)).toThrow(
      expect.objectContaining({ code: 'ENOTSOCK', syscall: 'getsockopt' }),
    );
    fstatSync(fd);
    closeSync(fd);
  });

  it('has an owner already', async () => {
    const [near, far] = await connectedPair(cleanup);
    expect(() => Socket.fromFd(near.fd)).toThrow(
      expect.objectContaining({ code: 'ERR_SOCK_BUSY' }),
    );
    await near.sendAll('still mine');
    expect(String(await far.recv())).toBe('still mine');
  });

  it.each([
    ['dgram', 'EPROTOTYPE'],
    ['netlink', 'EAFNOSUPPORT'],
  ])('is a socket of another kind, %s, and stays open', async (kind, code) => {
    const make = {
      dgram: 'socket.socket(socket.AF_INET, socket.SOCK_DGRAM)',
      netlink: 'socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)',
    }[kind];
    // Another program makes it, and becomes node: no API of Node's shows such a descriptor.
    const { stdout, stderr } = await runScript(`
      const { spawnSync } = require('node:child_process');
      const script = \`
        const { Socket } = require('@sock/core');
        try { Socket.fromFd(9); } catch (error) { console.log(error.name, error.code); }
        console.log(require('node:fs').fstatSync(9).isSocket());
      \`;
      const python = \`
import os, socket, sys
s = ${make}
os.dup2(s.fileno(), 9)
preload = os.environ.pop('PRELOAD')
if preload: os.environ['LD_PRELOAD'] = preload
os.execv(sys.argv[1], sys.argv[1:])
\`;
      const node = [process.execPath, ...process.execArgv.slice(0, -2), '--eval', script];
      // A sanitizer's runtime is for node, not for what comes before it.
      const { LD_PRELOAD: PRELOAD = '', ...rest } = process.env;
      const env = { ...rest, PRELOAD };
      const { stdout, stderr } = spawnSync('python3', ['-c', python, ...node], { env });
      process.stdout.write(stdout);
      process.stderr.write(stderr);
    `);
    expect({ stdout, stderr }).toEqual({ stdout: `SocketError ${code}\ntrue\n`, stderr: '' });
  });
});
