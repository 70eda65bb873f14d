/** The counters of the addon, by name: those of the whole process, over all its threads. */
import {
  type CounterName,
  checkInteger,
  checkOneOf,
  count,
  counterNames,
  readCounters,
} from '@sock/native';

/** What is counted. The values are the keys of a snapshot. */
export const Metric = Object.freeze({
  SocketConnectSuccess: 'socket_connect_success',
  SocketConnectFailure: 'socket_connect_failure',
  SocketShutdownCalls: 'socket_shutdown_calls',
  DnsRequestSubmitted: 'dns_request_submitted',
  DnsRequestCompleted: 'dns_request_completed',
  DnsRequestFailed: 'dns_request_failed',
  DnsRequestCancelled: 'dns_request_cancelled',
  DnsRequestTimeout: 'dns_request_timeout',
  PollWakeups: 'poll_wakeups',
  PollEventsDispatched: 'poll_events_dispatched',
  PoolConnectionsAdded: 'pool_connections_added',
  PoolConnectionsRemoved: 'pool_connections_removed',
  PoolConnectionsReused: 'pool_connections_reused',
  Accepts: 'accepts',
  AcceptRejects: 'accept_rejects',
  Closes: 'closes',
  BytesReceived: 'bytes_received',
  BytesSent: 'bytes_sent',
  DatagramsReceived: 'datagrams_received',
  DatagramsSent: 'datagrams_sent',
  TlsHandshakes: 'tls_handshakes',
  TlsHandshakeFailures: 'tls_handshake_failures',
  TlsResumptions: 'tls_resumptions',
  Reconnects: 'reconnects',
  TimersFired: 'timers_fired',
  IoUringCompletions: 'io_uring_completions',
  TcpRetransmits: 'tcp_retransmits',
} as const satisfies Record<string, CounterName>);
export type Metric = (typeof Metric)[keyof typeof Metric];

/** All counts of one moment; integers that are exact up to 2^53. */
export type MetricsSnapshot = Readonly<Record<Metric, number>>;

const known: ReadonlySet<string> = new Set(counterNames);
const family = /^(socket|dns|poll|pool|tls|tcp)_/;

// What reset() leaves out. The counters themselves only ever grow: other threads count on.
let baseline: MetricsSnapshot | null = null;

/** The counters of this process. */
export const metrics = Object.freeze({
  /**
   * What was counted since `reset()` was last called on this thread, or since the process began: on
   * all threads, those that have ended included. The record is frozen.
   */
  snapshot(): MetricsSnapshot {
    const counts = readCounters();
    if (baseline !== null) for (const name of counterNames) counts[name] -= baseline[name];
    return Object.freeze(counts);
  },

  /** Lets later snapshots of this thread begin at zero. Those of other threads stay as they are. */
  reset(): void {
    baseline = readCounters();
  },

  /**
   * Counts what the packages cannot know of.
   *
   * @param by how many, an integer from 0; 1 by default.
   * @throws TypeError `ERR_INVALID_ARG_VALUE`: no metric. RangeError `ERR_OUT_OF_RANGE`: no such
   *   number.
   */
  increment(metric: Metric, by = 1): void {
    count(
      checkOneOf('metric', metric, counterNames),
      checkInteger('by', by, 0, Number.MAX_SAFE_INTEGER),
    );
  },

  /** With a dot after the family: `'dns.request_failed'`; `'unknown'` for what is no metric. */
  name(metric: string): string {
    return known.has(metric) ? metric.replace(family, '$1.') : 'unknown';
  },

  /** How many metrics there are. */
  count: counterNames.length,
});
