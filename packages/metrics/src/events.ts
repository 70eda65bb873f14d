/**
 * The channels of the packages as one stream of records. They are subscribed to while somebody is
 * registered, and only then: without handlers an event costs its package a look at one boolean.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { monotonicMs } from '@sock/core';
import { checkFunction } from '@sock/native';
import {
  type AcceptedRecord,
  type ConnectedRecord,
  channelTypes,
  type DnsTimeoutRecord,
  type EventRecord,
  type PollWakeupRecord,
} from './event-records.js';

/** What is called with each record. */
export type EventHandler = (record: EventRecord) => void;

// Replaced, never changed: a handler may register and unregister while records are handed out.
let handlers: readonly EventHandler[] = [];

function handOut(record: EventRecord): void {
  for (const handler of handlers) {
    try {
      handler(record);
    } catch (error) {
      // As with diagnostics_channel: it is nobody's fault here, and must not be lost.
      process.nextTick(() => {
        throw error;
      });
    }
  }
}

const listeners = channelTypes.map(([name, type]) => {
  const listener = (message: unknown): void => {
    handOut({ type, ...(message as object) } as EventRecord);
  };
  return [name, listener] as const;
});

/** What happens to sockets, lookups and polls of this thread. */
export const events = Object.freeze({
  /**
   * Calls `handler` with each record, in the order of registration. A handler that is there already
   * stays where it is. What a handler throws becomes an `uncaughtException` on the next tick and
   * reaches neither the other handlers nor what it was told of.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE`: not a function.
   */
  register(handler: EventHandler): void {
    checkFunction('handler', handler);
    if (handlers.includes(handler)) return;
    if (handlers.length === 0) for (const [name, listener] of listeners) subscribe(name, listener);
    handlers = [...handlers, handler];
  },

  /**
   * Calls it no more; nothing happens when it was not registered. A record that is being handed out
   * still reaches it.
   */
  unregister(handler: EventHandler): void {
    if (!handlers.includes(handler)) return;
    handlers = handlers.filter((other) => other !== handler);
    if (handlers.length > 0) return;
    for (const [name, listener] of listeners) unsubscribe(name, listener);
  },

  /** Tells the handlers of a connection that somebody else has accepted. */
  emitAccept(connection: Omit<AcceptedRecord, 'type' | 'time'>): void {
    handOut({ ...connection, type: 'accepted', time: monotonicMs() });
  },

  /** Tells the handlers of a connection that somebody else has made. */
  emitConnect(connection: Omit<ConnectedRecord, 'type' | 'time'>): void {
    handOut({ ...connection, type: 'connected', time: monotonicMs() });
  },

  /** Tells the handlers of a lookup of somebody else's that took too long. */
  emitDnsTimeout(lookup: Omit<DnsTimeoutRecord, 'type' | 'time'>): void {
    handOut({ ...lookup, type: 'dns-timeout', time: monotonicMs() });
  },

  /** Tells the handlers of a wait of somebody else's poll. */
  emitPollWakeup(wakeup: Omit<PollWakeupRecord, 'type' | 'time'>): void {
    handOut({ ...wakeup, type: 'poll-wakeup', time: monotonicMs() });
  },
});
