import { BREAKER_WORKLOADS } from './breaker-workloads.js';
import type { KeyKind } from './identity.js';
import { LOOKUP_WORKLOADS, type LookupWorkload } from './lookup-workloads.js';
import { POLL_COST_WORKLOADS } from './poll-cost-workloads.js';
import { POOL_WORKLOADS } from './pool-workloads.js';
import type { ScriptWorkload } from './script.js';
import { TLS_WORKLOADS } from './tls-workloads.js';
import { WATCHED_WORKLOADS } from './watched-workloads.js';

/** What runs a contender: our C servers, Node with its own `net`, Bun, or Node with @sock/core. */
export type Runtime = 'c' | 'node' | 'bun' | 'sock' | 'poll';

export interface Contender {
  /** Unique inside its workload. */
  readonly id: string;
  readonly label: string;
  readonly runtime: Runtime;
  /** What the server is told to do, and the variant of it. */
  readonly workload?: string;
  readonly variant?: string;
}

/** A promise the project made: `contender` stays at or below `limit`. */
export interface Bar {
  readonly contender: string;
  /** The limit is measured by this contender's figure; absent, it is in the workload's unit. */
  readonly against?: string;
  /** The limit is in the workload's unit, on top of `against`. Default: a multiple of it. */
  readonly isBeyond?: boolean;
  readonly limit: number;
  /** The limit itself does not do: "below", "under half". */
  readonly strict?: boolean;
}

interface WorkloadBase {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly contenders: readonly Contender[];
  readonly bars: readonly Bar[];
  /** TLS is spoken, with a server that has such a key. */
  readonly key?: KeyKind;
}

/**
 * A server process under load; the figure is the server's CPU time for one operation, unless
 * `figure` says otherwise.
 */
export interface LoadWorkload extends WorkloadBase {
  readonly kind: 'load';
  readonly mode:
    | 'echo'
    | 'http'
    | 'connect'
    | 'knock'
    | 'file'
    | 'udp-echo'
    | 'udp-send'
    | 'udp-receive'
    | 'tls-echo'
    | 'tls-connect'
    | 'tls-bulk';
  readonly connections: number;
  readonly size: number;
  readonly pipeline: number;
  readonly workers: number;
  readonly transport: 'tcp' | 'unix';
  readonly figure?: 'loopDelay';
  /** What the microseconds for one operation are multiplied with, for another unit. */
  readonly scale?: number;
  /** Each time it is asked for, the file of `size` bytes comes from the disk. */
  readonly isCold?: boolean;
  /** The file comes from a C server behind the one that is measured. */
  readonly isRelayed?: boolean;
  /** Every handshake of TLS resumes a session, but the first ones. */
  readonly isResumed?: boolean;
  /** Operations per second offered, where the run does not say otherwise. */
  readonly rate?: number;
  /** A run is at least this long, where shorter ones may see no operation end. */
  readonly secondsMin?: number;
}

/** Connections that do nothing; the figure is resident memory of the server for one more. */
export interface IdleWorkload extends WorkloadBase {
  readonly kind: 'idle';
  readonly from: number;
  readonly to: number;
}

/** A program that imports a module, in a fresh process: its time beyond that of an empty one. */
export interface ImportWorkload extends WorkloadBase {
  readonly kind: 'import';
  /** In the folder `starts`. */
  readonly program: string;
  readonly pairs: number;
}

export type Workload =
  | LoadWorkload
  | IdleWorkload
  | ImportWorkload
  | LookupWorkload
  | ScriptWorkload;

const LABELS: Record<Runtime, string> = {
  c: 'C epoll',
  sock: '@sock/core',
  poll: '@sock/poll',
  bun: 'Bun.listen',
  node: 'node:net',
};

function contender(runtime: Runtime, workload: string, variant?: string, note?: string): Contender {
  return {
    id: variant === undefined ? runtime : `${runtime}-${variant}`,
    label: note === undefined ? LABELS[runtime] : `${LABELS[runtime]}, ${note}`,
    runtime,
    workload,
    ...(variant === undefined ? {} : { variant }),
  };
}

function everyone(workload: string): Contender[] {
  return (['c', 'sock', 'bun', 'node'] as const).map((runtime) => contender(runtime, workload));
}

