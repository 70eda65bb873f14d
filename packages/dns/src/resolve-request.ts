import { AsyncResource } from 'node:async_hooks';
import { type ResolvedAddress, ResolveError } from '@sock/core';
import { checkSetting } from '@sock/native';
import { Driver } from './driver.js';
import type { Waiter } from './waiter.js';

/** Who is told what a request came to: one of the two is null. */
export type ResolveCallback = (error: Error | null, addresses: ResolvedAddress[] | null) => void;

/** Where a request stands. */
export type ResolveState = 'pending' | 'complete' | 'cancelled';

function cancelledError(hostname: string | null): ResolveError {
  const name = hostname ?? 'the wildcard addresses';
  const message = `looking up ${name}: the request was cancelled`;
  return new ResolveError(message, { code: 'ECANCELLED', gaiCode: 0, hostname: hostname ?? '' });
}

/**
 * A lookup that was submitted to be driven by hand: {@link Resolver.submit} makes it. It ends once,
 * with a result or with an error, also when it is cancelled or its resolver is closed.
 */
export class ResolveRequest {
  /** What is looked up; null for the wildcard addresses. */
  readonly host: string | null;
  /** The port that goes into the addresses. */
  readonly port: number;
  private current: ResolveState = 'pending';
  private found: ResolvedAddress[] | null = null;
  private failure: Error | null = null;
  private waiter: Waiter<string> | undefined;
  private readonly resource: AsyncResource | undefined;

  /** @internal Of a resolver, whose `submit` makes it. */
  constructor(
    host: string | null,
    port: number,
    private readonly requests: Requests,
    private readonly callback: ResolveCallback | undefined,
  ) {
    this.host = host;
    this.port = port;
    if (callback !== undefined) {
      this.resource = new AsyncResource('SOCK_RESOLVE', { requireManualDestroy: true });
    }
  }

  /** `'complete'` with a result or an error; `'cancelled'` by {@link cancel}. */
  get state(): ResolveState {
    return this.current;
  }

  /** The addresses, in the order of RFC 6724; null while it is pending, and when it failed. */
  get result(): ResolvedAddress[] | null {
    return this.found;
  }

  /**
   * Why there is no result; null while it is pending, and when there is one. What `resolve` rejects
   * with, or {@link ResolveError} with `ECANCELLED` once it is cancelled.
   */
  get error(): Error | null {
    return this.failure;
  }

  /**
   * Gives up: the request ends with `ECANCELLED` at once, and its callback is called by the next
   * {@link Resolver.check}. Others that wait for the same name do not notice.
   *
   * @returns Whether it was pending. What has ended already keeps its result or error.
   */
  cancel(): boolean {
    const { waiter } = this;
    if (waiter?.isWaiting !== true) return false;
    this.current = 'cancelled';
    return waiter.cancel(cancelledError(this.host));
  }

  /**
   * Another time limit. Does nothing once the request has ended.
   *
   * @param timeout Milliseconds, more than 0 and up to 2^31−1, counted from when it was submitted;
   * `Infinity`: none. When that is over already, the next check ends it with `ERR_SOCK_TIMEOUT`.
   * @throws TypeError, RangeError for anything else.
   */
  setTimeout(timeout: number): void {
    const timeoutMs = checkSetting('timeout', timeout);
    this.waiter?.limit(timeoutMs);
  }

  /** @internal By whom it can leave. */
  wait(waiter: Waiter<string>): void {
    this.waiter = waiter;
  }

  /** @internal It has ended. */
  settle(addresses: readonly string[] | undefined, error: Error | undefined): void {
    if (this.current === 'pending') this.current = 'complete';
    this.failure = error ?? null;
    this.found = addresses === undefined ? null : addressesOf(addresses, this.port);
    this.requests.note(this);
  }

  /** @internal Calls the callback, once. What it throws is an uncaught exception. */
  tell(): void {
    const { resource, callback } = this;
    if (resource === undefined || callback === undefined) return;
    try {
      resource.runInAsyncScope(callback, undefined, this.failure, this.found);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
    resource.emitDestroy();
  }
}

/** With the port in each. */
export function addressesOf(addresses: readonly string[], port: number): ResolvedAddress[] {
  return addresses.map((address) => ({
    address,
    port,
    family: address.includes(':') ? 'ipv6' : 'ipv4',
  }));
}

/** The requests of one resolver: what drives them, and which have ended since the last check. */
export class Requests {
  readonly driver = new Driver();
  private ended: ResolveRequest[] = [];

  note(request: ResolveRequest): void {
    this.ended.push(request);
    this.driver.notify();
  }

  /** Calls the callbacks of those that have ended; how many these are. */
  tell(): number {
    const ended = this.ended.splice(0);
    for (const request of ended) request.tell();
    return ended.length;
  }

  close(): void {
    this.driver.close();
    this.tell();
  }
}
