import type { ScriptWorkload } from './script.js';

const IDLE_COUNTS = [10, 10_000] as const;

const COSTS = { kind: 'script', count: 1_000_000 } as const;

const TIMERS = {
  ...COSTS,
  script: 'timers',
  unit: 'ns CPU/timer',
  contenders: [
    { id: 'sock', label: 'addTimer, cancel', runtime: 'sock' },
    { id: 'node', label: 'setTimeout, clearTimeout', runtime: 'node' },
  ],
  bars: [],
} as const;

/** What a poll costs by itself: an event beside idle descriptors, and a timer. */
export const POLL_COST_WORKLOADS: readonly ScriptWorkload[] = [
  {
    ...COSTS,
    id: 'poll-idle',
    title: 'One event of a poll that watches idle descriptors as well',
    unit: 'ns CPU/event',
    script: 'poll-idle',
    work: 'events',
    contenders: (['sync', 'wait'] as const).flatMap((form) =>
      IDLE_COUNTS.map((idle) => ({
        id: `sock-${form}-${idle}`,
        label: `${form === 'sync' ? 'waitSync()' : 'wait()'}, ${idle.toLocaleString('en')} idle`,
        runtime: 'sock' as const,
      })),
    ),
    bars: [
      { contender: 'sock-sync-10000', against: 'sock-sync-10', limit: 1.2 },
      { contender: 'sock-wait-10000', against: 'sock-wait-10', limit: 1.2 },
    ],
  },
  {
    ...TIMERS,
    id: 'timers',
    title: 'A million timers begun and cancelled, delays spread over an hour',
    work: 'spread',
  },
  {
    ...TIMERS,
    id: 'timers-same',
    title: 'A million timers begun and cancelled, one delay for all',
    work: 'same',
  },
];
