import type { ScriptWorkload } from './script.js';

const sock = { id: 'sock', label: 'CircuitBreaker', runtime: 'sock' } as const;
const cockatiel = { id: 'cockatiel', label: 'cockatiel', runtime: 'node' } as const;
const opossum = { id: 'opossum', label: 'opossum', runtime: 'node' } as const;
const bare = { id: 'bare', label: 'without a breaker', runtime: 'node' } as const;

const CALLS = {
  kind: 'script',
  script: 'breaker',
  unit: 'ns CPU/call',
  count: 1_000_000,
} as const;

/** Calls through a circuit breaker: of an async function that succeeds, or refused. */
export const BREAKER_WORKLOADS: readonly ScriptWorkload[] = [
  {
    ...CALLS,
    id: 'breaker',
    title: 'Calls of an async function through a closed breaker, one after the other',
    work: 'success',
    contenders: [bare, sock, cockatiel, opossum],
    bars: [
      { contender: 'sock', against: 'cockatiel', limit: 1 },
      { contender: 'sock', against: 'opossum', limit: 1 },
    ],
  },
  {
    ...CALLS,
    id: 'breaker-open',
    title: 'Calls that an open breaker refuses, one after the other',
    work: 'open',
    count: 100_000,
    contenders: [sock, cockatiel, opossum],
    // It is the making of an error that is measured; ours knows its class across copies, and more.
    bars: [
      { contender: 'sock', against: 'cockatiel', limit: 1.5 },
      { contender: 'sock', against: 'opossum', limit: 1.5 },
    ],
  },
];
