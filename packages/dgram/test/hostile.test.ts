/**
 * Every exported function and method with hostile values in every place, in any order on a few
 * sockets. Each is refused with an error that names the argument, or taken; whatever waits settles,
 * and nothing stays open. `SOCK_SEED` replays what it finds, `SOCK_RUNS` makes it look longer.
 */
import { closeSync } from 'node:fs';
import { DatagramBatch, DatagramSocket } from '@sock/dgram';
import { chooseSeed, expectSockets, openSockets, turns, within } from '@sock/testing';
import {
  anything,
  expectAllowed,
  list,
  type Maker,
  maker,
  oneOf,
  options,
} from '@sock/testing/hostile';
import fc from 'fast-check';
import { loopback } from './support.js';

type Arguments = readonly fc.Arbitrary<Maker>[];
type Verb = (table: Table, socket: DatagramSocket, args: [never, never, never, never]) => unknown;

const isText = (value: unknown): boolean => typeof value === 'string' && value.length < 1_000;
const isNumberAbove = (value: unknown, max: number): boolean =>
  typeof value === 'number' && value > max && !(value >= 2 ** 31 && Number.isFinite(value));

const odd = anything();
const flag = fc.oneof(odd, oneOf(true, false));
/** Names would be looked up, and paths made; what is left fails before that, or leads nowhere. */
const host = fc.oneof(anything(isText), oneOf('', 'a\0b', '127.0.0.1', '::1', 'localhost'));
const here = maker(() => table.port, 'a port of ours');
const port = fc.oneof(
  anything((value) => isNumberAbove(value, 0) && (value as number) < 65_536),
  fc.constant(here),
);
const path = fc.oneof(
  anything(isText),
  oneOf('', '@', 'a\0b', '/no/such/folder', '@sock-nobody', `@${'x'.repeat(107)}`),
);
const place = fc.oneof(host, path);
const time = anything((value) => value === undefined || isNumberAbove(value, 5));
const limits = options({ timeout: time, signal: odd });
const patience = options({ timeout: time });
const size = anything((value) => isNumberAbove(value, 2 ** 20));
const memory = maker(() => table.memory(16), 'a view');
const data = fc.oneof(odd, oneOf('text', 'x'.repeat(2_000)), fc.constant(memory));
const view = fc.oneof(size, fc.constant(memory));
const views = fc.oneof(list(view), list(data), oneOf(new Array(1_025).fill('x')));
const batch = fc.oneof(
  odd,
  fc.constant(maker(() => table.batch, 'a batch')),
  fc.constant(maker(() => Object.create(DatagramBatch.prototype), 'no batch')),
);
const datagram = options({
  data,
  address: place,
  port,
  localAddress: host,
  interfaceIndex: odd,
  tos: odd,
  ttl: odd,
  segmentSize: odd,
});
const datagrams = fc.oneof(list(datagram), batch);
const group = fc.oneof(host, oneOf('239.1.2.3', 'ff02::114'));
const iface = fc.oneof(odd, oneOf('lo', 1, undefined));
/** A number may be a descriptor of somebody else. */
const descriptor = anything((value) => typeof value === 'number');

type MethodOf<T> = {
  [K in keyof T]: T[K] extends (...args: never[]) => unknown ? K & string : never;
}[keyof T];
type Method = Exclude<MethodOf<DatagramSocket>, 'createSender' | 'detach'>;

