import type { Bar, Contender } from './workloads.js';

/** Calls through a circuit breaker, in one process, which says itself what they cost. */
export interface BreakerWorkload {
  readonly kind: 'breaker';
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly contenders: readonly Contender[];
  readonly bars: readonly Bar[];
  /** What is called: an async function that succeeds, or a breaker that is open. */
  readonly work: 'success' | 'open';
  readonly calls: number;
}

const sock = { id: 'sock', label: 'CircuitBreaker', runtime: 'sock' } as const;
const cockatiel = { id: 'cockatiel', label: 'cockatiel', runtime: 'node' } as const;
const opossum = { id: 'opossum', label: 'opossum', runtime: 'node' } as const;
const bare = { id: 'bare', label: 'without a breaker', runtime: 'node' } as const;

const CALLS = { kind: 'breaker', unit: 'ns CPU/call', calls: 1_000_000 } as const;

export const BREAKER_WORKLOADS: readonly BreakerWorkload[] = [
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
    calls: 100_000,
    contenders: [sock, cockatiel, opossum],
    // It is the making of an error that is measured; ours knows its class across copies, and more.
    bars: [
      { contender: 'sock', against: 'cockatiel', limit: 1.5 },
      { contender: 'sock', against: 'opossum', limit: 1.5 },
    ],
  },
];
