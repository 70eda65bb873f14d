/** What is set, and what the kernel has made of it. */
import { connect, listen, Socket } from '@sock/core';
import { describeWithPeers, openNetwork, runScript, useFolder } from '@sock/testing';
import { Cleanup, connectedPair, listening } from './support/states.js';

let cleanup: Cleanup;
beforeEach(() => {
  cleanup = new Cleanup();
});
afterEach(() => cleanup.close());

const fresh = (family: 'ipv4' | 'ipv6' | 'unix' = 'ipv4') => cleanup.add(new Socket({ family }));

/** For a setter of a positive number: what it refuses, whatever the kernel would say. */
const noNumbers = [undefined, null, '5', true, {}, Number.NaN, 0, -1, 2 ** 31];

describe('a switch of a socket', () => {
  it.each([
    ['ReuseAddr', 'ipv4'],
    ['ReusePort', 'ipv4'],
    ['NoDelay', 'ipv4'],
    ['Ipv6Only', 'ipv6'],
    ['CloseOnExec', 'ipv4'],
    ['NonBlocking', 'unix'],
  ] as const)('%s is read as it was set, and takes only booleans', (name, family) => {
    const socket = fresh(family);
    for (const on of [true, false]) {
      socket[`set${name}`](on);
      expect(socket[`get${name}`]()).toBe(on);
    }
    for (const value of [undefined, null, 0, 1, 'true']) {
      expect(() => socket[`set${name}`](value as never)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
      );
    }
  });

  it('is at first as the documents say', () => {
    const socket = fresh('ipv6');
    expect([socket.getReuseAddr(), socket.getReusePort(), socket.getNoDelay()]).toEqual([
      false,
      false,
      false,
    ]);
    expect([socket.getCloseOnExec(), socket.getNonBlocking()]).toEqual([true, true]);
  });
});

