/**
 * Operations of every kind on a handful of sockets, in any order, none waiting for another.
 * Whatever happens, every promise settles, with what it may settle with, and nothing stays open.
 */
import type * as Core from '@sock/core';
import type * as Native from '@sock/native';
import { chooseSeed, expectSockets, openSockets, turns, within } from '@sock/testing';
import type * as Hostile from '@sock/testing/hostile';
import fc from 'fast-check';

/** What to do, to which socket, and a number that means something else for each. */
interface Step {
  readonly verb: string;
  readonly which: number;
  readonly other: number;
  readonly amount: number;
}

const seats = 5;
const amounts = [1, 7, 4_096, 4_097, 70_000, 300_000];
const host = '127.0.0.1';
/** More of them make a search of hours; `SOCK_SEED` replays what it finds. */
const numRuns = Number(process.env.SOCK_RUNS ?? 250);

function closeAll(message: Core.ReceivedMessage | null): void {
  for (const received of message?.fds ?? []) received.close();
}

export function describeHostileSequences(backend: 'epoll' | 'poll'): void {
  process.env.SOCK_BACKEND = backend;
  const { Arena, connect, listen, Socket } = require('@sock/core') as typeof Core;
  const { binding, Control } = require('@sock/native') as typeof Native;
  const { expectAllowed } = require('@sock/testing/hostile') as typeof Hostile;

  class Table {
    readonly sockets: (Core.Socket | undefined)[] = [];
    readonly arena = new Arena();
    private readonly pending: Promise<unknown>[] = [];
    private readonly controllers: AbortController[] = [];
    private readonly buffers: Uint8Array[] = [];
    private verb = '';

    seat(which: number, socket: Core.Socket): void {
      this.sockets[which]?.close();
      this.sockets[which] = socket;
    }

    at(which: number): Core.Socket {
      const there = this.sockets[which];
      if (there !== undefined) return there;
      const fresh = new Socket({ family: which % 2 === 0 ? 'ipv4' : 'unix' });
      this.sockets[which] = fresh;
      return fresh;
    }

    /** Begins with something to lose: two conversations, and a listener. */
    async furnish(): Promise<void> {
      const listener = listen({ host });
      const to = { host, port: listener.localPort };
      this.sockets.push(...(await Promise.all([connect(to), listener.accept()])));
      this.sockets.push(...Socket.pair(), listener as unknown as Core.Socket);
    }

    /** Looks after a promise until the end. */
    later(promise: Promise<unknown>): void {
      const { verb } = this;
      const over = promise.then(
        (value) => {
          // A step of an iteration wraps it. Without a seat it only waits to be closed.
          const made = (value as { value?: unknown } | undefined)?.value ?? value;
          if (made instanceof Socket && !this.sockets.includes(made)) this.sockets.push(made);
        },
        (error: unknown) => expectAllowed(error, verb),
      );
      // A failure is looked at in the end; until then it is not unhandled.
      over.catch(() => {});
      this.pending.push(over);
    }

    memory(amount: number): Uint8Array {
      const buffer = new Uint8Array(amount);
      this.buffers.push(buffer);
      return buffer;
    }

    /** No limits, a short time, a signal that will be aborted, or one that is already. */
    limits(amount: number): Core.OperationOptions {
      const controller = new AbortController();
      this.controllers.push(controller);
      const kinds = [{}, { timeout: 0 }, { timeout: 1 }, { signal: controller.signal }];
      return { ...kinds[amount % kinds.length] };
    }

    abortAll(): void {
      for (const controller of this.controllers.splice(0)) controller.abort();
    }

    detachAll(): void {
      for (const { buffer } of this.buffers.splice(0)) {
        if (buffer.byteLength > 0) structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
      }
    }

    async run({ verb, which, other, amount }: Step): Promise<void> {
      this.verb = verb;
      try {
        await steps[verb]?.(this, which, other, amount);
      } catch (error) {
        expectAllowed(error, verb);
      }
    }

    /** Everything is closed; whoever still waits then would wait for ever. */
    async end(): Promise<void> {
      for (let round = 0; round < 3; round++) {
        for (const socket of this.sockets) socket?.close();
        await turns(1);
      }
      await within(2_000, Promise.all(this.pending), 'settling all that was begun');
      for (const socket of this.sockets) socket?.close();
    }
  }

  type Action = (t: Table, which: number, other: number, amount: number) => unknown;

  /** How to connect to what sits there. */
  function target(socket: Core.Socket): Core.ConnectOptions {
    if (socket.family === 'unix') return { path: socket.localAddress ?? '@sock-nobody' };
    return { host, port: socket.localPort ?? 1 };
  }

  let names = 0;
  const steps: Record<string, Action> = {
    open: (t, i) => t.seat(i, new Socket({ family: 'ipv4' })),
    openUnix: (t, i) => t.seat(i, new Socket({ family: 'unix' })),
    pair: (t, i, j, n) => {
      const [near, far] = Socket.pair(n % 3 === 0 ? 'seqpacket' : 'stream');
      t.seat(i, near);
      t.seat(j === i ? (i + 1) % seats : j, far);
    },
    bind: (t, i) => t.at(i).bind(host, 0),
    bindUnix: (t, i) => t.at(i).bindUnix(`@sock-hostile-${process.pid}-${names++}`),
    listen: (t, i, _j, n) => t.at(i).listen({ backlog: 1 + (n % 3) }),
    listenAnew: (t, i) => t.seat(i, listen({ host }) as unknown as Core.Socket),
    connect: (t, i, j, n) => {
      const to = target(t.at(j));
      const socket = t.at(i);
      if (to.path !== undefined) t.later(socket.connectUnix(to.path, t.limits(n)));
      else t.later(socket.connect(host, to.port ?? 1, t.limits(n)));
    },
    connectByName: (t, i, j, n) => {
      t.later(t.at(i).connect('localhost', target(t.at(j)).port ?? 1, t.limits(n)));
    },
    connectAnew: (t, _i, j, n) => t.later(connect({ ...target(t.at(j)), ...t.limits(n) })),
    tryConnect: (t, i, j) => t.at(i).tryConnect(host, target(t.at(j)).port ?? 1),
    tryConnectOn: (t, i) => t.at(i).tryConnect(),
    connectSync: (t, i, j) => {
      t.at(i).connectSync(host, target(t.at(j)).port ?? 1, { timeout: 1 });
    },
    accept: (t, i, j, n) => {
      const accepted = t.at(i).accept(t.limits(n));
      t.later(accepted.then((socket) => t.seat(j === i ? (i + 1) % seats : j, socket)));
    },
    tryAccept: (t, i, j) => {
      const socket = t.at(i).tryAccept();
      if (socket !== null) t.seat(j, socket);
    },
    iterate: (t, i) => t.later(t.at(i)[Symbol.asyncIterator]().next()),
    send: (t, i, _j, n) => t.later(t.at(i).send(t.memory(n), t.limits(n))),
    sendAll: (t, i, _j, n) => t.later(t.at(i).sendAll(t.memory(n))),
    sendLimited: (t, i, j, n) => t.later(t.at(i).sendAll(t.memory(n), t.limits(j))),
    burst: (t, i) => {
      for (let count = 0; count < 20; count++) t.later(t.at(i).sendAll('burst'));
    },
    sendv: (t, i, j, n) => t.later(t.at(i).sendv([t.memory(n), 'x'], t.limits(j))),
    sendvAll: (t, i, j, n) => t.later(t.at(i).sendvAll([t.memory(n), t.memory(j)])),
    sendvLimited: (t, i, j, n) => t.later(t.at(i).sendvAll(['x', t.memory(n)], t.limits(j))),
    sendvSync: (t, i, _j, n) => t.at(i).sendvSync(['x', t.memory(n)], { timeout: 1 }),
    sendFile: (t, i, j, n) => {
      t.later(t.at(i).sendFile(__filename, { offset: n, ...t.limits(j) }));
    },
    sendFileAll: (t, i, _j, n) => t.later(t.at(i).sendFileAll(process.execPath, { length: n })),
    sendFileLimited: (t, i, j, n) => {
      t.later(t.at(i).sendFileAll(__filename, { length: n, ...t.limits(j) }));
    },
    sendFileSync: (t, i, _j, n) => {
      t.at(i).sendFileAllSync(process.execPath, { length: n, timeout: 1 });
    },
    trySendFile: (t, i, _j, n) => t.at(i).trySendFile(__filename, { offset: n }),
    recvv: (t, i, j, n) => t.later(t.at(i).recvv([t.memory(j), t.memory(n)], t.limits(j))),
    recvvAll: (t, i, j, n) => t.later(t.at(i).recvvAll([t.memory(j), t.memory(n)], t.limits(j))),
    recvvAllSync: (t, i, j, n) => {
      t.at(i).recvvAllSync([t.memory(n), t.memory(j)], { timeout: 1 });
    },
    bandwidth: (t, i, _j, n) => t.at(i).setBandwidth(n),
    noBandwidth: (t, i) => t.at(i).setBandwidth(Number.POSITIVE_INFINITY),
    sendMetered: (t, i, j, n) => t.later(t.at(i).sendLimited(t.memory(n), t.limits(j))),
    recvMetered: (t, i, j, n) => t.later(t.at(i).recvLimited(t.memory(n), t.limits(j))),
    trySendMetered: (t, i, _j, n) => t.at(i).trySendLimited(t.memory(n)),
    tryRecvMetered: (t, i, _j, n) => t.at(i).tryRecvLimited(n),
    sendMeteredSync: (t, i, _j, n) => t.at(i).sendLimitedSync(t.memory(n), { timeout: 1 }),
    sendOfArena: (t, i, j, n) => t.later(t.at(i).sendAll(t.arena.alloc(n), t.limits(j))),
    recvToArena: (t, i, j, n) => t.later(t.at(i).recv(t.arena.alloc(n), t.limits(j))),
    recvvToArena: (t, i, j, n) => t.later(t.at(i).recvvAll([t.memory(n), t.arena.alloc(1 + j)])),
    clearArena: (t) => t.arena.clear(),
    sendMsg: (t, i, j, n) => {
      const fds = t.at(i).family === 'unix' && t.at(j).fd >= 0 ? [t.at(j)] : [];
      t.later(t.at(i).sendMsg({ data: t.memory(n), fds }, t.limits(j)));
    },
    recvMsg: (t, i, j, n) => {
      const received = t.at(i).recvMsg(n, { ...t.limits(j), flags: { peek: n % 2 === 0 } });
      t.later(received.then(closeAll));
    },
    tryRecvMsg: (t, i, _j, n) => closeAll(t.at(i).tryRecvMsg(n)),
    trySend: (t, i, _j, n) => t.at(i).trySend(t.memory(n)),
    sendSync: (t, i, _j, n) => t.at(i).sendSync(t.memory(n), { timeout: 1 }),
    recv: (t, i, j, n) => t.later(t.at(i).recv(n, t.limits(j))),
    recvView: (t, i, j, n) => t.later(t.at(i).recv(t.memory(n), t.limits(j))),
    recvAll: (t, i, j, n) => t.later(t.at(i).recvAll(n, t.limits(j))),
    recvSync: (t, i, _j, n) => t.at(i).recvSync(n, { timeout: 1 }),
    tryRecv: (t, i, _j, n) => t.at(i).tryRecv(n),
    chunks: (t, i, _j, n) => {
      const chunks = t.at(i).chunks({ size: n, reuse: n % 2 === 0 });
      for (let count = 0; count < 3; count++) t.later(chunks.next());
    },
    shutdown: (t, i, j, n) => {
      const how = (['read', 'write', 'both'] as const)[j % 3] ?? 'both';
      t.later(t.at(i).shutdown(how, t.limits(n)));
    },
    end: (t, i, _j, n) => t.later(t.at(i).end(t.limits(n))),
    dispose: (t, i) => t.later(t.at(i)[Symbol.asyncDispose]()),
    queueMax: (t, i, _j, n) => {
      t.at(i).sendQueueMax = n;
    },
    timeouts: (t, i, j) => t.at(i).setTimeouts({ operationTimeout: 1 + j, connectTimeout: 1 + j }),
    unref: (t, i) => t.at(i).unref(),
    ref: (t, i) => t.at(i).ref(),
    noDelay: (t, i) => t.at(i).setNoDelay(true),
    look: (t, i) => {
      const { isBound, isConnected, isListening, localAddress, remoteAddress } = t.at(i);
      return [isBound, isConnected, isListening, localAddress, remoteAddress];
    },
    close: (t, i) => t.at(i).close(),
    abortAll: (t) => t.abortAll(),
    detachAll: (t) => t.detachAll(),
    wait: () => turns(1),
    waitLonger: () => new Promise((resolve) => setTimeout(resolve, 3)),
  };

  const step = fc.record({
    verb: fc.constantFrom(...Object.keys(steps)),
    which: fc.nat(seats - 1),
    other: fc.nat(seats - 1),
    amount: fc.constantFrom(...amounts),
  });

  describe(`hostile sequences, on ${backend}`, () => {
    it('settle all that they begin, and leave nothing open', async () => {
      const property = fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 60, size: 'max' }),
        async (sequence) => {
          const socketsBefore = openSockets();
          const table = new Table();
          try {
            await table.furnish();
            for (const one of sequence) await table.run(one);
          } finally {
            await table.end();
          }
          await expectSockets(socketsBefore, 500);
          // Nothing that is over keeps the process alive, and nothing was counted twice.
          expect(binding.control[Control.Held]).toBe(0);
        },
      );
      await fc.assert(property, { numRuns, seed: chooseSeed() });
    }, 60_000);
  });
}