/** Against C, below Bun, and where asked at most a share of `node:net`. */
function bars(limits: { c: number; bun?: number; node?: number }, id = 'sock'): Bar[] {
  const list: Bar[] = [{ contender: id, against: 'c', limit: limits.c }];
  if (limits.bun !== undefined) {
    list.push({ contender: id, against: 'bun', limit: limits.bun, strict: true });
  }
  if (limits.node !== undefined) {
    list.push({ contender: id, against: 'node', limit: limits.node, strict: true });
  }
  return list;
}

const ECHO = {
  kind: 'load',
  mode: 'echo',
  unit: 'µs CPU/message',
  connections: 64,
  size: 64,
  pipeline: 1,
  workers: 1,
  transport: 'tcp',
} as const;

const CONNECT = {
  ...ECHO,
  mode: 'connect',
  unit: 'µs CPU/connection',
  contenders: everyone('connect'),
  bars: bars({ c: 1.3, bun: 1, node: 1 }),
} as const;

const UDP = {
  ...ECHO,
  unit: 'µs CPU/datagram',
  connections: 4,
  pipeline: 32,
  size: 1200,
} as const;

/** With the names of what they are built on. */
function overUdp(contenders: readonly Contender[]): Contender[] {
  const labels: Record<Runtime, string> = {
    ...LABELS,
    c: 'C',
    sock: '@sock/dgram',
    bun: 'Bun.udpSocket',
    node: 'node:dgram',
  };
  return contenders.map((entry) => {
    const { [entry.runtime]: old } = LABELS;
    return { ...entry, label: entry.label.replace(old, labels[entry.runtime]) };
  });
}

const GIB = 2 ** 30;

/** An operation is one MiB. */
const FILE = {
  ...ECHO,
  mode: 'file',
  unit: 'ms CPU/GiB',
  scale: 1.024,
  connections: 1,
  size: GIB,
} as const;

/** A loop around a SocketPoll, with the forms that do not wait. */
const POLL_WORKLOADS: readonly LoadWorkload[] = [64, 16384].flatMap((size) =>
  [64, 1000].map((connections) => ({
    ...ECHO,
    id: `poll-${size}-${connections}`,
    title: `Poll loop: echo ${size} B, ${connections} connections`,
    size,
    connections,
    contenders: [
      contender('c', 'echo'),
      contender('poll', 'echo', 'wait', 'wait()'),
      contender('poll', 'echo', 'sync', 'waitSync() of a worker'),
    ],
    bars: [...bars({ c: 1.2 }, 'poll-wait'), ...bars({ c: 1.2 }, 'poll-sync')],
  })),
);

/** io_uring beside epoll, each in C and in ours: where it pays, and where it does not. */
const URING_WORKLOADS: readonly LoadWorkload[] = [64, 4096].flatMap((size) =>
  [64, 1000].map((connections) => ({
    ...ECHO,
    id: `uring-${size}-${connections}`,
    title: `io_uring and epoll: echo ${size} B, ${connections} connections`,
    size,
    connections,
    contenders: [
      contender('c', 'echo'),
      { ...contender('c', 'echo', 'uring'), label: 'C io_uring' },
      contender('sock', 'echo'),
      { ...contender('sock', 'echo', 'uring'), label: '@sock/poll AsyncIO, io_uring' },
      { ...contender('sock', 'echo', 'readiness'), label: '@sock/poll AsyncIO, edge-triggered' },
    ],
    bars: [],
  })),
);

