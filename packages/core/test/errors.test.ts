/** Errors as they come from real sockets, and the points where older toolkits said nothing. */
import { readFileSync } from 'node:fs';
import type * as Core from '@sock/core';
import {
  connect,
  isSocketError,
  lastError,
  listen,
  Socket,
  SocketClosedError,
  SocketError,
  TimeoutError,
} from '@sock/core';
import { expectSockets, failureOf, openSockets, thrownBy } from '@sock/testing';
import { Cleanup, connectedPair, listening } from './support/states.js';

const host = '127.0.0.1';
let cleanup: Cleanup;
let socketsBefore: number;

beforeEach(() => {
  socketsBefore = openSockets();
  cleanup = new Cleanup();
});
afterEach(async () => {
  cleanup.close();
  await expectSockets(socketsBefore);
});

/** A second copy of the package, as two versions in one tree of dependencies would be. */
function otherCopy(): typeof Core {
  let copy: typeof Core | undefined;
  jest.isolateModules(() => {
    copy = require('@sock/core') as typeof Core;
  });
  if (copy === undefined) throw new Error('there is no other copy');
  return copy;
}

describe('listening', () => {
  it('on a port in use says which', () => {
    const { listener } = listening(cleanup);
    const port = listener.localPort as number;
    const error = thrownBy(() => listen({ host, port }));
    expect(error).toBeInstanceOf(SocketError);
    expect(error).toMatchObject({
      code: 'EADDRINUSE',
      errno: -98,
      syscall: 'bind',
      address: host,
      port,
      retryable: true,
    });
  });

  it('second on a port that two have bound says which', () => {
    const [first, second] = [0, 1].map(() => {
      const socket = cleanup.add(new Socket({ family: 'ipv4' }));
      socket.setReuseAddr(true);
      return socket;
    }) as [Socket, Socket];
    first.bind(host, 0);
    const port = first.localPort as number;
    second.bind(host, port);
    first.listen();
    expect(thrownBy(() => second.listen())).toMatchObject({
      code: 'EADDRINUSE',
      syscall: 'listen',
      address: host,
      port,
    });
  });

  it('on an address that this host does not have says so', () => {
    expect(thrownBy(() => listen({ host: '192.0.2.1' }))).toMatchObject({
      code: 'EADDRNOTAVAIL',
      errno: -99,
      syscall: 'bind',
      address: '192.0.2.1',
      port: 0,
    });
  });

  it('on a name is refused, and points to how names are looked up', () => {
    const error = thrownBy(() => listen({ host: 'localhost' }));
    expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
    expect(error.message).toContain('@sock/dns');
  });

  it('on both a path and a port is refused', () => {
    for (const also of [{ port: 0 }, { host }]) {
      const error = thrownBy(() => listen({ path: '@sock-errors', ...also }));
      expect(error.message).toContain('"options.path"');
    }
  });

  it('without a host means every address, of both families', async () => {
    const listener = cleanup.add(listen());
    expect(listener.localAddress).toBe('::');
    for (const address of [host, '::1']) {
      cleanup.add(await connect({ host: address, port: listener.localPort }));
      cleanup.add(await listener.accept());
    }
  });

  it('without a host means every address on a bound socket too', () => {
    const socket = cleanup.add(new Socket({ family: 'ipv4' }));
    socket.bind(null, 0);
    expect(socket.localAddress).toBe('0.0.0.0');
  });

  it('on a port is shared only between those who ask for it', () => {
    const first = cleanup.add(listen({ host, reusePort: true }));
    const port = first.localPort as number;
    cleanup.add(listen({ host, port, reusePort: true }));
    expect(thrownBy(() => listen({ host, port }))).toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('a socket', () => {
  it('is bound and listens only once it does', () => {
    const socket = cleanup.add(new Socket({ family: 'ipv4' }));
    expect([socket.isBound, socket.isListening]).toEqual([false, false]);
    socket.bind(host, 0);
    expect([socket.isBound, socket.isListening]).toEqual([true, false]);
    socket.listen();
    expect([socket.isBound, socket.isListening]).toEqual([true, true]);
  });

  it('that was accepted never blocks, and is closed on exec', async () => {
    const [, far] = await connectedPair(cleanup);
    const flags = /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${far.fd}`, 'utf8'))?.[1];
    const [nonBlocking, closeOnExec] = [0o4000, 0o2000000];
    const bits = Number.parseInt(flags ?? '', 8);
    expect(bits & nonBlocking).toBe(nonBlocking);
    expect(bits & closeOnExec).toBe(closeOnExec);
  });

  it('of an unknown kind is refused', () => {
    const wrong = [undefined, null, {}, { family: 'ipv5' }, { family: 'ipv4', type: 'seqpacket' }];
    for (const options of wrong) {
      const error = thrownBy(() => new Socket(options as never));
      expect(error).toMatchObject({ name: 'TypeError' });
      expect(error.message).toMatch(/"options/);
    }
  });

  it('whose queue would grow beyond its limit says how much is taken', async () => {
    const [near] = await connectedPair(cleanup);
    near.sendQueueMax = 10;
    const first = failureOf(near.sendAll(Buffer.alloc(1 << 24)));
    const error = await failureOf(near.sendAll(Buffer.alloc(100_000)));
    expect(error).toMatchObject({ code: 'ERR_SOCK_QUEUE_FULL', bytesTransferred: 0 });
    near.close();
    expect(await first).toMatchObject({
      code: 'ERR_SOCK_CLOSED',
      bytesTransferred: expect.any(Number),
    });
  });
});

describe('the last error', () => {
  it('is what was raised last, whether anybody looked or not', async () => {
    const [near] = await connectedPair(cleanup);
    await failureOf(near.recv(1, { timeout: 1 }));
    expect(lastError()).toBeInstanceOf(TimeoutError);
    near.close();
    const error = thrownBy(() => near.tryRecv());
    expect(lastError()).toBe(error);
    cleanup.add(new Socket({ family: 'ipv4' })).bind(host, 0);
    expect(lastError()).toBe(error);
  });
});

describe('two copies of the package', () => {
  it('know each other’s errors, by class and by branch', () => {
    const other = otherCopy();
    expect(other.SocketError).not.toBe(SocketError);
    const socket = new other.Socket({ family: 'ipv4' });
    socket.close();
    const error = thrownBy(() => socket.tryRecv());
    expect(error).toBeInstanceOf(SocketClosedError);
    expect(error).toBeInstanceOf(SocketError);
    expect(error).not.toBeInstanceOf(TimeoutError);
    expect(isSocketError(error)).toBe(true);
  });

  it('carry bytes to each other in one process', async () => {
    const other = otherCopy();
    const listener = other.listen({ host });
    const target = { host, port: listener.localPort };
    const [near, far] = await Promise.all([connect(target), listener.accept()]);
    await near.sendAll('from here');
    expect(String(await far.recv())).toBe('from here');
    await far.end({ timeout: 100 }).catch(() => {});
    expect(await failureOf(near.recv())).toMatchObject({ code: 'ERR_SOCK_EOF' });
    near.close();
    listener.close();
  });
});
