/**
 * What happens to lookups and races: told on node:diagnostics_channel, counted in the counters of
 * the process. Every lookup is submitted once and ends once. Where nobody listens, an event costs a
 * look at one boolean.
 */
import { channel } from 'node:diagnostics_channel';
import { monotonicMs, TimeoutError } from '@sock/core';
import { count, LineLevel, openLog } from '@sock/native';
import type { Family } from './hostname.js';

/** A lookup: the message of `sock:dns:submit`. */
export interface LookupEvent {
  /** When it happened, in milliseconds of `monotonicMs`. */
  readonly time: number;
  /** The name that is looked up, or the address whose names are wanted. */
  readonly hostname: string;
  /** What is wanted: addresses of a name, names of an address, servers of a service. */
  readonly kind: 'addresses' | 'names' | 'services';
  /** The only family that is wanted; undefined for both. */
  readonly family: 'ipv4' | 'ipv6' | undefined;
}

/** How a lookup ended. */
export interface LookupEndEvent extends LookupEvent {
  /** Milliseconds since it was submitted; undefined when the channels had no subscribers then. */
  readonly duration: number | undefined;
}

/** The message of `sock:dns:complete`. */
export interface LookupCompleteEvent extends LookupEndEvent {
  /** What was found, of a lookup of addresses or names; undefined for services. */
  readonly addresses: readonly string[] | undefined;
  /** Whether the cache had it. */
  readonly cached: boolean;
}

/** The message of `sock:dns:error`, `sock:dns:timeout` and `sock:dns:cancel`. */
export interface LookupErrorEvent extends LookupEndEvent {
  /** What whoever asked was told. */
  readonly error: Error;
  /** Whether the cache had it. */
  readonly cached: boolean;
}

/** The message of `sock:dns:attempt`: what becomes of one address in a race. */
export interface AttemptEvent {
  /** When it happened, in milliseconds of `monotonicMs`. */
  readonly time: number;
  /** The host that was asked for. */
  readonly hostname: string;
  /** The address that is tried. */
  readonly address: string;
  /** Its port. */
  readonly port: number;
  /** `'cancelled'`: another one has won, or the race was called off. */
  readonly outcome: 'start' | 'won' | 'failed' | 'cancelled';
  /** Milliseconds since the attempt began; undefined with `'start'`. */
  readonly duration: number | undefined;
  /** With `'failed'`: why. */
  readonly error: Error | undefined;
}

// Held here: a channel that nobody holds is collected, and its subscribers with it.
const submitted = channel('sock:dns:submit');
const completed = channel('sock:dns:complete');
const failed = channel('sock:dns:error');
const cancelled = channel('sock:dns:cancel');
const timedOut = channel('sock:dns:timeout');
const attempted = channel('sock:dns:attempt');
const tellLine = openLog('dns');
const ends = [completed, failed, cancelled, timedOut];

/** What is looked up, and since when; `sinceMs` is undefined where nobody wanted to know. */
interface Subject {
  readonly hostname: string;
  readonly kind: LookupEvent['kind'];
  readonly family: Family | undefined;
}

function describe({ hostname, kind, family }: Subject): LookupEvent {
  return { time: monotonicMs(), hostname, kind, family };
}

function durationOf({ time }: LookupEvent, sinceMs: number | undefined): number | undefined {
  return sinceMs === undefined ? undefined : time - sinceMs;
}

/** The time, where somebody will want to know how long it took; else undefined. */
export function tellSubmitted(subject: Subject): number | undefined {
  count('dns_request_submitted');
  const isTold = submitted.hasSubscribers;
  if (!isTold && !ends.some(({ hasSubscribers }) => hasSubscribers)) return undefined;
  const event = describe(subject);
  if (isTold) submitted.publish(event);
  return event.time;
}

export function tellCompleted(
  subject: Subject,
  sinceMs: number | undefined,
  found: readonly unknown[],
  cached: boolean,
): void {
  count('dns_request_completed');
  if (!completed.hasSubscribers) return;
  const event = describe(subject);
  const addresses = subject.kind === 'services' ? undefined : (found as readonly string[]);
  const duration = durationOf(event, sinceMs);
  completed.publish({ duration, addresses, cached, ...event } satisfies LookupCompleteEvent);
}

export function tellFailed(
  subject: Subject,
  sinceMs: number | undefined,
  error: Error,
  cached: boolean,
): void {
  const isTimeout = error instanceof TimeoutError;
  count(isTimeout ? 'dns_request_timeout' : 'dns_request_failed');
  tellLine(LineLevel.Warn, () => `a lookup of ${subject.hostname} has failed`, error);
  tellEnd(isTimeout ? timedOut : failed, subject, sinceMs, error, cached);
}

export function tellCancelled(subject: Subject, sinceMs: number | undefined, error: Error): void {
  count('dns_request_cancelled');
  tellEnd(cancelled, subject, sinceMs, error, false);
}

function tellEnd(
  end: (typeof ends)[number],
  subject: Subject,
  sinceMs: number | undefined,
  error: Error,
  cached: boolean,
): void {
  if (!end.hasSubscribers) return;
  const event = describe(subject);
  const duration = durationOf(event, sinceMs);
  end.publish({ duration, error, cached, ...event } satisfies LookupErrorEvent);
}

export function tellAttempt(attempt: Omit<AttemptEvent, 'time'>): void {
  if (!attempted.hasSubscribers) return;
  attempted.publish({ time: monotonicMs(), ...attempt } satisfies AttemptEvent);
}
