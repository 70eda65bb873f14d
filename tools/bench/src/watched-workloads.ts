import type { ScriptWorkload } from './script.js';

const WORKS = [
  ['accept', 'A connection made, accepted and closed on both sides', 10_000],
  ['echo', '64 bytes there and back on one connection', 50_000],
  ['dns', 'A lookup of a name that the cache has', 100_000],
  ['datagram', 'A datagram of 64 bytes', 50_000],
  ['handshake', 'A TLS handshake, both sides', 1_000],
] as const;

/** What it costs to be watched: by nobody, by the histograms, by somebody on every channel. */
export const WATCHED_WORKLOADS: readonly ScriptWorkload[] = WORKS.map(([work, title, count]) => ({
  kind: 'script',
  id: `watched-${work}`,
  title,
  unit: 'µs CPU/operation',
  script: 'watched',
  work,
  count,
  contenders: [
    { id: 'nobody', label: 'without subscribers', runtime: 'sock' },
    { id: 'one', label: 'durations.start()', runtime: 'sock' },
    { id: 'all', label: 'all channels, and events', runtime: 'sock' },
  ],
  bars: [],
}));
