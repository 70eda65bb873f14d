/** How datagram sockets come to be, what they are told, and where they go. */
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { DatagramError, isSocketError, lastError, SocketError } from '@sock/core';
import { DatagramSocket, type DatagramSocketEvent, type DatagramSocketOptions } from '@sock/dgram';
import { readCounters } from '@sock/native';
import { PollEvents, SocketPoll } from '@sock/poll';
import { runScript, thrownBy, useCleanup, useFolder } from '@sock/testing';
import { bound, connectedPair, type InetFamily, loopback, portOf } from './support.js';

const pathTo = useFolder();
const cleanup = useCleanup();

function unix(): DatagramSocket {
  return cleanup.add(new DatagramSocket({ family: 'unix' }));
}

describe('a Unix datagram socket', () => {
  it('has a path, which others send to, and which goes with it', async () => {
    const [near, far] = [unix(), unix()];
    near.bindUnix(pathTo('near'));
    far.bindUnix(pathTo('far'));
    expect(statSync(pathTo('far')).isSocket()).toBe(true);
    await near.sendTo('hello', pathTo('far'));
    const { data, address, port } = await far.recvFrom();
    expect([String(data), address, port]).toEqual(['hello', pathTo('near'), 0]);
    await far.sendTo('you too', address);
    expect(String(await near.recv())).toBe('you too');
    far.close();
    expect(existsSync(pathTo('far'))).toBe(false);
    await expect(near.sendTo('gone', pathTo('far'))).rejects.toMatchObject({
      code: 'ENOENT',
      path: pathTo('far'),
    });
  });

  it('replaces a socket file that nobody holds, and no other file', async () => {
    const { stderr } = await runScript(`
      const { DatagramSocket } = require('@sock/dgram');
      const socket = new DatagramSocket({ family: 'unix' });
      socket.bindUnix(${JSON.stringify(pathTo('stale'))});
      process.kill(process.pid, 'SIGKILL');
    `);
    expect(stderr).toBe('');
    const [first, second] = [unix(), unix()];
    expect(existsSync(pathTo('stale'))).toBe(true);
    first.bindUnix(pathTo('stale'));
    expect(() => second.bindUnix(pathTo('stale'))).toThrow('EADDRINUSE');
    writeFileSync(pathTo('file'), '');
    expect(() => second.bindUnix(pathTo('file'))).toThrow('EADDRINUSE');
  });

  it('has an abstract name, of its own choice or the kernel’s', async () => {
    const [near, far] = [unix(), unix()];
    const name = `@sock-test-${process.pid}`;
    near.bindUnix(name);
    far.bindUnix();
    expect(near.localAddress).toBe(name);
    expect(far.localAddress).toMatch(/^@[0-9a-f]{5}$/);
    await far.sendTo('x', name);
    expect((await near.recvFrom()).address).toBe(far.localAddress);
  });

  it('has a peer by path, and is told when that is gone', async () => {
    const [near, far] = [unix(), unix()];
    far.bindUnix(pathTo('far'));
    await near.connectUnix(pathTo('far'));
    expect([near.isConnected, near.remoteAddress]).toEqual([true, pathTo('far')]);
    await near.send('hello');
    const { address, data } = await far.recvFrom();
    expect([String(data), address]).toEqual(['hello', '']);
    far.close();
    await expect(near.send('x')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await expect(near.connectUnix(pathTo('none'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('carries datagrams that are longer than any of UDP', async () => {
    const [near, far] = DatagramSocket.pair();
    cleanup.add(near);
    cleanup.add(far);
    const long = Buffer.alloc(150_000, 'long');
    await near.send(long);
    expect((await far.recv()).equals(long)).toBe(true);
    await expect(near.send(Buffer.alloc(2 ** 23))).rejects.toMatchObject({ code: 'EMSGSIZE' });
  });

  it('waits for a peer that does not receive', async () => {
    const [near, far] = DatagramSocket.pair();
    cleanup.add(near);
    cleanup.add(far);
    let sent = 0;
    while (near.trySend(`${sent}`) !== null) sent++;
    const waiting = near.send('last');
    await expect(near.send('never', { timeout: 5 })).rejects.toMatchObject({
      code: 'ERR_SOCK_TIMEOUT',
    });
    for (let i = 0; i < sent; i++) expect(String(await far.recv())).toBe(`${i}`);
    await waiting;
    expect(String(await far.recv())).toBe('last');
  });
});

describe('a datagram socket', () => {
  it('refuses what is longer than the protocol allows, or its own guard', () => {
    const [near, far] = connectedPair(cleanup);
    expect(near.maxSize).toBe(65_507);
    expect(near.trySend(Buffer.alloc(65_507))).toBe(65_507);
    expect(far.tryRecv()).toHaveLength(65_507);
    expect(() => near.send(Buffer.alloc(65_508))).toThrow(RangeError);
    const [six, sixPeer] = connectedPair(cleanup, 'ipv6');
    expect(six.trySend(Buffer.alloc(65_527))).toBe(65_527);
    expect(sixPeer.tryRecv()).toHaveLength(65_527);
    expect(() => six.trySend(Buffer.alloc(65_528))).toThrow(RangeError);
    const guarded = bound(cleanup, 'ipv4', { maxSize: 1472 });
    guarded.tryConnect(loopback.ipv4, portOf(far));
    expect(guarded.trySend(Buffer.alloc(1472))).toBe(1472);
    expect(() => guarded.trySend(Buffer.alloc(1473))).toThrow(
      expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
    );
  });

  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'options'],
    ['no family', {}, 'options.family'],
    ['another family', { family: 'ipx' }, 'options.family'],
    ['an option of somebody else', { family: 'ipv4', type: 'udp4' }, 'options.type'],
    ['a guard below zero', { family: 'ipv4', maxSize: -1 }, 'options.maxSize'],
  ])('cannot be made of %s', (_, options, name) => {
    expect(() => new DatagramSocket(options as DatagramSocketOptions)).toThrow(name);
  });

  it('names the argument that is wrong, at the call', () => {
    const socket = bound(cleanup);
    const other = unix();
    const cases: [() => unknown, string][] = [
      [() => socket.bind('localhost', 0), 'host'],
      [() => socket.bind('::1', 0), 'host'],
      [() => socket.bind(null, 65_536), 'port'],
      [() => socket.bindUnix('/x'), 'path'],
      [() => other.bind(null, 0), 'host'],
      [() => other.bindUnix('x'.repeat(108)), 'path'],
      [() => other.sendTo('x', ''), 'path'],
      [() => socket.sendTo('x', '::1', 9), 'host'],
      [() => socket.sendTo('x', '127.0.0.1', -1), 'port'],
      [() => socket.trySendTo('x', 'a-name', 9), 'host'],
      [() => socket.tryConnect('a-name', 9), 'host'],
      [() => socket.send(5 as unknown as string), 'data'],
      [() => socket.sendv([]), 'parts.length'],
      [() => socket.sendv('abc' as unknown as string[]), 'parts'],
      [() => socket.recv(0), 'size'],
      [() => socket.recv(new Uint8Array(0)), 'views[0]'],
      [() => socket.recvv([]), 'views.length'],
      [() => socket.recvFrom(-1), 'size'],
      [() => socket.recv(1, { timeout: -1 }), 'timeout'],
      [() => socket.recv(1, { limit: 1 } as object), 'options.limit'],
      [() => socket.connect('x', 0), 'port'],
      [() => socket.connectUnix('/x'), 'path'],
      [() => other.connect('::1', 9), 'host'],
      [() => socket.sendSegments('x', 0), 'segmentSize'],
      [() => socket.recvBatch(0), 'max'],
      [() => socket.recvBatch(1, { size: -1 }), 'size'],
      [() => socket.sendBatch([{ data: 'x', address: '::1', port: 9 }]), 'datagrams[0].address'],
      [() => socket.sendBatch([{ data: 'x', address: '127.0.0.1' }]), 'datagrams[0].port'],
      [() => socket.sendBatch([{ data: 'x', tos: 256 }]), 'datagrams[0].tos'],
      [() => socket.sendBatch('x' as never), 'datagrams'],
      [() => socket.recvBatchInto([] as never), 'batch'],
      [() => socket.setTtl(0), 'hops'],
      [() => socket.setBroadcast(1 as unknown as boolean), 'on'],
    ];
    for (const [call, name] of cases) expect(call).toThrow(`"${name}"`);
  });

  it('has errors of the tree of @sock/core', async () => {
    const first = bound(cleanup);
    const second = cleanup.add(new DatagramSocket({ family: 'ipv4' }));
    const error = thrownBy(() => second.bind('127.0.0.1', portOf(first)));
    expect(error).toBeInstanceOf(DatagramError);
    expect(error).toBeInstanceOf(SocketError);
    expect(isSocketError(error)).toBe(true);
    expect(lastError()).toBe(error);
    expect(error).toMatchObject({
      name: 'DatagramError',
      message: expect.stringContaining(`bind EADDRINUSE 127.0.0.1:${portOf(first)}`),
      code: 'EADDRINUSE',
      errno: expect.any(Number),
      syscall: 'bind',
      address: '127.0.0.1',
      port: portOf(first),
      retryable: true,
    });
  });

  it.each<InetFamily>(['ipv4', 'ipv6'])('has its options in its family, %s', (family) => {
    const socket = cleanup.add(new DatagramSocket({ family }));
    socket.setReuseAddr(true);
    socket.setReusePort(true);
    socket.setRecvBufferSize(20_000);
    socket.setSendBufferSize(10_000);
    socket.setTtl(33);
    socket.setTos(0xb8);
    socket.setCloseOnExec(false);
    expect([
      socket.getReuseAddr(),
      socket.getReusePort(),
      socket.getRecvBufferSize(),
      socket.getSendBufferSize(),
      socket.getTtl(),
      socket.getTos(),
      socket.getCloseOnExec(),
    ]).toEqual([true, true, 40_000, 20_000, 33, 0xb8, false]);
    if (family === 'ipv6') {
      socket.setIpv6Only(true);
      expect(socket.getIpv6Only()).toBe(true);
      expect(() => socket.setBroadcast(true)).toThrow('no such option');
    } else {
      socket.setBroadcast(true);
      expect(socket.getBroadcast()).toBe(true);
      expect(() => socket.getIpv6Only()).toThrow('no such option');
    }
    const path = unix();
    expect(() => path.setTtl(1)).toThrow(expect.objectContaining({ code: 'ENOTSUP' }));
  });

  it('reports in a SocketPoll', async () => {
    const [near, far] = connectedPair(cleanup);
    const poll = cleanup.add(new SocketPoll<DatagramSocket, string>());
    poll.add(far, PollEvents.Read, 'far');
    expect(poll.tryWait()).toEqual([]);
    await near.send('x');
    const [event] = await poll.wait(2_000);
    expect(event).toMatchObject({ socket: far, events: PollEvents.Read, data: 'far' });
    expect(String(far.tryRecv())).toBe('x');
    expect(poll.tryWait()).toEqual([]);
    far.close();
    expect(poll.size).toBe(0);
  });

  it('goes on behind another object that is given its descriptor', async () => {
    const [near, far] = connectedPair(cleanup);
    await near.send('before');
    const waiting = near.recv();
    const fd = far.detach();
    expect(far.fd).toBe(-1);
    const heir = cleanup.add(DatagramSocket.fromFd(fd));
    expect([heir.family, heir.remotePort, heir.fd]).toEqual(['ipv4', portOf(near), fd]);
    expect(String(await heir.recv())).toBe('before');
    await heir.send('after');
    expect(String(await waiting)).toBe('after');
    expect(() => DatagramSocket.fromFd(fd)).toThrow(
      expect.objectContaining({ code: 'ERR_SOCK_BUSY' }),
    );
    expect(() => DatagramSocket.fromFd(2 ** 30)).toThrow(
      expect.objectContaining({ code: 'EBADF' }),
    );
  });

  it('tells on its channels where it comes and goes', () => {
    const events: [string | symbol, DatagramSocketEvent][] = [];
    const note = (event: unknown, name: string | symbol) => {
      events.push([name, event as DatagramSocketEvent]);
    };
    const names = ['sock:dgram:bind', 'sock:dgram:close'];
    for (const name of names) subscribe(name, note);
    try {
      const socket = bound(cleanup);
      const { fd, localPort } = socket;
      socket.close();
      const told = { fd, family: 'ipv4', localAddress: '127.0.0.1', localPort };
      expect(events).toEqual([
        ['sock:dgram:bind', { ...told, time: expect.any(Number) }],
        ['sock:dgram:close', { ...told, time: expect.any(Number) }],
      ]);
    } finally {
      for (const name of names) unsubscribe(name, note);
    }
    expect(channel('sock:dgram:bind').hasSubscribers).toBe(false);
  });

  it('counts datagrams and bytes', async () => {
    const [near, far] = connectedPair(cleanup);
    const before = readCounters();
    for (const text of ['', 'a', 'bc']) {
      await near.send(text);
      await far.recv();
    }
    const after = readCounters();
    expect(after.datagrams_sent - before.datagrams_sent).toBe(3);
    expect(after.datagrams_received - before.datagrams_received).toBe(3);
    expect([near.bytesWritten, far.bytesRead]).toEqual([3, 3]);
    far.close();
    expect(far.bytesRead).toBe(3);
  });
});

describe('a program', () => {
  it('ends while sockets are open that wait for nothing, or are unref’ed', async () => {
    const { code, stderr } = await runScript(`
      const { DatagramSocket } = require('@sock/dgram');
      const idle = new DatagramSocket({ family: 'ipv4' });
      const waiting = new DatagramSocket({ family: 'ipv4' }).unref();
      waiting.bind('127.0.0.1', 0);
      globalThis.kept = [idle, waiting];
      waiting.recv().catch(() => undefined);
    `);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('that forgets a socket has it closed, with a warning', async () => {
    const { stdout, stderr } = await runScript(
      `
      const { readdirSync, readlinkSync } = require('node:fs');
      const { DatagramSocket } = require('@sock/dgram');
      const count = () => readdirSync('/proc/self/fd').filter((fd) => {
        try {
          return readlinkSync('/proc/self/fd/' + fd).startsWith('socket:');
        } catch {
          return false;
        }
      }).length;
      const before = count();
      (() => new DatagramSocket({ family: 'ipv4' }).bind('127.0.0.1', 0))();
      console.log(count() - before);
      while (count() > before) {
        globalThis.gc();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      console.log(count() - before);
    `,
      { nodeArgs: ['--expose-gc'] },
    );
    expect(stdout).toBe('1\n0\n');
    expect(stderr.match(/SOCK_NOT_CLOSED/g)).toHaveLength(1);
  });
});