export const WORKLOADS: readonly Workload[] = [
  {
    ...ECHO,
    id: 'echo-64',
    title: 'Echo 64 B, 64 connections',
    contenders: everyone('echo'),
    bars: bars({ c: 1.25, bun: 1 }),
  },
  {
    ...ECHO,
    id: 'echo-64-1000',
    title: 'Echo 64 B, 1000 connections',
    connections: 1000,
    contenders: everyone('echo'),
    bars: bars({ c: 1.25, bun: 1 }),
  },
  {
    ...ECHO,
    id: 'echo-64-unix',
    title: 'Echo 64 B, 64 connections, Unix path',
    transport: 'unix',
    contenders: everyone('echo'),
    bars: [],
  },
  {
    ...ECHO,
    id: 'echo-16k-reuse',
    title: 'Echo 16 KiB, 64 connections, memory reused',
    size: 16384,
    contenders: [
      contender('c', 'echo'),
      contender('sock', 'echo', 'view', 'recv(view)'),
      contender('sock', 'echo', 'reuse', 'chunks({ reuse })'),
      contender('bun', 'echo', undefined, 'fresh memory'),
      contender('node', 'echo', undefined, 'fresh memory'),
    ],
    bars: [
      ...bars({ c: 1.25, node: 0.5 }, 'sock-view'),
      ...bars({ c: 1.25, node: 0.5 }, 'sock-reuse'),
    ],
  },
  {
    ...ECHO,
    id: 'echo-16k-fresh',
    title: 'Echo 16 KiB, 64 connections, a fresh chunk each time',
    size: 16384,
    contenders: everyone('echo'),
    bars: bars({ c: 1.75, bun: 1 }),
  },
  ...URING_WORKLOADS,
  {
    ...ECHO,
    id: 'pipeline',
    title: 'Pipelined 64 B × 16, each message framed and answered by itself',
    pipeline: 16,
    contenders: [
      { ...contender('c', 'pipeline', 'gather', 'one send a read'), id: 'c' },
      contender('c', 'pipeline', 'each', 'one send a message'),
      contender('sock', 'pipeline'),
      contender('bun', 'pipeline'),
      contender('node', 'pipeline'),
      contender('node', 'pipeline', 'cork', 'corked by hand'),
    ],
    bars: bars({ c: 1.5, node: 0.5 }),
  },
  {
    ...ECHO,
    id: 'http',
    title: 'HTTP GET of node:http, 64 connections kept alive',
    mode: 'http',
    unit: 'µs CPU/request',
    contenders: [
      contender('sock', 'http', undefined, 'toDuplex'),
      contender('node', 'http', undefined, 'as it is'),
    ],
    bars: [{ contender: 'sock', against: 'node', limit: 1 }],
  },
  { ...CONNECT, id: 'connect', title: 'Connect, one echo, close' },
  { ...CONNECT, id: 'connect-2', title: 'Connect, one echo, close; 2 workers', workers: 2 },
  {
    ...ECHO,
    id: 'flood',
    title: '20,000 connections a second, of which 1,000 may come in',
    mode: 'knock',
    unit: 'µs CPU/connection',
    connections: 256,
    rate: 20_000,
    contenders: [
      contender('c', 'flood'),
      { ...contender('sock', 'flood'), label: 'SocketPool, acceptLimited' },
      { ...contender('sock', 'flood', 'add'), label: 'SocketPool, add and close' },
      contender('node', 'flood', undefined, 'destroy()'),
      contender('node', 'flood', 'drop', 'maxConnections'),
    ],
    bars: bars({ c: 1.5, node: 1 }),
  },
  {
    ...ECHO,
    id: 'timeout',
    title: 'Echo 64 B, 64 connections, a timeout on every operation',
    contenders: [
      contender('c', 'echo'),
      contender('sock', 'echo', 'loop', 'without'),
      contender('sock', 'echo', 'timeout', '{ timeout }'),
    ],
    bars: [{ contender: 'sock-timeout', against: 'sock-loop', limit: 1.1 }],
  },
  {
    ...ECHO,
    id: 'reconnect',
    title: 'Echo 64 B, 64 connections, through a ReconnectingSocket',
    contenders: [
      contender('sock', 'echo', 'loop', 'the socket itself'),
      contender('sock', 'echo', 'link', 'through it'),
    ],
    bars: [{ contender: 'sock-link', against: 'sock-loop', limit: 1.1 }],
  },
  {
    ...ECHO,
    id: 'vector',
    title: 'Echo 64 B, 64 connections, sent from three places',
    contenders: [
      contender('c', 'echo'),
      contender('sock', 'echo', 'pieces', 'sendAll of their sum'),
      contender('sock', 'echo', 'vector', 'sendvAll'),
    ],
    bars: [{ contender: 'sock-vector', against: 'sock-pieces', limit: 1.1 }],
  },
  {
    ...FILE,
    id: 'sendfile',
    title: 'Send a file of 1 GiB that is in memory',
    contenders: [
      contender('c', 'sendfile', undefined, 'sendfile'),
      contender('sock', 'sendfile', undefined, 'sendFileAll'),
      contender('node', 'sendfile', undefined, 'pipeline'),
    ],
    bars: [
      { contender: 'sock', against: 'c', limit: 1.15 },
      { contender: 'sock', against: 'node', limit: 0.25 },
    ],
  },
  {
    ...FILE,
    id: 'sendfile-cold',
    title: 'Send a file of 256 MiB from the disk, event-loop delay p99',
    unit: 'ms',
    figure: 'loopDelay',
    size: GIB / 4,
    isCold: true,
    contenders: [
      contender('sock', 'sendfile', undefined, 'sendFileAll'),
      contender('node', 'sendfile', undefined, 'pipeline'),
    ],
    bars: [{ contender: 'sock', limit: 2 }],
  },
  {
    ...FILE,
    id: 'relay',
    title: 'Relay 1 GiB between two connections',
    isRelayed: true,
    contenders: [
      contender('c', 'relay', undefined, 'splice'),
      contender('sock', 'relay', undefined, 'relay'),
      contender('node', 'relay', undefined, 'a.pipe(b).pipe(a)'),
    ],
    bars: [{ contender: 'sock', against: 'c', limit: 1.3 }],
  },
  {
    ...UDP,
    id: 'udp-echo-64',
    title: 'UDP echo 64 B, 4 peers with 32 datagrams each under way',
    mode: 'udp-echo',
    size: 64,
    contenders: overUdp([
      contender('c', 'udp-echo', undefined, 'recvmmsg, sendmmsg'),
      contender('sock', 'udp-echo', undefined, 'recvBatchInto, sendBatch'),
      contender('sock', 'udp-echo', 'messages', 'recvBatch, sendBatch'),
      contender('sock', 'udp-echo', 'single', 'recvFrom, sendTo'),
      contender('bun', 'udp-echo'),
      contender('node', 'udp-echo'),
    ]),
    bars: bars({ c: 1.4, bun: 1, node: 0.45 }),
  },
  {
    ...UDP,
    id: 'udp-send',
    title: 'UDP send of 1200 B, 432 datagrams a question',
    mode: 'udp-send',
    connections: 2,
    pipeline: 432,
    contenders: overUdp([
      contender('c', 'udp-send', undefined, 'UDP_SEGMENT'),
      { ...contender('c', 'udp-send-each', undefined, 'sendmmsg'), id: 'c-each' },
      contender('sock', 'udp-send', undefined, 'sendSegments'),
      contender('sock', 'udp-send', 'messages', 'sendBatch'),
      contender('bun', 'udp-send', undefined, 'sendMany'),
      contender('node', 'udp-send'),
    ]),
    bars: [
      { contender: 'sock', against: 'c', limit: 1.3 },
      { contender: 'sock', against: 'node', limit: 0.25 },
    ],
  },
  {
    ...UDP,
    id: 'udp-receive',
    title: 'UDP receive of 1200 B, up to 432 under way',
    mode: 'udp-receive',
    connections: 8,
    pipeline: 54,
    contenders: overUdp([
      contender('c', 'udp-receive', undefined, 'recvmmsg, UDP_GRO'),
      contender('sock', 'udp-receive', undefined, 'recvBatchInto, setRecvOffload'),
      contender('sock', 'udp-receive', 'messages', 'recvBatch'),
      contender('bun', 'udp-receive'),
      contender('node', 'udp-receive'),
    ]),
    bars: [{ contender: 'sock', against: 'c', limit: 1.5 }],
  },
  {
    kind: 'idle',
    id: 'idle',
    title: 'Idle connections, resident memory of one',
    unit: 'bytes/connection',
    from: 5000,
    to: 15000,
    contenders: everyone('idle'),
    bars: [{ contender: 'sock', limit: 1024 }],
  },
  ...TLS_WORKLOADS,
  ...POLL_WORKLOADS,
  ...POLL_COST_WORKLOADS,
  ...LOOKUP_WORKLOADS,
  ...BREAKER_WORKLOADS,
  ...POOL_WORKLOADS,
  ...WATCHED_WORKLOADS,
  {
    kind: 'import',
    id: 'import',
    title: 'Import in a fresh process',
    unit: 'ms',
    program: 'core.mjs',
    pairs: 20,
    contenders: [{ id: 'sock', label: LABELS.sock, runtime: 'sock' }],
    bars: [{ contender: 'sock', limit: 15 }],
  },
];

/** The same work in the small: enough to see that every echo comes back right. */
export function shrink(workload: Workload): Workload {
  if (workload.kind === 'load') {
    const isLong = workload.mode === 'file' || workload.mode === 'tls-bulk';
    const size = isLong ? 2 ** 22 : workload.size;
    return { ...workload, size, connections: Math.min(workload.connections, 8) };
  }
  if (workload.kind === 'idle') return { ...workload, from: 20, to: 40 };
  if (workload.kind === 'lookup') {
    const { lookups, names, inFlight } = workload;
    const few = (count: number): number => Math.min(count, 4);
    return { ...workload, lookups: few(lookups), names: few(names), inFlight: few(inFlight) };
  }
  if (workload.kind === 'script') return { ...workload, count: 100 };
  return { ...workload, pairs: 1 };
}
