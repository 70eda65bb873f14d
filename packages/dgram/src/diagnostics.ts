/**
 * Where datagram sockets come and go, told on node:diagnostics_channel. Where nobody listens it
 * costs a look at one boolean.
 */
import { channel } from 'node:diagnostics_channel';
import { monotonicMs } from '@sock/core';
import type { Family } from '@sock/native';

/** The message of `sock:dgram:bind` and `sock:dgram:close`. */
export interface DatagramSocketEvent {
  /** When it happened, in milliseconds of `monotonicMs`. */
  readonly time: number;
  /** The descriptor; another socket may have the number once this one is closed. */
  readonly fd: number;
  /** Of its addresses. */
  readonly family: Family;
  /** Its address, path or `@name`; undefined where it has none. */
  readonly localAddress: string | undefined;
  /** Its port; undefined where it has none. */
  readonly localPort: number | undefined;
}

// Held here: a channel that nobody holds is collected, and its subscribers with it.
const bound = channel('sock:dgram:bind');
const closed = channel('sock:dgram:close');

type Described = Omit<DatagramSocketEvent, 'time'>;

function describe(socket: Described): DatagramSocketEvent {
  const { fd, family, localAddress, localPort } = socket;
  return { time: monotonicMs(), fd, family, localAddress, localPort };
}

export function tellBound(socket: Described): void {
  if (bound.hasSubscribers) bound.publish(describe(socket));
}

/** What is only known while it is open; null where nobody wants to know. */
export function describeBeforeClose(socket: Described): DatagramSocketEvent | null {
  return closed.hasSubscribers ? describe(socket) : null;
}

export function tellClosed(event: DatagramSocketEvent): void {
  closed.publish(event);
}
