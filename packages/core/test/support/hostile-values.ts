/** Every exported function and method, called with hostile values in every place. */
import type * as Core from '@sock/core';
import { chooseSeed, expectSockets, isPending, openSockets, within } from '@sock/testing';
import type * as Hostile from '@sock/testing/hostile';
import fc from 'fast-check';

type Arguments = readonly fc.Arbitrary<Hostile.Maker>[];
type Call = (args: unknown[]) => unknown;

const isIntegerBetween = (value: unknown, min: number, max: number): boolean =>
  Number.isInteger(value) && (value as number) >= min && (value as number) <= max;

/** Names would be looked up, and paths made; what is left fails before that, or leads nowhere. */
const isText = (value: unknown): boolean => typeof value === 'string' && value.length < 1_000;
const isLong = (value: unknown): boolean =>
  typeof value === 'number' && value > 5 && !(value >= 2 ** 31 && Number.isFinite(value));

export function describeHostileValues(backend: 'epoll' | 'poll'): void {
  process.env.SOCK_BACKEND = backend;
  const { connect, isSocketError, listen, relay, Socket, serve, toDuplex } =
    require('@sock/core') as typeof Core;
  const { anything, expectAllowed, list, oneOf, options } =
    require('@sock/testing/hostile') as typeof Hostile;

  const odd = anything();
  const host = fc.oneof(anything(isText), oneOf('', 'a\0b', '127.0.0.1', '::1'));
  // A port that is taken as one might be somebody's.
  const port = anything((value) => isIntegerBetween(value, 1, 65_535));
  const path = fc.oneof(
    anything(isText),
    oneOf('', '@', 'a\0b', `/${'x'.repeat(107)}`, '/no/such/folder', `@${'x'.repeat(107)}`),
  );
  const size = anything((value) => typeof value === 'number' && value > 2 ** 20 && value < 2 ** 31);
  const time = anything((value) => value === undefined || isLong(value));
  const flag = fc.oneof(odd, oneOf(true, false));

  const places = fc.oneof(
    list(fc.oneof(odd, oneOf('text', new Uint8Array(4), Buffer.alloc(9_000)))),
    oneOf(new Array(1025).fill('x')),
  );
  const messageFlags = options({ outOfBand: flag, peek: flag });
  const message = options({
    data: fc.oneof(places, oneOf('text')),
    fds: list(fc.oneof(odd, oneOf(0, 2, 2 ** 30))),
    credentials: options({ pid: odd, uid: odd, gid: odd }),
    flags: messageFlags,
  });
  const limits = options({ timeout: time, signal: odd });
  const patience = options({ timeout: time });
  const target = {
    host,
    port,
    path,
    timeout: time,
    signal: odd,
    fastOpen: flag,
    lookup: odd,
    race: odd,
  };

  // A number that is taken is read from, at most: nothing is lost by it.
  const file = fc.oneof(
    anything(isText),
    oneOf(__filename, '', 'a\0b', '/', '/no/such/file', { fd: -1 }, { fd: 2 ** 31 }),
  );
  const part = { offset: odd, length: odd };

  const methods: Record<string, Arguments> = {
    send: [odd, limits],
    sendAll: [odd, limits],
    sendSync: [odd, patience],
    sendAllSync: [odd, patience],
    trySend: [odd],
    sendLimited: [odd, limits],
    sendLimitedSync: [odd, patience],
    trySendLimited: [odd],
    recvLimited: [size, limits],
    recvLimitedSync: [size, patience],
    tryRecvLimited: [size],
    setBandwidth: [odd],
    bandwidthWaitMs: [odd, odd],
    sendv: [places, limits],
    sendvAll: [places, limits],
    sendvSync: [places, patience],
    sendvAllSync: [places, patience],
    trySendv: [places],
    sendFile: [file, options({ ...part, timeout: time, signal: odd })],
    sendFileAll: [file, options({ ...part, timeout: time, signal: odd })],
    sendFileSync: [file, options({ ...part, timeout: time })],
    sendFileAllSync: [file, options({ ...part, timeout: time })],
    trySendFile: [file, options(part)],
    recvv: [places, limits],
    recvvAll: [places, limits],
    recvvSync: [places, patience],
    recvvAllSync: [places, patience],
    tryRecvv: [places],
    sendMsg: [message, limits],
    sendMsgSync: [message, patience],
    trySendMsg: [message],
    recvMsg: [size, options({ timeout: time, signal: odd, flags: messageFlags })],
    recvMsgSync: [size, options({ timeout: time, flags: messageFlags })],
    tryRecvMsg: [size, options({ flags: messageFlags })],
    setPassCredentials: [flag],
    recv: [size, limits],
    recvSync: [size, patience],
    tryRecv: [size],
    recvAll: [size, limits],
    recvAllSync: [size, patience],
    chunks: [options({ size, reuse: flag })],
    shutdown: [odd, limits],
    end: [limits],
    accept: [limits],
    acceptSync: [patience],
    bind: [host, port],
    bindUnix: [path],
    listen: [options({ backlog: odd })],
    connect: [host, port, options({ timeout: time, signal: odd, fastOpen: flag })],
    connectSync: [host, port, options({ timeout: time, fastOpen: flag })],
    tryConnect: [host, port],
    connectUnix: [path, limits],
    connectUnixSync: [path, patience],
    connectTo: [list(options({ address: host, port, family: odd })), limits],
    connectToSync: [list(options({ address: host, port, family: odd })), patience],
    setReuseAddr: [flag],
    setReusePort: [flag],
    setNoDelay: [flag],
    setIpv6Only: [flag],
    setCloseOnExec: [flag],
    setNonBlocking: [flag],
    setKeepAlive: [fc.oneof(flag, options({ idle: odd, interval: odd, count: odd }))],
    setRecvBufferSize: [odd],
    setSendBufferSize: [odd],
    setCongestion: [odd],
    setFastOpen: [odd],
    setUserTimeout: [odd],
    setTimeout: [time],
    joinPoll: [odd],
    lendReading: [odd],
    lendWriting: [odd],
    lendAccepting: [odd],
    setTimeouts: [options({ connectTimeout: time, dnsTimeout: time, operationTimeout: time })],
  };

  const functions: Record<string, readonly [Arguments, Call]> = {
    connect: [[options(target)], ([arg]) => connect(arg as never)],
    listen: [
      [options({ host, port, path, backlog: odd, reusePort: flag, fastOpen: odd })],
      ([arg]) => listen(arg as never),
    ],
    serve: [
      [
        options({ host, port, path, maxConnections: odd, endTimeout: odd, signal: odd }),
        fc.oneof(
          odd,
          oneOf(() => {}),
        ),
      ],
      ([arg, handler]) => serve(arg as never, handler as never).close(),
    ],
    relay: [
      [odd, odd, options({ signal: odd })],
      ([first, second, arg]) => {
        const [near, far] = Socket.pair();
        try {
          relay(near, far, arg as never).catch(() => {});
        } finally {
          near.close();
          far.close();
        }
        return relay(first as never, second as never);
      },
    ],
    toDuplex: [
      [
        odd,
        options({ allowHalfOpen: flag, readableHighWaterMark: size, writableHighWaterMark: size }),
      ],
      ([source, arg]) => {
        const [near, far] = Socket.pair();
        try {
          toDuplex(near, arg as never);
        } finally {
          near.close();
          far.close();
        }
        return toDuplex(source as never);
      },
    ],
    'toDuplex().set': [
      [odd, odd],
      ([first, second]) => {
        const [near, far] = Socket.pair();
        try {
          const duplex = toDuplex(near);
          duplex.setNoDelay(first as never);
          duplex.setTimeout(first as never, second as never);
          duplex.setKeepAlive(first as never, second as never);
        } finally {
          near.close();
          far.close();
        }
      },
    ],
    isSocketError: [[odd], ([arg]) => isSocketError(arg)],
    'new Socket': [
      [options({ family: fc.oneof(odd, oneOf('unix')), type: odd })],
      ([arg]) => new Socket(arg as never),
    ],
    'Socket.pair': [[odd], ([arg]) => Socket.pair(arg as never)],
    'Socket.fromFd': [
      // A number may be a descriptor of somebody else in here.
      [anything((value) => isIntegerBetween(value, 0, 2 ** 20))],
      ([arg]) => Socket.fromFd(arg as never),
    ],
    'Socket.setDefaultTimeouts': [
      [options({ connectTimeout: odd, unknown: odd })],
      ([arg]) => {
        const before = Socket.getDefaultTimeouts();
        try {
          Socket.setDefaultTimeouts(arg as never);
        } finally {
          Socket.setDefaultTimeouts(before);
        }
      },
    ],
  };

  /** Sockets of every role, each of which waits no longer than 5 ms by itself. */
  async function sockets(): Promise<Core.Socket[]> {
    const made = [
      new Socket({ family: 'ipv4' }),
      new Socket({ family: 'unix' }),
      ...Socket.pair(),
      listen({ host: '127.0.0.1' }) as unknown as Core.Socket,
    ];
    for (const socket of made) socket.setTimeouts({ operationTimeout: 5, connectTimeout: 5 });
    return made;
  }

  /** Calls, and looks at what comes of it. */
  async function probe(
    where: string,
    call: () => unknown,
    closeable: Core.Socket[],
  ): Promise<void> {
    let result: unknown;
    try {
      result = call();
    } catch (error) {
      expectAllowed(error, where);
      return;
    }
    const opened = Array.isArray(result) ? result : [result];
    for (const item of opened) if (item instanceof Socket) closeable.push(item);
    if (!(result instanceof Promise)) return;
    const settled = result.then(
      (value) => {
        if (value instanceof Socket) value.close();
      },
      (error: unknown) => expectAllowed(error, where),
    );
    if (await isPending(settled)) for (const socket of closeable) socket.close();
    await within(1_000, settled, where);
  }

  const check = { numRuns: 150, seed: chooseSeed() };

  describe(`hostile values, on ${backend}`, () => {
    let socketsBefore: number;
    beforeEach(() => {
      socketsBefore = openSockets();
    });
    afterEach(() => expectSockets(socketsBefore));

    it.each(Object.entries(methods))('harm nobody in Socket.%s', async (name, args) => {
      await fc.assert(
        fc.asyncProperty(fc.nat(4), fc.tuple(...args), fc.nat(3), async (which, values, left) => {
          const made = await sockets();
          const socket = made[which] as Core.Socket;
          const method = Reflect.get(socket, name) as (...values: unknown[]) => unknown;
          // Arguments may be missing, too.
          const count = Math.max(1, values.length - (left === 3 ? 1 : 0));
          const passed = values.slice(0, count).map((make) => make());
          try {
            await probe(`${name} of socket ${which}`, () => method.apply(socket, passed), made);
          } finally {
            for (const item of made) item.close();
          }
        }),
        check,
      );
    });

    it.each(Object.entries(functions))('harm nobody in %s', async (name, [args, call]) => {
      await fc.assert(
        fc.asyncProperty(fc.tuple(...args), async (makers) => {
          const values = makers.map((make) => make());
          const opened: Core.Socket[] = [];
          try {
            await probe(name, () => call(values), opened);
          } finally {
            for (const socket of opened) socket.close();
          }
        }),
        check,
      );
    });

    it('are never taken for a limit of the queue', () => {
      const [near, far] = Socket.pair();
      fc.assert(
        fc.property(odd, (make) => {
          const value = make();
          const before = near.sendQueueMax;
          try {
            Reflect.set(near, 'sendQueueMax', value);
            expect(near.sendQueueMax).toBe(value);
          } catch (error) {
            expectAllowed(error, 'sendQueueMax');
            expect(near.sendQueueMax).toBe(before);
          }
        }),
        check,
      );
      near.close();
      far.close();
    });

    it('harm nobody when a method is called on something else', () => {
      const prototypes = [Socket.prototype, Object.getPrototypeOf(Socket.prototype) as object];
      for (const prototype of prototypes) {
        for (const [name, { value, get }] of Object.entries(
          Object.getOwnPropertyDescriptors(prototype),
        )) {
          const called = (get ?? value) as (...args: unknown[]) => unknown;
          if (name === 'constructor' || typeof called !== 'function') continue;
          for (const self of [undefined, null, {}, Object.create(Socket.prototype)]) {
            try {
              const result = called.call(self, 'x');
              if (result instanceof Promise) result.catch(() => {});
            } catch (error) {
              expect(`${name}: ${(error as Error).name}`).toBe(`${name}: TypeError`);
            }
          }
        }
      }
    });
  });
}