/** All methods but those that hand out what has to be closed. */
const methods: Record<Method, Arguments> = {
  send: [data, limits],
  sendSync: [data, patience],
  trySend: [data],
  sendAll: [data, limits],
  sendAllSync: [data, patience],
  sendTo: [data, place, fc.oneof(port, limits), limits],
  sendToSync: [data, place, fc.oneof(port, patience), patience],
  trySendTo: [data, place, port],
  sendv: [views, limits],
  sendvSync: [views, patience],
  trySendv: [views],
  sendvAll: [views, limits],
  sendvAllSync: [views, patience],
  sendBatch: [datagrams, limits],
  sendBatchSync: [datagrams, patience],
  trySendBatch: [datagrams],
  sendSegments: [data, odd, host, port, limits],
  sendSegmentsSync: [data, odd, host, port, patience],
  recv: [view, limits],
  recvSync: [view, patience],
  tryRecv: [view],
  recvFrom: [size, limits],
  recvFromSync: [size, patience],
  tryRecvFrom: [size],
  recvAll: [size, limits],
  recvAllSync: [size, patience],
  recvv: [views, limits],
  recvvSync: [views, patience],
  tryRecvv: [views],
  recvvAll: [views, limits],
  recvvAllSync: [views, patience],
  recvBatch: [odd, options({ size, timeout: time, signal: odd })],
  recvBatchSync: [odd, options({ size, timeout: time })],
  tryRecvBatch: [odd, options({ size })],
  recvBatchInto: [batch, limits],
  recvBatchIntoSync: [batch, patience],
  tryRecvBatchInto: [batch],
  recvError: [limits],
  recvErrorSync: [patience],
  tryRecvError: [],
  bind: [fc.oneof(host, oneOf(null)), oneOf(0, -1, '1', null)],
  bindUnix: [path],
  connect: [host, port, limits],
  connectSync: [host, port, patience],
  tryConnect: [host, port],
  connectUnix: [path],
  connectUnixSync: [path],
  disconnect: [],
  ref: [],
  unref: [],
  setNonBlocking: [flag],
  getNonBlocking: [],
  pendingRead: [],
  joinPoll: [odd],
  setTimeout: [time],
  getTimeout: [],
  setReuseAddr: [flag],
  getReuseAddr: [],
  setReusePort: [flag],
  getReusePort: [],
  setIpv6Only: [flag],
  getIpv6Only: [],
  setRecvBufferSize: [odd],
  getRecvBufferSize: [],
  setSendBufferSize: [odd],
  getSendBufferSize: [],
  setBroadcast: [flag],
  getBroadcast: [],
  setTtl: [odd],
  getTtl: [],
  setTos: [odd],
  getTos: [],
  setMtuDiscovery: [odd],
  getMtuDiscovery: [],
  getPathMtu: [],
  setRecvPacketInfo: [flag],
  setRecvTos: [flag],
  setRecvTtl: [flag],
  setRecvTimestamp: [flag],
  setRecvDropCount: [flag],
  setRecvOffload: [flag],
  setRecvErrors: [flag],
  bindToDevice: [fc.oneof(odd, oneOf('lo', null))],
  setCloseOnExec: [flag],
  getCloseOnExec: [],
  joinMulticast: [group, iface],
  leaveMulticast: [group, iface],
  joinSourceMulticast: [group, host, iface],
  leaveSourceMulticast: [group, host, iface],
  setMulticastInterface: [iface],
  setMulticastTtl: [odd],
  getMulticastTtl: [],
  setMulticastLoopback: [flag],
  getMulticastLoopback: [],
  setMulticastAll: [flag],
  getMulticastAll: [],
  close: [],
};

const others: Record<string, readonly [Arguments, Verb]> = {
  construct: [
    [options({ family: fc.oneof(odd, oneOf('ipv4', 'unix')), maxSize: odd, offload: flag })],
    (_, __, [arg]) => new DatagramSocket(arg).close(),
  ],
  fromFd: [[descriptor], (_, __, [fd]) => DatagramSocket.fromFd(fd)],
  detach: [[], (_, socket) => closeSync(socket.detach())],
  iterate: [[], (_, socket) => socket[Symbol.asyncIterator]().next()],
  queueMax: [[odd], (_, socket, [max]) => Reflect.set(socket, 'sendQueueMax', max, socket)],
  look: [
    [],
    (_, socket) => {
      const { isBound, localAddress, localPort, remoteAddress, remotePort, fd } = socket;
      return [isBound, localAddress, localPort, remoteAddress, remotePort, fd, socket.boundDevice];
    },
  ],
  newBatch: [
    [options({ max: size, size })],
    (_, __, [arg]) => {
      table.batch = new DatagramBatch(arg);
    },
  ],
  readBatch: [
    [odd],
    ({ batch: read }, _, [index]) => [
      read.message(read.length - 1),
      read.data(index),
      read.offset(index),
      read.address(index),
    ],
  ],
  lookIntoBatch: [
    [odd],
    ({ batch: read }, _, [index]) => [
      read.byteLength(index),
      read.port(index),
      read.truncated(index),
      read.message(index),
    ],
  ],
  sender: [
    [
      options({ address: place, port, max: odd, size: anything((n) => isNumberAbove(n, 2 ** 20)) }),
      data,
      place,
      port,
    ],
    (_, socket, [arg, bytes, to, at]) => {
      using sender = socket.createSender(arg);
      sender.send(bytes, to, at);
      sender.flush();
      sender.send(bytes);
      expect(sender.pending).toBe(1);
    },
  ],
  takeMemory: [[], (t) => t.takeMemory()],
  wait: [[], () => turns(1)],
};