describe('a limit of operations', () => {
  it('is the same whether it is set alone or with the others', () => {
    const [near, far] = Socket.pair().map((socket) => cleanup.add(socket)) as [Socket, Socket];
    expect(near.getTimeout()).toBe(Number.POSITIVE_INFINITY);
    near.setTimeout(1_500.5);
    expect(near.getTimeouts()).toMatchObject({ connectTimeout: 30_000, operationTimeout: 1_500.5 });
    far.setTimeouts({ operationTimeout: 7 });
    expect(far.getTimeout()).toBe(7);
  });

  it('ends operations of both directions', async () => {
    const [near] = await connectedPair(cleanup);
    near.setTimeout(5);
    await expect(near.recv()).rejects.toMatchObject({ code: 'ERR_SOCK_TIMEOUT', timeout: 5 });
    const much = Buffer.alloc(64 * 1024 * 1024);
    await expect(near.sendAll(much)).rejects.toMatchObject({ code: 'ERR_SOCK_TIMEOUT' });
    near.setTimeout(Number.POSITIVE_INFINITY);
    expect(near.getTimeout()).toBe(Number.POSITIVE_INFINITY);
  });

  it.each(noNumbers)('is refused when it is %p', (value) => {
    const socket = fresh();
    const refusal = { code: expect.stringMatching(/^ERR_(INVALID_ARG_TYPE|OUT_OF_RANGE)$/) };
    expect(() => socket.setTimeout(value as never)).toThrow(expect.objectContaining(refusal));
    expect(() => socket.setUserTimeout(value as never)).toThrow(expect.objectContaining(refusal));
    expect(socket.getTimeout()).toBe(Number.POSITIVE_INFINITY);
    expect(socket.getUserTimeout()).toBe(Number.POSITIVE_INFINITY);
  });

  it('of what is not acknowledged is counted in whole milliseconds', () => {
    const socket = fresh();
    socket.setUserTimeout(1_500.2);
    expect(socket.getUserTimeout()).toBe(1_501);
    socket.setUserTimeout(Number.POSITIVE_INFINITY);
    expect(socket.getUserTimeout()).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('keep-alive', () => {
  it('is counted in whole seconds, rounded up', () => {
    const socket = fresh();
    expect(socket.getKeepAlive()).toBe(false);
    socket.setKeepAlive({ idle: 1_001, interval: 1, count: 3 });
    expect(socket.getKeepAlive()).toEqual({ idle: 2_000, interval: 1_000, count: 3 });
    socket.setKeepAlive({ count: 127 });
    expect(socket.getKeepAlive()).toEqual({ idle: 2_000, interval: 1_000, count: 127 });
    socket.setKeepAlive(false);
    expect(socket.getKeepAlive()).toBe(false);
  });

  it.each([
    [{ idle: 0 }, 'options.idle'],
    [{ idle: 32_767_001 }, 'options.idle'],
    [{ interval: Number.POSITIVE_INFINITY }, 'options.interval'],
    [{ interval: '5' }, 'options.interval'],
    [{ count: 128 }, 'options.count'],
    [{ count: 1.5 }, 'options.count'],
    [{ delay: 5 }, 'options.delay'],
    [true, 'options'],
    [undefined, 'options'],
  ])('is refused as %p', (value, name) => {
    const socket = fresh();
    expect(() => socket.setKeepAlive(value as never)).toThrow(`"${name}"`);
    expect(socket.getKeepAlive()).toBe(false);
  });
});

describe('the size of a buffer', () => {
  it.each(['Recv', 'Send'] as const)('%s is what the kernel has made of it', (direction) => {
    const socket = fresh();
    socket[`set${direction}BufferSize`](50_000);
    expect(socket[`get${direction}BufferSize`]()).toBe(100_000);
    // Beyond its limit, the kernel gives as much as it allows.
    socket[`set${direction}BufferSize`](2 ** 31 - 1);
    expect(socket[`get${direction}BufferSize`]()).toBeLessThan(2 ** 31 - 1);
    for (const value of noNumbers) {
      expect(() => socket[`set${direction}BufferSize`](value as never)).toThrow(/"bytes"/);
    }
  });
});

describe('congestion control', () => {
  it('is the one that was chosen, of those that the system has', () => {
    const socket = fresh();
    socket.setCongestion('reno');
    expect(socket.getCongestion()).toBe('reno');
    expect(() => socket.setCongestion('nosuch')).toThrow(
      expect.objectContaining({ code: 'ENOENT', syscall: 'setsockopt' }),
    );
    expect(socket.getCongestion()).toBe('reno');
  });

  it.each(['', 'x'.repeat(16), 'a\0b', 'ä', 5, undefined])('is refused as %p', (value) => {
    expect(() => fresh().setCongestion(value as never)).toThrow(/"name"/);
  });
});

describe('options of a Unix socket', () => {
  it.each([
    (socket: Socket) => socket.setKeepAlive({ idle: 1_000 }),
    (socket: Socket) => socket.setKeepAlive({}),
    (socket: Socket) => socket.getKeepAlive(),
    (socket: Socket) => socket.setCongestion('reno'),
    (socket: Socket) => socket.getCongestion(),
    (socket: Socket) => socket.setUserTimeout(5),
    (socket: Socket) => socket.getUserTimeout(),
    (socket: Socket) => socket.setFastOpen(5),
    (socket: Socket) => socket.getFastOpen(),
    (socket: Socket) => socket.tcpInfo(),
  ])('are not those of TCP: %s', (call) => {
    const refusal = { code: 'ENOTSUP', syscall: expect.stringMatching(/^[gs]etsockopt$/) };
    expect(() => call(fresh('unix'))).toThrow(expect.objectContaining(refusal));
  });
});

describe('a socket that connects', () => {
  it('keeps what was set when another takes its place after a failure', async () => {
    const refused = cleanup.add(new Socket({ family: 'ipv4' }));
    refused.bind('127.0.0.1', 0);
    const socket = fresh();
    socket.setKeepAlive({ idle: 5_000, interval: 2_000, count: 4 });
    socket.setCongestion('reno');
    socket.setUserTimeout(9_000);
    socket.setCloseOnExec(false);
    const port = refused.localPort as number;
    await expect(socket.connect('127.0.0.1', port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    const { listener } = listening(cleanup);
    await socket.connect('127.0.0.1', listener.localPort as number);
    expect(socket.getKeepAlive()).toEqual({ idle: 5_000, interval: 2_000, count: 4 });
    expect(socket.getCongestion()).toBe('reno');
    expect(socket.getUserTimeout()).toBe(9_000);
    expect(socket.getCloseOnExec()).toBe(false);
  });
});

describe('a listener', () => {
  it('hands its options on to what it accepts', async () => {
    const listener = cleanup.add(new Socket({ family: 'ipv4' }));
    listener.setKeepAlive({ idle: 7_000, interval: 3_000, count: 5 });
    listener.setUserTimeout(12_000);
    listener.setCongestion('reno');
    listener.setRecvBufferSize(40_000);
    listener.setNoDelay(true);
    listener.bind('127.0.0.1', 0);
    listener.listen();
    cleanup.add(await connect({ host: '127.0.0.1', port: listener.localPort }));
    const accepted = cleanup.add(await listener.accept());
    expect(accepted.getKeepAlive()).toEqual({ idle: 7_000, interval: 3_000, count: 5 });
    expect(accepted.getUserTimeout()).toBe(12_000);
    expect(accepted.getCongestion()).toBe('reno');
    expect(accepted.getRecvBufferSize()).toBe(80_000);
    expect(accepted.getNoDelay()).toBe(true);
    expect(accepted.getCloseOnExec()).toBe(true);
  });

  it('has the queue for first packets with data that it was made with', () => {
    expect(cleanup.add(listen({ host: '127.0.0.1', fastOpen: 16 })).getFastOpen()).toBe(16);
    const listener = cleanup.add(listen({ host: '127.0.0.1' }));
    expect(listener.getFastOpen()).toBe(0);
    listener.setFastOpen(32);
    expect(listener.getFastOpen()).toBe(32);
    listener.setFastOpen(false);
    expect(listener.getFastOpen()).toBe(0);
    for (const value of [true, -1, 1.5, '1', undefined]) {
      expect(() => listener.setFastOpen(value as never)).toThrow(/"queueLength"/);
    }
    expect(() => listen({ path: '@sock-options-none', fastOpen: 1 })).toThrow('excludes path');
    expect(() => listen({ fastOpen: true as never })).toThrow('options.fastOpen');
  });
});

describe('what the kernel knows of a connection', () => {
  it('counts what went over it', async () => {
    const [near, far] = await connectedPair(cleanup);
    await near.sendAll(Buffer.alloc(1_000));
    await far.recvAll(1_000);
    const info = far.tcpInfo();
    expect(info).toMatchObject({
      state: 'established',
      bytesReceived: 1_000,
      totalRetransmits: 0,
      lost: 0,
      slowStartThreshold: Number.POSITIVE_INFINITY,
      synDataAcked: false,
    });
    expect(info.sendMss).toBeGreaterThan(500);
    expect(info.congestionWindow).toBeGreaterThan(0);
    expect(near.tcpInfo()).toMatchObject({ bytesSent: 1_000 });
    expect(near.tcpInfo().rtt).toBeGreaterThan(0);
    // A loopback answers within a second, whatever else this machine does.
    expect(near.tcpInfo().rtt).toBeLessThan(1_000);
  });

  it('names its state, and how many wait for a listener', async () => {
    const { listener, target } = listening(cleanup);
    expect(fresh().tcpInfo().state).toBe('closed');
    const near = cleanup.add(await connect(target));
    expect(listener.tcpInfo()).toMatchObject({ state: 'listening', unacked: 1, sacked: 16 });
    const far = cleanup.add(await listener.accept());
    await far.shutdown('write');
    expect(near.tcpInfo().state).toBe('close-wait');
    // The acknowledgement may be on its way.
    expect(far.tcpInfo().state).toMatch(/^fin-wait-[12]$/);
  });
});

describe('the other end of a Unix socket', () => {
  const path = useFolder();

  it('is a process with its ids, while there is a connection', async () => {
    const me = {
      pid: process.pid,
      uid: process.geteuid?.(),
      gid: process.getegid?.(),
    };
    const listener = cleanup.add(listen({ path: path('s') }));
    expect(listener.peerCredentials).toBeUndefined();
    expect(fresh('unix').peerCredentials).toBeUndefined();
    const near = cleanup.add(await connect({ path: path('s') }));
    const far = cleanup.add(await listener.accept());
    expect([near.peerCredentials, far.peerCredentials]).toEqual([me, me]);
    for (const socket of Socket.pair()) expect(cleanup.add(socket).peerCredentials).toEqual(me);
    near.close();
    expect(near.peerCredentials).toBeUndefined();
  });

  it('is nobody that TCP would know', async () => {
    const [near] = await connectedPair(cleanup);
    expect(near.peerCredentials).toBeUndefined();
  });
});

describeWithPeers(['network namespaces'], 'a user timeout', () => {
  it('ends a connection whose peer has gone silent', async () => {
    const { near, far, farAddresses } = await openNetwork();
    const server = await far.launch(
      'python3',
      [
        '-c',
        `import socket
s = socket.create_server(('${farAddresses[0]}', 0))
print('port', s.getsockname()[1], flush=True)
c, _ = s.accept()
print('accepted', flush=True)
c.recv(10)
c.recv(10)`,
      ],
      { ready: /port (\d+)/ },
    );
    const port = server.ready[1];
    const { stdout, stderr } = await runScript(
      `
      const { connect } = require('@sock/core');
      const { execFileSync } = require('node:child_process');
      const socket = await connect({ host: '${farAddresses[0]}', port: ${port} });
      socket.setUserTimeout(300);
      // A sanitizer's runtime is for our own process.
      const { LD_PRELOAD: _, ...env } = process.env;
      execFileSync('ip', ['link', 'set', 'veth0', 'down'], { env });
      await socket.sendAll('lost');
      const error = await socket.recv().catch((error) => error);
      console.log(error.code);
      socket.close();
    `,
      { namespace: near },
    );
    expect({ stdout, stderr }).toEqual({ stdout: 'ETIMEDOUT\n', stderr: '' });
  });
});
