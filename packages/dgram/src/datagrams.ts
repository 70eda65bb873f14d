/** Datagrams as callers see them. */
import type { Data } from '@sock/core';

/** A datagram to be sent. A received one is such a one, and goes back to where it came from. */
export interface Datagram {
  /** Bytes, or a string sent as UTF-8. None at all is a datagram too. */
  readonly data: Data;
  /**
   * Where it goes: a literal address of the socket's family, or the path or `@name` of a Unix
   * socket. Undefined, or empty: to the peer of a connected socket.
   */
  readonly address?: string | undefined;
  /** 1 to 65,535, with the address; nothing for a Unix socket. */
  readonly port?: number | undefined;
  /**
   * Which of this host's addresses it leaves from: a literal of the socket's family. Undefined: the
   * bound one, or one that the system chooses.
   */
  readonly localAddress?: string | undefined;
  /** By which interface it leaves: its number, 1 to 2^31−1. Undefined or 0: by the route. */
  readonly interfaceIndex?: number | undefined;
  /**
   * The byte of DSCP and ECN (type of service, or traffic class), 0 to 255. Undefined: that of
   * `setTos`.
   */
  readonly tos?: number | undefined;
  /** Time to live, or hop limit: 1 to 255. Undefined: that of `setTtl` or `setMulticastTtl`. */
  readonly ttl?: number | undefined;
  /**
   * 1 to 65,507 on a UDP socket: the data is cut into datagrams of so many bytes, the last of which
   * may be shorter. Undefined or 0: it is one datagram.
   */
  readonly segmentSize?: number | undefined;
}

/** How a datagram came: what was asked for by `setRecv…`, the rest is undefined. */
export interface Arrival {
  /** The address that it was sent to, which may be a group or a broadcast address. */
  readonly destination: string | undefined;
  /** The byte of DSCP and ECN. */
  readonly tos: number | undefined;
  /** ECN alone, 0 to 3: the low two bits of `tos`; 3 says that there was congestion (RFC 3168). */
  readonly ecn: number | undefined;
  /** Time to live, or hop limit, as it came in. */
  readonly ttl: number | undefined;
  /** When the kernel had it: milliseconds since 1970 of the system's clock, with fractions. */
  readonly time: number | undefined;
  /** Datagrams that found the socket's buffer full, since it was opened. */
  readonly dropped: number | undefined;
}

/** A datagram that was received. `sendBatch` and `sendTo` take it as it is, which answers it. */
export interface ReceivedDatagram extends Datagram {
  /** Its bytes, in fresh memory. */
  readonly data: Buffer;
  /** Who sent it: a literal address, a path or `@name`; '' for a Unix socket without a name. */
  readonly address: string;
  /** The sender's port; 0 for a Unix socket. */
  readonly port: number;
  /** Whether it was longer than the room for it, and its rest is lost. */
  readonly truncated: boolean;
  /** With `setRecvPacketInfo(true)`: the address that it can be answered from, if it has one. */
  readonly localAddress?: string | undefined;
  /** With `setRecvPacketInfo(true)`: the interface that it came in by. */
  readonly interfaceIndex?: number | undefined;
  /** With any of `setRecv…`: how it came. Sending passes it over. */
  readonly arrival?: Arrival | undefined;
}