const verbs: Record<string, readonly [Arguments, Verb]> = { ...others };
for (const [name, args] of Object.entries(methods)) {
  verbs[name] = [
    args,
    (_, socket, values) =>
      Reflect.apply(Reflect.get(socket, name) as () => unknown, socket, values),
  ];
}

/** Sockets of every family, and memory that is lent to them. */
class Table {
  readonly sockets: DatagramSocket[];
  readonly port: number;
  batch = new DatagramBatch({ max: 4 });
  private views: Uint8Array[] = [];
  private readonly pending: Promise<unknown>[] = [];

  constructor() {
    const [near, far] = [
      new DatagramSocket({ family: 'ipv4' }),
      new DatagramSocket({ family: 'ipv4' }),
    ];
    near.bind(loopback.ipv4, 0);
    far.bind(loopback.ipv4, 0);
    this.port = near.localPort ?? 1;
    near.tryConnect(loopback.ipv4, far.localPort ?? 1);
    far.tryConnect(loopback.ipv4, this.port);
    this.sockets = [near, far, ...DatagramSocket.pair(), new DatagramSocket({ family: 'ipv6' })];
    for (const socket of this.sockets) {
      socket.setTimeout(5);
      if (socket !== near) socket.trySendBatch([]);
    }
    far.trySend('something');
  }

  memory(length: number): Uint8Array {
    const made = new Uint8Array(length);
    this.views.push(made);
    return made;
  }

  takeMemory(): void {
    for (const { buffer } of [...this.views, this.batch.buffer]) {
      if (buffer.byteLength > 0) structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
    }
    this.views = [];
  }

  async run(name: string, which: number, makers: readonly Maker[]): Promise<void> {
    const expectFrom = (error: unknown): void => expectAllowed(error, `${name} of ${which}`);
    const [, verb] = verbs[name] ?? [];
    const values = makers.map((make) => make()) as Parameters<Verb>[2];
    try {
      const result = verb?.(this, this.sockets[which] as DatagramSocket, values);
      if (!(result instanceof Promise)) return;
      const settled = result.catch(expectFrom);
      // Looked at in the end; until then it is not unhandled.
      settled.catch(() => {});
      this.pending.push(settled);
      if (name === 'wait') await settled;
    } catch (error) {
      expectFrom(error);
    }
  }

  async end(): Promise<void> {
    for (const socket of this.sockets) socket.close();
    await within(2_000, Promise.all(this.pending), 'settling');
  }
}

let table: Table;

const step = fc
  .constantFrom(...Object.keys(verbs))
  .chain((name) => fc.tuple(fc.constant(name), fc.nat(4), fc.tuple(...(verbs[name]?.[0] ?? []))));

/** A few calls on the sockets, and their end. */
async function attempt(steps: readonly [string, number, readonly Maker[]][]): Promise<void> {
  table = new Table();
  try {
    for (const [name, which, makers] of steps) await table.run(name, which, makers);
  } finally {
    await table.end();
  }
}

const seed = chooseSeed();

it('hostile values are refused by name, or taken', async () => {
  const before = openSockets();
  for (const [name, [args]] of Object.entries(verbs)) {
    const property = fc.asyncProperty(fc.nat(4), fc.tuple(...args), (which, makers) =>
      attempt([[name, which, makers]]),
    );
    await fc.assert(property, { seed, numRuns: Number(process.env.SOCK_RUNS ?? 30) });
  }
  await expectSockets(before);
});

it('hostile sequences settle all that they begin, and leave nothing open', async () => {
  const before = openSockets();
  const steps = fc.array(step, { minLength: 3, maxLength: 40, size: 'max' });
  await fc.assert(fc.asyncProperty(steps, attempt), {
    seed,
    numRuns: Number(process.env.SOCK_RUNS ?? 250),
  });
  await expectSockets(before);
});
