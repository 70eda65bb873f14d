/** What each figure is, in the words that monitoring shows. */
import type { TcpInfo } from '@sock/core';
import type { Duration } from './durations.js';
import type { Metric } from './metrics.js';

/** A figure: what it is a number of, and what it says. */
export interface Description {
  /** In the notation of UCUM that OpenTelemetry takes: `'By'`, `'{connection}'`. */
  readonly unit: string;
  readonly text: string;
}

const about = (unit: string, text: string): Description => ({ unit, text });

export const metricDescriptions: Readonly<Record<Metric, Description>> = {
  socket_connect_success: about('{connection}', 'Connections made from this side'),
  socket_connect_failure: about('{attempt}', 'Attempts to connect to an address that failed'),
  socket_shutdown_calls: about('{call}', 'Calls that ended a direction of a connection'),
  dns_request_submitted: about('{lookup}', 'Lookups asked for'),
  dns_request_completed: about('{lookup}', 'Lookups that found an answer, in the cache or not'),
  dns_request_failed: about('{lookup}', 'Lookups that failed'),
  dns_request_cancelled: about('{lookup}', 'Lookups called off'),
  dns_request_timeout: about('{lookup}', 'Lookups that took too long'),
  poll_wakeups: about('{wakeup}', 'Waits of polls that have returned'),
  poll_events_dispatched: about('{event}', 'Events that polls have returned'),
  pool_connections_added: about('{connection}', 'Connections taken into pools'),
  pool_connections_removed: about('{connection}', 'Connections that have left pools'),
  pool_connections_reused: about(
    '{connection}',
    'Connections of pools that got the buffers of an earlier one',
  ),
  accepts: about('{connection}', 'Connections accepted'),
  accept_rejects: about('{connection}', 'Connections accepted and closed at once, by a limit'),
  closes: about('{socket}', 'Sockets closed'),
  bytes_received: about('By', 'Bytes received from the kernel'),
  bytes_sent: about('By', 'Bytes that the kernel took'),
  datagrams_received: about('{datagram}', 'Datagrams received'),
  datagrams_sent: about('{datagram}', 'Datagrams sent'),
  tls_handshakes: about('{handshake}', 'TLS handshakes done'),
  tls_handshake_failures: about('{handshake}', 'TLS handshakes that failed'),
  tls_resumptions: about('{handshake}', 'TLS handshakes that resumed a session'),
  reconnects: about('{connection}', 'Connections that reconnecting sockets have made again'),
  timers_fired: about('{timer}', 'Timers of polls that have fired'),
  io_uring_completions: about('{request}', 'Requests that io_uring has completed'),
  tcp_retransmits: about('{segment}', 'TCP segments sent again, of connections closed'),
};

export const durationDescriptions: Readonly<Record<Duration, string>> = {
  connect: 'How long an attempt to connect to an address took',
  dns_lookup: 'How long a lookup took that the cache could not answer',
  tls_handshake: 'How long a TLS handshake took',
  connection: 'How long a connection was there',
};

/** A figure of one TCP connection. */
export interface TcpFigure extends Description {
  /** In snake case, after `tcp_connection_`. */
  readonly name: string;
  /** In the unit; undefined where the kernel does not tell. */
  readonly read: (info: TcpInfo) => number | undefined;
  /** Whether it only ever grows. */
  readonly isSum: boolean;
}

const inSeconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1_000);

export const tcpFigures: readonly TcpFigure[] = [
  {
    name: 'rtt',
    ...about('s', 'The smoothed round-trip time of a TCP connection'),
    read: ({ rtt }) => inSeconds(rtt),
    isSum: false,
  },
  {
    name: 'retransmits',
    ...about('{segment}', 'Segments of a TCP connection that were sent again'),
    read: ({ totalRetransmits }) => totalRetransmits,
    isSum: true,
  },
  {
    name: 'congestion_window',
    ...about('{segment}', 'How many segments of a TCP connection may be under way'),
    read: ({ congestionWindow }) => congestionWindow,
    isSum: false,
  },
  {
    name: 'delivery_rate',
    ...about('By/s', 'The latest rate at which a TCP connection delivered bytes'),
    read: ({ deliveryRate }) => deliveryRate,
    isSum: false,
  },
];
