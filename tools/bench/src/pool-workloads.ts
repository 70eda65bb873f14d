import type { ScriptWorkload } from './script.js';

const sock = { id: 'sock', label: 'SocketPool', runtime: 'sock' } as const;
const map = { id: 'map', label: 'a Map', runtime: 'node' } as const;

const HOLDING = {
  kind: 'script',
  script: 'pool',
  unit: 'ns CPU/operation',
  count: 200_000,
  contenders: [map, sock],
  bars: [],
} as const;

const BORROWING = {
  kind: 'script',
  script: 'borrow',
  unit: 'ns CPU/borrow',
  count: 300_000,
  contenders: [
    { id: 'sock', label: 'ClientPool', runtime: 'sock' },
    { id: 'generic', label: 'generic-pool', runtime: 'node' },
    { id: 'tarn', label: 'tarn', runtime: 'node' },
    { id: 'lightning', label: 'lightning-pool', runtime: 'node' },
  ],
  // No promise against the others: they do not look whether the peer has hung up, a system call.
  bars: [],
} as const;

/** Both pools: what holding a connection costs, and what lending one does. */
export const POOL_WORKLOADS: readonly ScriptWorkload[] = [
  {
    ...HOLDING,
    id: 'pool-get',
    title: 'Finding a connection by its socket, among 10,000',
    work: 'get',
  },
  {
    ...HOLDING,
    id: 'pool-add',
    title: 'Adding a connection to 10,000 others, and removing it again',
    work: 'add',
  },
  {
    ...HOLDING,
    id: 'pool-add-limited',
    title: 'The same under limits by address, network and list, and a rate',
    work: 'add-limited',
    contenders: [sock],
  },
  {
    ...BORROWING,
    id: 'pool-borrow',
    title: 'Borrowing a connection and giving it back, one borrower',
    work: 'alone',
  },
  {
    ...BORROWING,
    id: 'pool-borrow-line',
    title: 'Borrowing a connection and giving it back, 64 borrowers of 8 connections',
    work: 'line',
  },
];
