import { type ConnectOptions, connect, Socket, TimeoutError } from '@sock/core';
import { Countdown, checkTimeout, invalidType } from '@sock/native';
import { checkContext, TlsContext } from './context.js';
import { checkHostname } from './hostname.js';
import { TlsSocket } from './tls-socket.js';

/** Where to connect, and with what. */
export interface ConnectTlsOptions extends ConnectOptions {
  /** One for clients. Default: `TlsContext.client()`, made anew for every call. */
  context?: TlsContext | undefined;
  /**
   * Whom the server's certificate has to be for, as for {@link TlsSocket.setHostname}. Default
   * `host`; needed with a `path` unless the context verifies nothing.
   */
  hostname?: string | undefined;
  /** The session of an earlier connection to go on with, as in {@link TlsSocketOptions}. */
  session?: Uint8Array | undefined;
}

/**
 * Connects as `connect` of `@sock/core` does, with the same options, and speaks TLS over it:
 * resolves when the handshake is done and the server's certificate was verified.
 *
 * @param options Those of `connect`, of which `timeout` covers the handshake too (ms; default
 * `connectTimeout` of `Socket.getDefaultTimeouts()`, 30,000), `context`, `hostname` and `session`.
 *
 * Rejects as `connect` and {@link TlsSocket.handshake} do; no socket is left behind then.
 * @throws TypeError, RangeError when an option is wrong.
 * @example
 * ```ts
 * const tls = await connectTls({ host: 'example.org', port: 443 });
 * await tls.sendAll('GET / HTTP/1.0\r\nhost: example.org\r\n\r\n');
 * ```
 */
export async function connectTls(options: ConnectTlsOptions): Promise<TlsSocket> {
  if (options === undefined) throw invalidType('options', 'an object', options);
  const { context: given, hostname, session, ...rest } = options;
  const { connectTimeout } = Socket.getDefaultTimeouts();
  const timeoutMs = checkTimeout(rest.timeout ?? connectTimeout, 'options.timeout');
  const context =
    given === undefined ? TlsContext.client() : checkContext('options.context', given, false);
  const name = hostname ?? (rest.path === undefined ? (rest.host ?? 'localhost') : undefined);
  if (name !== undefined) checkHostname('options.hostname', name);
  const countdown = new Countdown(timeoutMs);
  const socket = await connect({ ...rest, timeout: timeoutMs });
  try {
    const tls = TlsSocket.enable(socket, context, { hostname: name, session });
    const { leftMs } = countdown;
    if (leftMs <= 0) throw new TimeoutError('connectTls', timeoutMs);
    await tls.handshake({ timeout: leftMs, signal: rest.signal });
    return tls;
  } catch (error) {
    socket.close();
    // In the terms of the caller, who knows nothing of what was left for the handshake.
    throw error instanceof TimeoutError ? new TimeoutError('connectTls', timeoutMs) : error;
  }
}
