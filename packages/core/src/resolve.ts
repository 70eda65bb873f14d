/**
 * Name lookup for `connect(host)`: getaddrinfo(3) on the addon's own threads, so that it neither
 * waits for the four threads that libuv shares with the file system nor keeps them from it.
 */

import { getSystemErrorName } from 'node:util';
import { binding, Control, count, families, gaiErrorName, type Limits, lookup } from '@sock/native';
import { AbortError, ResolveError, SocketError, TimeoutError } from './errors.js';

export type AddressFamily = 'ipv4' | 'ipv6' | undefined;

function familyIndex(family: AddressFamily): number {
  return family === undefined ? -1 : families.indexOf(family);
}

function resolveError(hostname: string, gaiCode: number, errno: number): ResolveError {
  const code = gaiErrorName(gaiCode);
  const cause = errno > 0 ? new Error(getSystemErrorName(-errno)) : undefined;
  const text = binding.describeLookup(gaiCode);
  return new ResolveError(`getaddrinfo ${code} ${hostname}: ${text}`, {
    code,
    syscall: 'getaddrinfo',
    gaiCode,
    hostname,
    cause,
  });
}

/** Gives up on a lookup; `timedOut` says why, for those who count. */
type GiveUp = (timedOut: boolean) => void;

/**
 * A promise for what `start` brings about, unless the signal or the time cuts it short. `start`
 * gets the functions that settle it, and returns one that gives up.
 */
export function withLimits<T>(
  { signal, timeoutMs }: Limits,
  verb: string,
  start: (resolve: (value: T) => void, reject: (error: unknown) => void) => GiveUp,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let giveUp: GiveUp = () => {};
    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    const fail = (error: unknown): void => {
      finish();
      reject(error);
    };
    const cut = (error: Error): void => {
      giveUp(error instanceof TimeoutError);
      fail(error);
    };
    const onAbort = (): void => cut(new AbortError(signal as AbortSignal));
    signal?.addEventListener('abort', onAbort, { once: true });
    const onTimeout = (): void => cut(new TimeoutError(verb, timeoutMs));
    const isLimited = timeoutMs !== Number.POSITIVE_INFINITY;
    const timer = isLimited ? setTimeout(onTimeout, timeoutMs) : undefined;
    const settle = (value: T): void => {
      finish();
      resolve(value);
    };
    try {
      giveUp = start(settle, fail);
    } catch (error) {
      fail(error);
    }
  });
}

/** Numeric addresses in the order of RFC 6724, at least one. */
export function resolveHost(
  hostname: string,
  family: AddressFamily,
  limits: Limits,
): Promise<string[]> {
  return withLimits(limits, `looking up ${hostname}`, (resolve, reject) => {
    const pending = lookup(hostname, familyIndex(family), (addresses, gaiCode, errno) => {
      count(gaiCode === 0 ? 'dns_request_completed' : 'dns_request_failed');
      if (gaiCode === 0) resolve(addresses);
      else reject(resolveError(hostname, gaiCode, errno));
    });
    if (pending === null) {
      throw new SocketError('too many name lookups are waiting', { code: 'ERR_SOCK_QUEUE_FULL' });
    }
    count('dns_request_submitted');
    return (timedOut) => {
      pending.giveUp();
      count(timedOut ? 'dns_request_timeout' : 'dns_request_cancelled');
    };
  });
}

/** The same, blocking this thread. */
export function resolveHostSync(
  hostname: string,
  family: AddressFamily,
  timeoutMs: number,
): string[] {
  const limitMs = timeoutMs === Number.POSITIVE_INFINITY ? -1 : timeoutMs;
  count('dns_request_submitted');
  const answer = binding.lookupSync(hostname, familyIndex(family), limitMs);
  if (answer === null) {
    count('dns_request_timeout');
    throw new TimeoutError(`looking up ${hostname}`, timeoutMs);
  }
  count(typeof answer === 'object' ? 'dns_request_completed' : 'dns_request_failed');
  if (typeof answer === 'object') return answer;
  throw resolveError(hostname, answer, binding.control[Control.Extra] as number);
}
