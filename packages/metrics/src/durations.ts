/**
 * How long things take, as histograms of the whole process.
 *
 * Theory of operation. Each thread that has called `start` listens to its own channels and adds to
 * cells of its own in the addon, as it does for the counters; whoever reads sums up those of all
 * threads, also of those that have ended. So nothing is sent between threads, and a scrape sees one
 * histogram. Each bucket has a sum besides its number: with it an exporter whose interface takes
 * single values (OpenTelemetry) can hand over what others have measured, bucket by bucket.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { CloseEvent, ConnectErrorEvent, ConnectEvent } from '@sock/core';
import {
  countDuration,
  type DurationName,
  durationBounds,
  durationNames,
  type Outcome,
  outcomes,
  readDurations,
} from '@sock/native';

/** What is measured: the keys of a snapshot. */
export const Duration = Object.freeze({
  /** An attempt to connect to one address. One that was called off is not measured. */
  Connect: 'connect',
  /** A lookup that the cache could not answer; `'failure'` if in error or too late. */
  DnsLookup: 'dns_lookup',
  /** A TLS handshake, of either side. */
  TlsHandshake: 'tls_handshake',
  /** How long a connection was there; `'failure'` if an error broke it. */
  Connection: 'connection',
} as const satisfies Record<string, DurationName>);
export type Duration = (typeof Duration)[keyof typeof Duration];

/** What was measured with one outcome. */
export interface Histogram {
  /** The upper bounds of the buckets in milliseconds, which they include; the last has none. */
  readonly bounds: readonly number[];
  /** How many were in each bucket: one more number than there are bounds. */
  readonly counts: readonly number[];
  /** The sum of each bucket, in milliseconds. */
  readonly sums: readonly number[];
}

/** All histograms of one moment. */
export type DurationsSnapshot = Readonly<Record<Duration, Readonly<Record<Outcome, Histogram>>>>;

type Measure = (message: unknown) => void;

const isAbort = (error: unknown) => error instanceof Error && error.name === 'AbortError';

function measure(name: DurationName, outcome: Outcome, durationMs: number | undefined): void {
  if (durationMs !== undefined) countDuration(name, outcome, durationMs);
}

/** What the messages of `@sock/dns` and `@sock/tls` have, which this package cannot import. */
interface Timed {
  readonly duration: number | undefined;
  readonly cached?: boolean;
}

const ofLookup =
  (outcome: Outcome): Measure =>
  (message) => {
    const { duration, cached } = message as Timed;
    if (cached !== true) measure('dns_lookup', outcome, duration);
  };

const ofHandshake =
  (outcome: Outcome): Measure =>
  (message) =>
    measure('tls_handshake', outcome, (message as Timed).duration);

const measures: readonly (readonly [channel: string, measure: Measure])[] = [
  [
    'sock:core:connect',
    (message) => measure('connect', 'success', (message as ConnectEvent).duration),
  ],
  [
    'sock:core:connect-error',
    (message) => {
      const { duration, error } = message as ConnectErrorEvent;
      if (!isAbort(error)) measure('connect', 'failure', duration);
    },
  ],
  [
    'sock:core:close',
    (message) => {
      const { duration, error, detached } = message as CloseEvent;
      if (!detached) measure('connection', error === undefined ? 'success' : 'failure', duration);
    },
  ],
  ['sock:dns:complete', ofLookup('success')],
  ['sock:dns:error', ofLookup('failure')],
  ['sock:dns:timeout', ofLookup('failure')],
  ['sock:tls:handshake', ofHandshake('success')],
  ['sock:tls:handshake-error', ofHandshake('failure')],
];

let isMeasuring = false;

/** The histograms of this process. */
export const durations = Object.freeze({
  /**
   * Measures what this thread does from now on; nothing happens when it does already. Each thread
   * that is to be seen has to call it: the exporters do it for theirs. What began before may be
   * left out.
   */
  start(): void {
    if (isMeasuring) return;
    isMeasuring = true;
    for (const [name, listener] of measures) subscribe(name, listener);
  },

  /** Measures nothing more on this thread. What was measured stays. */
  stop(): void {
    isMeasuring = false;
    for (const [name, listener] of measures) unsubscribe(name, listener);
  },

  /**
   * What all threads have measured since the process began, those that have ended included. The
   * record is frozen.
   */
  snapshot(): DurationsSnapshot {
    const read = readDurations();
    const histogram = (name: DurationName, outcome: Outcome) =>
      Object.freeze({ bounds: durationBounds[name], ...read(name, outcome) });
    const ofName = (name: DurationName) =>
      Object.fromEntries(outcomes.map((outcome) => [outcome, histogram(name, outcome)]));
    const entries = durationNames.map((name) => [name, Object.freeze(ofName(name))]);
    return Object.freeze(Object.fromEntries(entries)) as DurationsSnapshot;
  },
});
