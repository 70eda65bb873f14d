/**
 * Connecting: every way in which it fails has an error of its own, and none leaves anything open.
 */
import {
  AbortError,
  connect,
  type LookupFunction,
  ResolveError,
  Socket,
  SocketClosedError,
  SocketError,
  TimeoutError,
  UnixSocketError,
} from '@sock/core';
import { expectSockets, failureOf, isPending, openSockets, thrownBy, within } from '@sock/testing';
import { Cleanup, connectedPair, fullListener, listening } from './support/states.js';

const host = '127.0.0.1';
/** Nobody can have that name: its only label is longer than 63. No server is asked for it. */
const missing = 'x'.repeat(64);
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

/** A port that nobody listens on any more. */
function deadPort(): number {
  const { listener } = listening(cleanup);
  const port = listener.localPort as number;
  listener.close();
  return port;
}

/** A port that swallows attempts to connect, as a firewall would. */
async function silentPort(): Promise<number> {
  return (await fullListener(cleanup)).listener.localPort as number;
}

function answering(...addresses: string[]): LookupFunction {
  return (_name, _options, callback) => {
    const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    setImmediate(() => callback(null, found));
  };
}

const newSocket = (): Socket => cleanup.add(new Socket({ family: 'ipv4' }));

describe('a connect that is refused', () => {
  it.each([
    ['connect', (port: number) => connect({ host, port })],
    ['Socket.connect', (port: number) => newSocket().connect(host, port)],
    ['Socket.connectSync', async (port: number) => newSocket().connectSync(host, port)],
    [
      'Socket.tryConnect',
      async (port: number) => {
        const socket = newSocket();
        // On loopback the answer is there when the second call asks for it.
        if (socket.tryConnect(host, port) === null) socket.tryConnect();
      },
    ],
  ])('says so, with address and port: %s', async (_name, attempt) => {
    const port = deadPort();
    const error = await failureOf(attempt(port));
    expect(error).toBeInstanceOf(SocketError);
    expect(error).toMatchObject({
      code: 'ECONNREFUSED',
      errno: -111,
      syscall: 'connect',
      address: host,
      port,
      retryable: true,
      message: `connect ECONNREFUSED ${host}:${port}: connection refused`,
    });
  });

  it('leaves a socket that can connect elsewhere, with the options it had', async () => {
    const { listener } = listening(cleanup);
    const socket = newSocket();
    socket.setNoDelay(true);
    await failureOf(socket.connect(host, deadPort()));
    expect(socket.remoteAddress).toBeUndefined();
    await socket.connect(host, listener.localPort as number);
    expect(socket.getNoDelay()).toBe(true);
    const peer = cleanup.add(await listener.accept());
    await peer.sendAll('hello');
    expect(String(await socket.recv())).toBe('hello');
  });

  it('keeps the local address that a socket was bound to', async () => {
    const { listener } = listening(cleanup);
    const silent = await silentPort();
    const socket = newSocket();
    socket.bind('127.0.0.7', 0);
    await failureOf(socket.connect(host, deadPort()));
    await failureOf(socket.connect(host, silent, { timeout: 10 }));
    await socket.connect(host, listener.localPort as number);
    expect(socket.localAddress).toBe('127.0.0.7');
  });

  it('says which path it was, on a Unix socket', async () => {
    const path = `@sock-connect-${process.pid}-nobody`;
    const error = await failureOf(connect({ path }));
    expect(error).toBeInstanceOf(UnixSocketError);
    expect(error).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect', path });
    expect(error).not.toHaveProperty('port');
  });
});

