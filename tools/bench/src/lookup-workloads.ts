import type { Bar, Contender } from './workloads.js';

/** Name lookups in one process, which says itself what they cost. */
export interface LookupWorkload {
  readonly kind: 'lookup';
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly contenders: readonly Contender[];
  readonly bars: readonly Bar[];
  /** What is done: a function of servers/lookup.mjs. */
  readonly work: 'lookups' | 'cached' | 'files' | 'behind' | 'threads' | 'memory';
  /** Who answers for names: the hosts file, dnsmasq, or a name server that never does. */
  readonly server: 'hosts' | 'dnsmasq' | 'silent';
  readonly lookups: number;
  readonly names: number;
  readonly inFlight: number;
}

const contenders = {
  sock: { id: 'sock', label: 'Resolver', runtime: 'sock' },
  'sock-lookup': { id: 'sock-lookup', label: 'lookup of Resolver', runtime: 'sock' },
  'sock-c-ares': { id: 'sock-c-ares', label: 'Resolver, c-ares', runtime: 'sock' },
  node: { id: 'node', label: 'dns.lookup', runtime: 'node' },
  'node-resolver': { id: 'node-resolver', label: 'dns.Resolver', runtime: 'node' },
} as const satisfies Record<string, Contender>;

const { sock, node } = contenders;
const resolver = contenders['node-resolver'];
const cares = contenders['sock-c-ares'];

const LOOKUPS = {
  kind: 'lookup',
  work: 'lookups',
  unit: 'µs CPU/lookup',
  lookups: 10_000,
  names: 500,
  inFlight: 256,
} as const;

/** Nobody answers for 64 names. */
const DEAD = { ...LOOKUPS, server: 'silent', lookups: 1, names: 1, inFlight: 64 } as const;

export const LOOKUP_WORKLOADS: readonly LookupWorkload[] = [
  {
    ...LOOKUPS,
    id: 'lookup-hosts',
    title: '10,000 lookups of 500 names, 256 at a time, hosts file',
    server: 'hosts',
    contenders: [sock, node],
    bars: [{ contender: 'sock', against: 'node', limit: 1 }],
  },
  {
    ...LOOKUPS,
    id: 'lookup-dnsmasq',
    title: '10,000 lookups of 500 names, 256 at a time, dnsmasq',
    server: 'dnsmasq',
    contenders: [sock, node, cares, resolver],
    bars: [{ contender: 'sock', against: 'node', limit: 1 }],
  },
  {
    ...LOOKUPS,
    id: 'lookup-cached',
    title: 'Lookups that the cache answers, one after the other; dns.lookup has none',
    work: 'cached',
    server: 'hosts',
    lookups: 200_000,
    inFlight: 1,
    contenders: [sock, contenders['sock-lookup'], { ...node, label: 'dns.lookup, hosts file' }],
    bars: [],
  },
  {
    ...DEAD,
    id: 'lookup-files',
    title: 'Reading 8 small files while 64 lookups hang, p99',
    unit: 'ms',
    work: 'files',
    lookups: 2_000,
    contenders: [sock, node],
    bars: [],
  },
  {
    ...DEAD,
    id: 'lookup-behind',
    title: 'A name of the hosts file while 64 lookups hang, 10 s at most; ours have 500 ms each',
    unit: 'ms',
    work: 'behind',
    contenders: [sock, node],
    bars: [{ contender: 'sock', against: 'node', limit: 0.2 }],
  },
  {
    ...DEAD,
    id: 'lookup-threads',
    title: 'Threads more while a name server is dead, 64 lookups',
    unit: 'threads',
    work: 'threads',
    contenders: [sock, node, resolver],
    bars: [{ contender: 'sock', limit: 16 }],
  },
  {
    ...DEAD,
    id: 'lookup-memory',
    title: 'Resident memory more while a name server is dead, 64 lookups',
    unit: 'KiB',
    work: 'memory',
    contenders: [sock, node, resolver],
    bars: [],
  },
];
