/**
 * What happens to connections, told on node:diagnostics_channel.
 *
 * Theory of operation. Where nobody listens, an event costs a look at one boolean: nothing is
 * gathered, no clock is read. Messages hold no socket, only what describes it, so that a subscriber
 * cannot keep one alive, nor call into one that is in the middle of something. They are published
 * once this side is done with the event. What a subscriber throws becomes an uncaughtException on
 * the next tick (diagnostics_channel sees to it) and stops nothing here.
 *
 * In the literals a spread comes last. Where a new property follows one, Node 20 makes a hidden
 * class for each object anew, which costs up to 30 µs, and garbage.
 */
import { channel } from 'node:diagnostics_channel';
import {
  binding,
  type Endpoint,
  type Ends,
  type Family,
  LineLevel,
  openLog,
  type Traffic,
} from '@sock/native';
import type { SocketError } from './errors.js';
import { monotonicMs } from './monotonic.js';
import { nameOf } from './native-socket.js';
import type { Target } from './target.js';

/** A connection, at the moment of an event: the message of `sock:core:accept`. */
export interface ConnectionEvent {
  /** When it happened, in milliseconds of {@link monotonicMs}. */
  readonly time: number;
  /** The descriptor; another socket may have the number once this one is closed. */
  readonly fd: number;
  /** Of its addresses. */
  readonly family: Family;
  /** This side's address, path or `@name`; undefined where it has none. */
  readonly localAddress: string | undefined;
  /** This side's port; undefined for a Unix socket. */
  readonly localPort: number | undefined;
  /** The peer's address, path or `@name`; undefined where it has none. */
  readonly remoteAddress: string | undefined;
  /** The peer's port; undefined for a Unix socket. */
  readonly remotePort: number | undefined;
}

/** The message of `sock:core:connect`: a connection was made from this side. */
export interface ConnectEvent extends ConnectionEvent {
  /**
   * How long this attempt took, in milliseconds; undefined when it began before the channels had
   * subscribers.
   */
  readonly duration: number | undefined;
}

/** The message of `sock:core:connect-error`: an attempt at one address failed, or was given up. */
export interface ConnectErrorEvent extends ConnectEvent {
  /** What the attempt failed with: an error of this package, of the kernel, or an abort. */
  readonly error: unknown;
}

/** The message of `sock:core:close`: a connection was closed on this side, or given away. */
export interface CloseEvent extends ConnectionEvent {
  /** Bytes received from the kernel. */
  readonly bytesRead: number;
  /** Bytes that the kernel took. */
  readonly bytesWritten: number;
  /**
   * How long it was there, in milliseconds; undefined when it is older than the channels'
   * subscribers, and for what neither `accept` nor `connect` has made.
   */
  readonly duration: number | undefined;
  /** What broke the connection, if something did: `ECONNRESET`, `EPIPE`, `ETIMEDOUT`, … */
  readonly error: SocketError | undefined;
  /** Whether it goes on elsewhere, since its descriptor was given away. */
  readonly detached: boolean;
}

// Held here: a channel that nobody holds is collected, and its subscribers with it.
const accepted = channel('sock:core:accept');
const connected = channel('sock:core:connect');
const connectFailed = channel('sock:core:connect-error');
const closed = channel('sock:core:close');

const tellLine = openLog('core');

/** Asks the kernel for both addresses, once each. */
function readEnds(endpoint: Endpoint, family: Family, isConnected: boolean): Ends {
  const fd = binding.fd(endpoint.slot, endpoint.generation);
  const local = nameOf(endpoint, family, false);
  const remote = isConnected ? nameOf(endpoint, family, true) : undefined;
  return {
    fd,
    family,
    localAddress: local?.host,
    localPort: local?.port || undefined,
    remoteAddress: remote?.host,
    remotePort: remote?.port || undefined,
  };
}

/** A connection keeps its addresses, so that its end asks for none, and has them after a reset. */
function endsOf(endpoint: Endpoint, family: Family): Ends {
  endpoint.ends ??= readEnds(endpoint, family, true);
  return endpoint.ends;
}

/** The time, where somebody will want to know how long something took; else undefined. */
export function timeIfObserved(): number | undefined {
  const { hasSubscribers } = closed;
  const isObserved = hasSubscribers || connected.hasSubscribers || connectFailed.hasSubscribers;
  return isObserved ? monotonicMs() : undefined;
}

function since(startMs: number | undefined, nowMs: number): number | undefined {
  return startMs === undefined ? undefined : nowMs - startMs;
}

export function tellAccepted(endpoint: Endpoint, family: Family): void {
  if (!accepted.hasSubscribers) return;
  const event: ConnectionEvent = { time: monotonicMs(), ...endsOf(endpoint, family) };
  accepted.publish(event);
}

export function tellConnected(
  endpoint: Endpoint,
  family: Family,
  startMs: number | undefined,
): void {
  if (!connected.hasSubscribers) return;
  const time = monotonicMs();
  const duration = since(startMs, time);
  const event: ConnectEvent = { time, duration, ...endsOf(endpoint, family) };
  connected.publish(event);
}

function remoteOf(target: Target | undefined) {
  if (target === undefined) return {};
  if ('path' in target) return { remoteAddress: target.path };
  return { remoteAddress: target.address, remotePort: target.port };
}

export function tellConnectFailed(
  endpoint: Endpoint,
  family: Family,
  target: Target | undefined,
  startMs: number | undefined,
  error: unknown,
): void {
  tellLine(LineLevel.Info, () => 'an attempt to connect has failed', error);
  if (!connectFailed.hasSubscribers) return;
  const time = monotonicMs();
  const duration = since(startMs, time);
  const ends = { ...readEnds(endpoint, family, false), ...remoteOf(target) };
  connectFailed.publish({ time, duration, error, ...ends } satisfies ConnectErrorEvent);
}

/** A connection that a server passes over, since such things come of networks. */
export function tellPassedOver(error: SocketError): void {
  tellLine(LineLevel.Info, () => 'a connection of a server has failed', error);
}

/** What is only known while the connection is open; null where nobody wants to know. */
export function endsBeforeClose(endpoint: Endpoint, family: Family): Ends | null {
  return closed.hasSubscribers ? endsOf(endpoint, family) : null;
}

export function tellClosed(
  ends: Ends,
  startMs: number | undefined,
  { bytesRead, bytesWritten }: Traffic,
  error: SocketError | undefined,
  detached: boolean,
): void {
  const time = monotonicMs();
  const duration = since(startMs, time);
  const event: CloseEvent = {
    time,
    duration,
    bytesRead,
    bytesWritten,
    error,
    detached,
    ...ends,
  };
  closed.publish(event);
}