describe('a connect without answer', () => {
  it.each([
    ['connect', (port: number) => connect({ host, port, timeout: 30 })],
    ['Socket.connect', (port: number) => newSocket().connect(host, port, { timeout: 30 })],
    [
      'its connectTimeout',
      (port: number) => {
        const socket = newSocket();
        socket.setTimeouts({ connectTimeout: 30 });
        return socket.connect(host, port);
      },
    ],
    [
      'Socket.connectSync',
      async (port: number) => newSocket().connectSync(host, port, { timeout: 30 }),
    ],
  ])('times out, with address and port: %s', async (_name, attempt) => {
    const port = await silentPort();
    const start = performance.now();
    const error = await failureOf(attempt(port));
    expect(performance.now() - start).toBeGreaterThanOrEqual(30);
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ code: 'ERR_SOCK_TIMEOUT', timeout: 30, address: host, port });
    expect(error).not.toHaveProperty('errno');
  });

  it.each([
    ['connect', (port: number, signal: AbortSignal) => connect({ host, port, signal })],
    [
      'by name',
      (port: number, signal: AbortSignal) => connect({ host: 'localhost', port, signal }),
    ],
    [
      'Socket.connect',
      (port: number, signal: AbortSignal) => newSocket().connect(host, port, { signal }),
    ],
    [
      'Socket.connect by name',
      (port: number, signal: AbortSignal) => newSocket().connect('localhost', port, { signal }),
    ],
  ])('can be aborted, at once as well as later: %s', async (_name, attempt) => {
    const port = await silentPort();
    for (const later of [true, false]) {
      const controller = new AbortController();
      const failure = failureOf(attempt(port, controller.signal));
      if (later) expect(await isPending(failure)).toBe(true);
      controller.abort('enough');
      const error = await within(1_000, failure, 'the abort');
      expect(error).toBeInstanceOf(AbortError);
      expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: 'enough' });
    }
  });

  it.each([
    ['a literal', host],
    ['a name', 'localhost'],
  ])('ends when its socket is closed, at once as well as later: %s', async (_name, where) => {
    const port = await silentPort();
    for (const later of [true, false]) {
      const socket = newSocket();
      const failure = failureOf(socket.connect(where, port));
      if (later) await isPending(failure);
      socket.close();
      const error = await within(1_000, failure, 'the close');
      expect(error).toBeInstanceOf(SocketClosedError);
      expect(error).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
      expect(socket.fd).toBe(-1);
    }
  });

  it('lets no second connect begin', async () => {
    const port = await silentPort();
    const socket = newSocket();
    const first = failureOf(socket.connect('localhost', port));
    expect(await failureOf(socket.connect(host, port))).toMatchObject({ code: 'EALREADY' });
    expect(thrownBy(() => socket.connectSync(host, port))).toMatchObject({ code: 'EALREADY' });
    expect(thrownBy(() => socket.tryConnect())).toMatchObject({ code: 'ERR_SOCK_BUSY' });
    socket.close();
    await first;
  });
});

describe('a close after a connect failed', () => {
  it('opens nothing anew, whatever is called with it', async () => {
    const { listener } = listening(cleanup);
    const socket = newSocket();
    await failureOf(socket.connect(host, deadPort()));
    const again = failureOf(socket.connect(host, listener.localPort as number));
    socket.close();
    expect(await again).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    expect(socket.fd).toBe(-1);
  });

  it('lets a socket that was iterated over too early carry bytes later', async () => {
    const { listener, target } = listening(cleanup, 'unix');
    const path = 'path' in target ? target.path : '';
    const socket = cleanup.add(new Socket({ family: 'unix' }));
    const iterator = socket[Symbol.asyncIterator]();
    expect(await failureOf(iterator.next())).toMatchObject({ code: 'ENOTCONN' });
    await failureOf(socket.connectUnix('@sock-connect-nobody'));
    await socket.connectUnix(path);
    await cleanup.add(await listener.accept()).sendAll('late');
    expect(String((await iterator.next()).value)).toBe('late');
  });
});

