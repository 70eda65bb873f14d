/** What happens to pools: told on node:diagnostics_channel, and counted. */
import { channel } from 'node:diagnostics_channel';
import { ipOfBytes, monotonicMs } from '@sock/core';
import { count, LineLevel, openLog } from '@sock/native';

/** Why a connection left a pool. */
export type RemoveReason =
  /** `remove` was called. */
  | 'removed'
  /** Its socket was closed, by whomever. */
  | 'closed'
  /** Nothing went over it for too long. */
  | 'idle'
  /** The pool was made smaller. */
  | 'resize'
  /** The pool was closed, or drained for too long. */
  | 'pool-closed'
  /** It would have come back, and gave up. */
  | 'given-up';

/** Why a connection was refused. */
export type RejectReason =
  /** Every place is taken. */
  | 'full'
  /** The pool drains. */
  | 'draining'
  /** The address is on the list of those that are denied, or not on that of those allowed. */
  | 'denied'
  /** The address has as many connections as it may. */
  | 'per-ip'
  /** The network around it has. */
  | 'per-prefix'
  /** Too many came at once. */
  | 'rate';

/** The message of `sock:pool:add`. */
export interface PoolEvent {
  /** When it happened, in milliseconds of `monotonicMs`. */
  readonly time: number;
  /** The peer's address; undefined where it has none. */
  readonly remoteAddress: string | undefined;
  /** Connections in the pool, afterwards. */
  readonly count: number;
}

/** The message of `sock:pool:remove`. */
export interface PoolRemoveEvent extends PoolEvent {
  /** Why it left. */
  readonly reason: RemoveReason;
}

/** The message of `sock:pool:reject`. */
export interface PoolRejectEvent extends PoolEvent {
  /** Why it was not let in. */
  readonly reason: RejectReason;
}

// Held here: a channel that nobody holds is collected, and its subscribers with it.
const added = channel('sock:pool:add');
const removed = channel('sock:pool:remove');
const rejected = channel('sock:pool:reject');
const log = channel('sock:pool:log');
const tellLine = openLog('pool');

function describe(remoteAddress: string | undefined, connections: number): PoolEvent {
  return { time: monotonicMs(), remoteAddress, count: connections };
}

export function tellAdded(remoteAddress: string | undefined, connections: number): void {
  count('pool_connections_added');
  if (added.hasSubscribers) added.publish(describe(remoteAddress, connections));
}

export function tellRemoved(
  remoteAddress: string | undefined,
  connections: number,
  reason: RemoveReason,
): void {
  count('pool_connections_removed');
  if (!removed.hasSubscribers) return;
  removed.publish({ reason, ...describe(remoteAddress, connections) } satisfies PoolRemoveEvent);
}

export function tellRejected(
  remoteAddress: string | undefined,
  connections: number,
  reason: RejectReason,
): void {
  count('accept_rejects');
  if (!log.hasSubscribers && !rejected.hasSubscribers) return;
  publishRejected({ reason, ...describe(remoteAddress, connections) });
}

const untold: PoolRejectEvent[] = [];

/**
 * Of one that the addon is about to turn away, and counts. Subscribers hear of it once the turn is
 * over, since they could close the very listener that is accepting.
 */
export function tellTurnedAway(
  address: Uint8Array,
  connections: number,
  reason: RejectReason,
): void {
  if (!log.hasSubscribers && !rejected.hasSubscribers) return;
  const remoteAddress = address.length === 0 ? undefined : ipOfBytes(address.slice()).address;
  if (untold.push({ reason, ...describe(remoteAddress, connections) }) > 1) return;
  queueMicrotask(() => {
    for (const event of untold.splice(0)) publishRejected(event);
  });
}

function publishRejected(event: PoolRejectEvent): void {
  const from = event.remoteAddress ?? 'a socket without address';
  tellLine(LineLevel.Warn, () => `${from} was turned away: ${event.reason}`);
  if (rejected.hasSubscribers) rejected.publish(event);
}

export function countReused(): void {
  count('pool_connections_reused');
}

/** A store of limits has failed, or is back. */
export function tellStore(isBack: boolean, error?: unknown): void {
  if (isBack) tellLine(LineLevel.Info, () => 'the store of limits is back');
  else tellLine(LineLevel.Warn, () => 'the store of limits fails: local limits count', error);
}
