/** What becomes of handshakes: told on node:diagnostics_channel. The addon counts those done. */
import { channel } from 'node:diagnostics_channel';
import { monotonicMs } from '@sock/core';
import { count, LineLevel, openLog } from '@sock/native';

/** A handshake that is done: the message of `sock:tls:handshake`. */
export interface HandshakeEvent {
  /** When it was done, in milliseconds of `monotonicMs`. */
  readonly time: number;
  /** Whether this side accepted the connection. */
  readonly server: boolean;
  /** As `TlsSocket.version`. */
  readonly version: string | undefined;
  /** As `TlsSocket.cipher`. */
  readonly cipher: string | undefined;
  /** As `TlsSocket.alpnProtocol`. */
  readonly alpn: string | undefined;
  /** As `TlsSocket.isSessionReused`. */
  readonly resumed: boolean;
  /** Milliseconds since it began on this side. */
  readonly duration: number;
}

/** A handshake that has failed: the message of `sock:tls:handshake-error`. */
export interface HandshakeErrorEvent {
  /** When it failed, in milliseconds of `monotonicMs`. */
  readonly time: number;
  /** Whether this side accepted the connection. */
  readonly server: boolean;
  /** What the handshake rejects with. */
  readonly error: unknown;
  /** Milliseconds since it began on this side. */
  readonly duration: number;
}

/** What both sides have agreed on. */
export type Agreed = Pick<HandshakeEvent, 'version' | 'cipher' | 'alpn'>;

// Held here: a channel that nobody holds is collected, and its subscribers with it.
const handshakes = channel('sock:tls:handshake');
const errors = channel('sock:tls:handshake-error');
/** The log of this package. */
export const tellLine = openLog('tls');

/** `agreed` is asked only for those who listen: it costs three strings. */
export function tellDone(
  resumed: boolean,
  server: boolean,
  startMs: number,
  agreed: () => Agreed,
): void {
  if (!handshakes.hasSubscribers) return;
  const time = monotonicMs();
  const event: HandshakeEvent = { time, server, resumed, duration: time - startMs, ...agreed() };
  handshakes.publish(event);
}

export function tellFailed(error: unknown, server: boolean, startMs: number): void {
  count('tls_handshake_failures');
  tellLine(
    LineLevel.Warn,
    () => `a handshake as ${server ? 'server' : 'client'} has failed`,
    error,
  );
  if (!errors.hasSubscribers) return;
  const time = monotonicMs();
  const event: HandshakeErrorEvent = { time, server, error, duration: time - startMs };
  errors.publish(event);
}