describe('a connect to a Unix socket whose backlog is full', () => {
  it('waits until there is room', async () => {
    const { listener, target } = await fullListener(cleanup, 'unix');
    const waiting = connect(target);
    expect(await isPending(waiting)).toBe(true);
    cleanup.add(await listener.accept());
    cleanup.add(await within(1_000, waiting, 'the connect'));
  });

  it('times out, with its path', async () => {
    const { target } = await fullListener(cleanup, 'unix');
    const error = await failureOf(connect({ ...target, timeout: 25 }));
    expect(error).toMatchObject({ code: 'ERR_SOCK_TIMEOUT', timeout: 25, ...target });
  });
});

describe('a connect by name', () => {
  it('finds localhost', async () => {
    const { listener } = listening(cleanup);
    const port = listener.localPort as number;
    const [near, far] = await Promise.all([
      connect({ host: 'localhost', port }),
      listener.accept(),
    ]);
    cleanup.add(near);
    cleanup.add(far);
    expect(near.remoteAddress).toBe(host);
    const socket = newSocket();
    socket.connectSync('localhost', port);
    expect(socket.remotePort).toBe(port);
  });

  it.each([
    ['connect', (name: string) => connect({ host: name, port: 1 })],
    ['Socket.connect', (name: string) => newSocket().connect(name, 1)],
    ['Socket.connectSync', async (name: string) => newSocket().connectSync(name, 1)],
  ])('says that there is none of that name: %s', async (_name, attempt) => {
    const error = await failureOf(attempt(missing));
    expect(error).toBeInstanceOf(ResolveError);
    expect(error).toMatchObject({
      code: 'ENOTFOUND',
      syscall: 'getaddrinfo',
      hostname: missing,
      gaiCode: -2,
    });
  });

  it('tries the addresses in order, each with a socket of its own', async () => {
    const { listener } = listening(cleanup);
    const port = listener.localPort as number;
    const lookup = answering('127.0.0.2', '::1', '127.0.0.3', host);
    const near = cleanup.add(await connect({ host: 'many', port, lookup }));
    expect(near.remoteAddress).toBe(host);
    expect(near.family).toBe('ipv4');
  });

  it('tells of every address when all fail', async () => {
    const port = deadPort();
    const lookup = answering('127.0.0.2', '127.0.0.3');
    const error = await failureOf(connect({ host: 'many', port, lookup }));
    expect(error).toMatchObject({ code: 'ECONNREFUSED', address: '127.0.0.3', port });
    const { errors } = error.cause as AggregateError;
    expect(errors).toMatchObject([{ address: '127.0.0.2' }, { address: '127.0.0.3' }]);
  });

  it('shares its time between the addresses, and reports the whole of it', async () => {
    const { listener } = listening(cleanup);
    const silent = await silentPort();
    const lookup = answering(host, host);
    const start = performance.now();
    const error = await failureOf(connect({ host: 'many', port: silent, lookup, timeout: 60 }));
    expect(performance.now() - start).toBeLessThan(1_000);
    expect(error).toMatchObject({ code: 'ERR_SOCK_TIMEOUT', timeout: 60, port: silent });
    // Only half of the time goes to the first.
    listener.close();
  });

  it.each([
    ['finds nothing', answering(), { code: 'ENOTFOUND', hostname: 'x' }],
    ['finds a name', answering('localhost'), { code: 'ERR_INVALID_ARG_VALUE' }],
    [
      'finds no list',
      ((_name, _options, callback) => callback(null, 'x' as never)) as LookupFunction,
      { code: 'ERR_INVALID_ARG_TYPE' },
    ],
    [
      'fails',
      ((_name, _options, callback) => callback(new Error('no'), [])) as LookupFunction,
      { message: 'no' },
    ],
    [
      'throws',
      (() => {
        throw new Error('oh no');
      }) as LookupFunction,
      { message: 'oh no' },
    ],
    ['never answers', (() => {}) as LookupFunction, { code: 'ERR_SOCK_TIMEOUT', timeout: 30 }],
  ])('fails when a lookup of the user’s %s', async (_name, lookup, expected) => {
    const failure = failureOf(connect({ host: 'x', port: 1, timeout: 30, lookup }));
    expect(await within(1_000, failure, 'the lookup')).toMatchObject(expected);
  });

  it('can be aborted while a lookup of the user’s goes on', async () => {
    const controller = new AbortController();
    const failure = failureOf(
      connect({ host: 'x', port: 1, signal: controller.signal, lookup: () => {} }),
    );
    controller.abort();
    expect(await within(1_000, failure, 'the abort')).toBeInstanceOf(AbortError);
  });

  it('leaves it all to a race, where one is given', async () => {
    const [winner] = await connectedPair(cleanup);
    const race = jest.fn(async () => winner);
    const { signal } = new AbortController();
    expect(await connect({ host: 'name', port: 7, timeout: 50, signal, race })).toBe(winner);
    expect(race).toHaveBeenCalledWith('name', 7, { timeout: 50, signal });
  });

  it('takes only its own family to a socket that exists', async () => {
    expect(thrownBy(() => newSocket().connect('::1', 1))).toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
      message: expect.stringContaining('family, ipv4'),
    });
  });
});

