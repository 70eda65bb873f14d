/** Trying several addresses of one host, in order. */
import { AbortError, SocketError, TimeoutError } from './errors.js';
import { monotonicMs } from './monotonic.js';

/** The last failure; with the others behind it as `cause` when there were several. */
function combine(errors: unknown[]): unknown {
  const last = errors.at(-1);
  if (errors.length > 1 && last instanceof SocketError && last.cause === undefined) {
    const message = `all ${errors.length} addresses failed`;
    Object.defineProperty(last, 'cause', { value: new AggregateError(errors, message) });
  }
  return last;
}

/** The whole time is over: so much was allowed, of which the last attempt had only a share. */
function overall(error: unknown, timeoutMs: number): unknown {
  if (!(error instanceof TimeoutError)) return error;
  const { address, port } = error;
  return new TimeoutError('connect', timeoutMs, { address, port });
}

/**
 * Each address gets an equal share of what is left of the time, `spentMs` of which is gone already;
 * an abort ends it all.
 */
export async function inOrder<A, T>(
  addresses: readonly A[],
  timeoutMs: number,
  spentMs: number,
  attempt: (address: A, shareMs: number) => Promise<T>,
): Promise<T> {
  const untilMs = monotonicMs() + timeoutMs - spentMs;
  const errors: unknown[] = [];
  for (const [index, address] of addresses.entries()) {
    const left = addresses.length - index;
    const leftMs = Math.max(0, untilMs - monotonicMs());
    try {
      return await attempt(address, leftMs / left);
    } catch (error) {
      if (error instanceof AbortError) throw error;
      errors.push(left === 1 ? overall(error, timeoutMs) : error);
    }
  }
  throw combine(errors);
}

/** The same, blocking. */
export function tryEach<A>(addresses: readonly A[], attempt: (address: A) => void): void {
  const errors: unknown[] = [];
  for (const address of addresses) {
    try {
      attempt(address);
      return;
    } catch (error) {
      errors.push(error);
    }
  }
  throw combine(errors);
}
