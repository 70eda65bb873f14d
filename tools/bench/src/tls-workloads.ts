import type { Bar, Contender, IdleWorkload, LoadWorkload } from './workloads.js';

const c: Contender = { id: 'c', label: "C epoll, node's OpenSSL", runtime: 'c' };
const sock: Contender = { id: 'sock', label: '@sock/tls', runtime: 'sock' };
const bun: Contender = { id: 'bun', label: 'Bun.listen', runtime: 'bun' };
const node: Contender = { id: 'node', label: 'node:tls', runtime: 'node' };

/** Everybody does the same work; ours in its variants, where it has some. */
function doing(workload: string, contenders: readonly Contender[]): Contender[] {
  return contenders.map((contender) => ({ ...contender, workload }));
}

const everyone = [c, sock, bun, node];

const belowNode: Bar = { contender: 'sock', against: 'node', limit: 1, strict: true };

const ECHO = {
  kind: 'load',
  mode: 'tls-echo',
  unit: 'µs CPU/message',
  connections: 64,
  size: 64,
  pipeline: 1,
  workers: 1,
  transport: 'tcp',
  key: 'p256',
} as const;

// Without Bun, which now and then answers nothing when a message comes along with the end of the
// client's handshake (1.4.5).
const SHORT = {
  ...ECHO,
  mode: 'tls-connect',
  unit: 'µs CPU/connection',
  // Nine tenths of the handshakes that C makes in a second of CPU time.
  bars: [{ contender: 'sock', against: 'c', limit: 1 / 0.9 }],
} as const;

const GIB = 2 ** 30;

/** TLS 1.3 with a P-256 key, all on the OpenSSL of this node but Bun, which has BoringSSL. */
export const TLS_WORKLOADS: readonly (LoadWorkload | IdleWorkload)[] = [
  {
    ...ECHO,
    id: 'tls-echo-64',
    title: 'TLS: echo 64 B, 64 connections',
    contenders: doing('echo', everyone),
    bars: [{ contender: 'sock', against: 'c', limit: 1.25 }, belowNode],
  },
  {
    ...ECHO,
    id: 'tls-echo-16k',
    title: 'TLS: echo 16 KiB, 64 connections',
    size: 16384,
    contenders: doing('echo', [
      c,
      { ...sock, id: 'sock-reuse', label: '@sock/tls, chunks({ reuse })', variant: 'reuse' },
      { ...sock, label: '@sock/tls, fresh memory' },
      bun,
      node,
    ]),
    bars: [
      { contender: 'sock-reuse', against: 'c', limit: 1.25 },
      { contender: 'sock-reuse', against: 'node', limit: 1, strict: true },
      belowNode,
    ],
  },
  {
    ...ECHO,
    id: 'tls-bulk',
    title: 'TLS: send 1 GiB',
    mode: 'tls-bulk',
    unit: 'ms CPU/GiB',
    scale: 1.024,
    connections: 1,
    size: GIB,
    contenders: doing('bulk', everyone),
    bars: [{ contender: 'sock', against: 'c', limit: 1 / 0.9 }],
  },
  {
    ...SHORT,
    id: 'tls-full',
    title: 'TLS: connect, full handshake, one echo, close',
    contenders: doing('connect', [c, sock, node]),
  },
  {
    ...SHORT,
    id: 'tls-resumed',
    title: 'TLS: connect, resumed handshake, one echo, close',
    isResumed: true,
    contenders: doing('connect', [c, sock, node]),
  },
  {
    ...SHORT,
    id: 'tls-storm',
    title: 'TLS: loop delay p99 while 60 handshakes a second arrive, RSA-4096',
    unit: 'ms',
    figure: 'loopDelay',
    rate: 60,
    secondsMin: 1,
    key: 'rsa4096',
    contenders: doing('connect', [sock, node]),
    bars: [{ contender: 'sock', limit: 2 }],
  },
  {
    kind: 'idle',
    id: 'tls-idle',
    title: 'TLS: idle connections, resident memory of one',
    unit: 'bytes/connection',
    from: 1000,
    to: 4000,
    key: 'p256',
    contenders: doing('idle', everyone),
    bars: [{ contender: 'sock', against: 'c', limit: 3072, isBeyond: true }],
  },
];