describe('connectTo', () => {
  const at = (address: string, port: number) => ({
    address,
    port,
    family: address.includes(':') ? ('ipv6' as const) : ('ipv4' as const),
  });

  it('takes the first address that answers, and passes over other families', async () => {
    const { listener } = listening(cleanup);
    const port = listener.localPort as number;
    const dead = deadPort();
    for (const tempo of ['promise', 'sync'] as const) {
      const socket = newSocket();
      const addresses = [at('::1', port), at(host, dead), at(host, port)];
      if (tempo === 'promise') await socket.connectTo(addresses);
      else socket.connectToSync(addresses);
      expect([socket.remoteAddress, socket.remotePort]).toEqual([host, port]);
    }
  });

  it('fails with the last error, and all of them behind it', async () => {
    const ports = [deadPort(), deadPort()];
    const addresses = ports.map((port) => at(host, port));
    const failures = [
      await failureOf(newSocket().connectTo(addresses)),
      thrownBy(() => newSocket().connectToSync(addresses)),
    ];
    for (const failure of failures) {
      expect(failure).toMatchObject({ code: 'ECONNREFUSED', address: host, port: ports[1] });
      const { errors } = failure.cause as AggregateError;
      expect(errors.map(({ port }: SocketError) => port)).toEqual(ports);
    }
  });

  it('says so when no address is of the family of the socket', async () => {
    const socket = newSocket();
    const addresses = [at('::1', 7)];
    const expected = { code: 'EAFNOSUPPORT', syscall: 'connect', address: '::1', port: 7 };
    expect(await failureOf(socket.connectTo(addresses))).toMatchObject(expected);
    expect(thrownBy(() => socket.connectToSync(addresses))).toMatchObject(expected);
  });

  it('gives each address an equal share of the time', async () => {
    const { listener } = listening(cleanup);
    const socket = newSocket();
    const addresses = [at(host, await silentPort()), at(host, listener.localPort as number)];
    await within(5_000, socket.connectTo(addresses, { timeout: 400 }), 'the second address');
    expect(socket.isConnected).toBe(true);
  });

  it('names the entry that is wrong', () => {
    const wrong: [unknown, string][] = [
      ['127.0.0.1', 'addresses'],
      [[], 'addresses'],
      [[at(host, 1), null], 'addresses[1]'],
      [[{ address: 'localhost', port: 1 }], 'addresses[0].address'],
      [[{ address: host }], 'addresses[0].port'],
      [[at(host, 65_536)], 'addresses[0].port'],
    ];
    for (const [addresses, name] of wrong) {
      const call = () => newSocket().connectToSync(addresses as never);
      expect(thrownBy(call).message).toContain(`"${name}"`);
    }
  });
});
