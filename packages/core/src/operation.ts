/** The limits of operations, as callers give them. */
import { checkBoolean, checkOptions, operationOptionKeys } from '@sock/native';

/** Limits of one call, on top of what the socket itself sets. */
export interface OperationOptions {
  /**
   * Aborts the wait, which rejects with {@link AbortError}; no bytes are lost by it. With a signal
   * that is aborted already, nothing is begun.
   */
  signal?: AbortSignal | undefined;
  /**
   * Milliseconds on a monotonic clock, 0 to 2^31−1, with fractions. 0 looks once and waits for
   * nothing, `Infinity` sets no limit, `undefined` leaves the socket's own ({@link Timeouts}). When
   * the time is over, and never before, the operation rejects with {@link TimeoutError}.
   */
  timeout?: number | undefined;
}

/** Options of a connect. */
export interface ConnectMethodOptions extends OperationOptions {
  /**
   * Saves a round trip (TCP Fast Open): towards a host that has accepted it before, the connect
   * resolves at once and sends nothing, and the first send takes its data along in the first
   * packet. Until then `isConnected` is false and nothing can be received, so it is for protocols
   * in which this side speaks first; and what a connect would have failed with (`ECONNREFUSED`, …)
   * is what the first operations fail with. The peer may see the first packet twice. Towards any
   * other host it connects as usual, and is prepared for the next time.
   *
   * Default `false`. Rejects with `ENOTSUP` where the system forbids it (net.ipv4.tcp_fastopen
   * without bit 1), with `ENOPROTOOPT` where it does not know it.
   *
   * @see tcp(7), TCP_FASTOPEN_CONNECT; RFC 7413
   */
  fastOpen?: boolean | undefined;
}

/** Options of a connect that blocks this thread. */
export type ConnectSyncOptions = Omit<ConnectMethodOptions, 'signal'>;

/** With `fastOpen` checked, and what is left for whoever checks limits. */
export function checkConnectOptions(options: unknown): OperationOptions & { fastOpen: boolean } {
  const known = [...operationOptionKeys, 'fastOpen'] as const;
  const { fastOpen = false, ...rest } = checkOptions<ConnectMethodOptions>(options, known);
  return { fastOpen: checkBoolean('options.fastOpen', fastOpen), ...rest };
}
