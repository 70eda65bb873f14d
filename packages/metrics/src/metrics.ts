/** The counters of the addon, by name: those of the whole process, over all its threads. */
import {
  type CounterName,
  checkBoolean,
  checkInteger,
  checkOneOf,
  count,
  counterNames,
  countRetransmits,
  readCounters,
} from '@sock/native';

/** What is counted. The values are the keys of a snapshot. */
export const Metric = Object.freeze({
  /** Connections made from this side. */
  SocketConnectSuccess: 'socket_connect_success',
  /** Attempts to connect to an address that failed. */
  SocketConnectFailure: 'socket_connect_failure',
  /** Calls that ended a direction of a connection. */
  SocketShutdownCalls: 'socket_shutdown_calls',
  /** Lookups asked for. */
  DnsRequestSubmitted: 'dns_request_submitted',
  /** Lookups that found an answer, in the cache or not. */
  DnsRequestCompleted: 'dns_request_completed',
  /** Lookups that failed. */
  DnsRequestFailed: 'dns_request_failed',
  /** Lookups called off. */
  DnsRequestCancelled: 'dns_request_cancelled',
  /** Lookups that took too long. */
  DnsRequestTimeout: 'dns_request_timeout',
  /** Waits of polls that have returned. */
  PollWakeups: 'poll_wakeups',
  /** Events that polls have returned. */
  PollEventsDispatched: 'poll_events_dispatched',
  /** Connections taken into pools. */
  PoolConnectionsAdded: 'pool_connections_added',
  /** Connections that have left pools. */
  PoolConnectionsRemoved: 'pool_connections_removed',
  /** Connections of pools that got the buffers of an earlier one. */
  PoolConnectionsReused: 'pool_connections_reused',
  /** Connections accepted. */
  Accepts: 'accepts',
  /** Connections accepted and closed at once, by a limit. */
  AcceptRejects: 'accept_rejects',
  /** Sockets closed. */
  Closes: 'closes',
  /** Bytes received from the kernel. */
  BytesReceived: 'bytes_received',
  /** Bytes that the kernel took. */
  BytesSent: 'bytes_sent',
  /** Datagrams received. */
  DatagramsReceived: 'datagrams_received',
  /** Datagrams sent. */
  DatagramsSent: 'datagrams_sent',
  /** TLS handshakes done. */
  TlsHandshakes: 'tls_handshakes',
  /** TLS handshakes that failed. */
  TlsHandshakeFailures: 'tls_handshake_failures',
  /** TLS handshakes that resumed a session. */
  TlsResumptions: 'tls_resumptions',
  /** Connections that reconnecting sockets have made again. */
  Reconnects: 'reconnects',
  /** Timers of polls that have fired. */
  TimersFired: 'timers_fired',
  /** Requests that io_uring has completed. */
  IoUringCompletions: 'io_uring_completions',
  /** TCP segments sent again, of connections closed while `metrics.countRetransmits` says so. */
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

  /**
   * Whether `tcp_retransmits` counts, on this thread; it does not at first. When it does, a system
   * call more asks of each TCP connection that is closed how many segments were sent again for it.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE`: not a boolean.
   * @see tcp(7), TCP_INFO
   */
  countRetransmits(on: boolean): void {
    countRetransmits(checkBoolean('on', on));
  },

  /** With a dot after the family: `'dns.request_failed'`; `'unknown'` for what is no metric. */
  name(metric: string): string {
    return known.has(metric) ? metric.replace(family, '$1.') : 'unknown';
  },

  /** How many metrics there are. */
  count: counterNames.length,
});
