/** What can be told of: the channels of the packages, and the record each one becomes. */
import type { CloseEvent, ConnectErrorEvent, ConnectEvent, ConnectionEvent } from '@sock/core';

/** A connection was accepted. */
export interface AcceptedRecord extends ConnectionEvent {
  /** Tells it from the other records. */
  readonly type: 'accepted';
}

/** A connection was made from this side. */
export interface ConnectedRecord extends ConnectEvent {
  /** Tells it from the other records. */
  readonly type: 'connected';
}

/** An attempt at one address failed, or was given up. */
export interface ConnectFailedRecord extends ConnectErrorEvent {
  /** Tells it from the other records. */
  readonly type: 'connect-failed';
}

/** A connection was closed, or its descriptor given away. */
export interface ClosedRecord extends CloseEvent {
  /** Tells it from the other records. */
  readonly type: 'closed';
}

/** A lookup took longer than it was allowed to. */
export interface DnsTimeoutRecord {
  /** Tells it from the other records. */
  readonly type: 'dns-timeout';
  /** When, in milliseconds of `monotonicMs()`. */
  readonly time: number;
  /** What was asked for. */
  readonly hostname: string;
}

/** A wait of a poll has found something. */
export interface PollWakeupRecord {
  /** Tells it from the other records. */
  readonly type: 'poll-wakeup';
  /** When, in milliseconds of `monotonicMs()`. */
  readonly time: number;
  /** Of the poll. */
  readonly backend: string;
  /** How many events it returned. */
  readonly events: number;
  /** How many timers have fired in it. */
  readonly timers: number;
}

/** Told apart by `type`. */
export type EventRecord =
  | AcceptedRecord
  | ConnectedRecord
  | ConnectFailedRecord
  | ClosedRecord
  | DnsTimeoutRecord
  | PollWakeupRecord;

/** Which channel becomes which record. */
export const channelTypes: readonly (readonly [string, EventRecord['type']])[] = [
  ['sock:core:accept', 'accepted'],
  ['sock:core:connect', 'connected'],
  ['sock:core:connect-error', 'connect-failed'],
  ['sock:core:close', 'closed'],
  ['sock:dns:timeout', 'dns-timeout'],
  ['sock:poll:wakeup', 'poll-wakeup'],
];
