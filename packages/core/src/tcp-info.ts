/** What the kernel tells about a TCP connection. */
import { binding, type Endpoint, tcpFigures } from '@sock/native';
import { lastCallError } from './native-socket.js';

/** The state of a TCP connection, in the words of RFC 9293. */
export type TcpState =
  | 'established'
  | 'syn-sent'
  | 'syn-received'
  | 'fin-wait-1'
  | 'fin-wait-2'
  | 'time-wait'
  | 'closed'
  | 'close-wait'
  | 'last-ack'
  | 'listening'
  | 'closing'
  | 'unknown';

/** By the numbers of the kernel (include/net/tcp_states.h). */
const tcpStates: readonly TcpState[] = [
  'unknown',
  'established',
  'syn-sent',
  'syn-received',
  'fin-wait-1',
  'fin-wait-2',
  'time-wait',
  'closed',
  'close-wait',
  'last-ack',
  'listening',
  'closing',
  'syn-received',
];

/**
 * What the kernel knows of a TCP connection, at one moment. Times are milliseconds with a fraction,
 * rates are bytes per second, counts are since the connection began unless they say otherwise.
 * `undefined`: this kernel is too old to tell, or there is no such value yet.
 *
 * @see tcp(7), TCP_INFO
 */
export interface TcpInfo {
  /** `'established'` while both directions are open. */
  readonly state: TcpState;
  /** The smoothed round-trip time (RFC 6298). */
  readonly rtt: number | undefined;
  /** How much it varies: the mean deviation. */
  readonly rttVariance: number | undefined;
  /** The shortest that was seen within the last minutes; undefined before the first sample. */
  readonly minRtt: number | undefined;
  /** The round-trip time as the receiving side estimates it; 0 before it can. */
  readonly recvRtt: number | undefined;
  /** How long the kernel waits for an acknowledgement before it sends again. */
  readonly retransmitTimeout: number | undefined;
  /** How long it puts off an acknowledgement of its own; 0 while it does not. */
  readonly delayedAckTimeout: number | undefined;
  /** Retransmissions by timeout of the segment that is overdue now; 0 when none is. */
  readonly retransmits: number | undefined;
  /** Probes of a closed window, or of an idle peer, that were not answered yet. */
  readonly probes: number | undefined;
  /** How many times the retransmission timeout was doubled. */
  readonly backoff: number | undefined;
  /** Segments sent again, in all. */
  readonly totalRetransmits: number | undefined;
  /** Segments sent again that are under way now. */
  readonly retransmitted: number | undefined;
  /** Bytes sent again, in all. */
  readonly bytesRetransmitted: number | undefined;
  /** Segments under way that are taken for lost. */
  readonly lost: number | undefined;
  /** Segments under way. For a listener: connections that wait to be accepted. */
  readonly unacked: number | undefined;
  /** Those of them that were acknowledged selectively. For a listener: how many may wait. */
  readonly sacked: number | undefined;
  /** How many segments may be under way. */
  readonly congestionWindow: number | undefined;
  /** Where slow start ends, in segments; `Infinity` before the first loss. */
  readonly slowStartThreshold: number | undefined;
  /** By how many segments packets may overtake each other without one counting as lost. */
  readonly reordering: number | undefined;
  /** How often packets overtook each other. */
  readonly reorderings: number | undefined;
  /** Segments that the peer says it had twice: sent again for nothing (RFC 2883). */
  readonly duplicateSacks: number | undefined;
  /** The latest rate at which bytes were delivered. */
  readonly deliveryRate: number | undefined;
  /** Whether that rate says more about the program than about the network. */
  readonly deliveryRateAppLimited: boolean;
  /** The rate that sending is paced at; `Infinity`: not paced. */
  readonly pacingRate: number | undefined;
  /** The most that it may be; `Infinity`: no limit. */
  readonly maxPacingRate: number | undefined;
  /** Segments that arrived at the peer. */
  readonly delivered: number | undefined;
  /** Those of them that met congestion, as routers marked (ECN, RFC 3168). */
  readonly deliveredCe: number | undefined;
  /** Bytes sent, those sent again included. */
  readonly bytesSent: number | undefined;
  /** Bytes that the peer has acknowledged; SYN and FIN count as one each. */
  readonly bytesAcked: number | undefined;
  /** Bytes received, each once. */
  readonly bytesReceived: number | undefined;
  /** Bytes in the kernel that were not sent for the first time yet. */
  readonly notSentBytes: number | undefined;
  /** Segments sent, in all. */
  readonly segmentsSent: number | undefined;
  /** Segments received, in all. */
  readonly segmentsReceived: number | undefined;
  /** The most data bytes that a segment sent may carry. */
  readonly sendMss: number | undefined;
  /** The same for segments received, as estimated. */
  readonly recvMss: number | undefined;
  /** What this side has told its peer to send at most. */
  readonly advertisedMss: number | undefined;
  /** The largest packet that goes through to the peer whole. */
  readonly pathMtu: number | undefined;
  /** Bytes that the receive window may grow to without a copy falling behind. */
  readonly recvSpace: number | undefined;
  /** Bytes that the peer is ready to take. */
  readonly sendWindow: number | undefined;
  /** Since the last data was sent. */
  readonly sinceDataSent: number | undefined;
  /** Since the last data was received. */
  readonly sinceDataReceived: number | undefined;
  /** Since the last acknowledgement was received. */
  readonly sinceAckReceived: number | undefined;
  /** For how long there was something to send. */
  readonly busyTime: number | undefined;
  /** For how long of it the peer's window was in the way. */
  readonly receiveWindowLimitedTime: number | undefined;
  /** For how long of it the send buffer was too small. */
  readonly sendBufferLimitedTime: number | undefined;
  /** Whether data in the SYN was taken: Fast Open has worked (RFC 7413). */
  readonly synDataAcked: boolean;
}

type Figures = Record<(typeof tcpFigures)[number], number | undefined>;

// Filled anew by each call.
const figures = new Float64Array(tcpFigures.length);

export function tcpInfoOf({ slot, generation }: Endpoint): TcpInfo {
  const result = binding.tcpInfo(slot, generation, figures);
  if (result < 0) throw lastCallError(result, {});
  const told = Object.fromEntries(
    tcpFigures.map((name, index) => {
      const value = figures[index] as number;
      return [name, Number.isNaN(value) ? undefined : value];
    }),
  ) as Figures;
  return {
    ...told,
    state: tcpStates[told.state ?? 0] ?? 'unknown',
    deliveryRateAppLimited: told.deliveryRateAppLimited === 1,
    synDataAcked: told.synDataAcked === 1,
  };
}
