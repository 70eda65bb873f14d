/** Values that options and results name. */

/**
 * Whether the peer's certificate is looked at. Values may be joined with `|`.
 *
 * @see SSL_CTX_set_verify(3)
 */
export const TlsVerifyMode = Object.freeze({
  /** The peer may be anybody. */
  None: 0,
  /** A certificate is checked; a server asks its clients for one, and takes them without. */
  Peer: 1,
  /** For servers: as `Peer`, and a client must have one. */
  FailIfNoPeerCert: 2,
  /** For servers: as `Peer`, and asks once in a connection. */
  ClientOnce: 4,
});
export type TlsVerifyMode = (typeof TlsVerifyMode)[keyof typeof TlsVerifyMode];

/** How far the handshake of a {@link TlsSocket} is. */
export const TlsHandshakeState = Object.freeze({
  /** Nothing was sent. */
  NotStarted: 0,
  /** It is under way. */
  InProgress: 1,
  /** It goes on once the descriptor is readable. */
  WantRead: 2,
  /** It goes on once the descriptor is writable. */
  WantWrite: 3,
  /** It is done: bytes can be sent and received. */
  Complete: 4,
  /** It has failed, and cannot be tried again on this connection. */
  Error: 5,
});
export type TlsHandshakeState = (typeof TlsHandshakeState)[keyof typeof TlsHandshakeState];

/** The versions that there are. Older ones are not offered (RFC 8996). */
export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';
