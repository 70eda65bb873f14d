/** What contexts are made of, as callers give it. */
import type { TlsContext } from './context.js';
import type { PemSource } from './pem.js';

/** A certificate, the key that belongs to it, and what the key is encrypted with. */
export interface TlsKeyPair {
  /** The certificate, and behind it those that lead to one of the peer's authorities. */
  cert: PemSource;
  /** Its private key. */
  key: PemSource;
  /** What the key is encrypted with; default: it is not. */
  passphrase?: string | undefined;
  /** As for {@link TlsContext.setOcspResponse}. */
  ocspResponse?: Uint8Array | undefined;
}

/** The same in one file. */
export interface TlsPkcs12 {
  /** A PKCS#12 file (RFC 7292, `.p12` or `.pfx`): its bytes, or its path. */
  pkcs12: Uint8Array | string;
  /** What it is encrypted with; default: the empty one. */
  passphrase?: string | undefined;
  /** As for {@link TlsContext.setOcspResponse}. */
  ocspResponse?: Uint8Array | undefined;
}

/** A certificate with its key. */
export type TlsCertificate = TlsKeyPair | TlsPkcs12;

/**
 * A context for another thread, as {@link TlsContext.share} makes it: it can be posted, and is of
 * no use but for {@link TlsContext.from}. It holds secrets.
 */
export interface TlsContextShare {
  /** Whether it is for the side that accepts. */
  readonly isServer: boolean;
}

/** What a {@link TlsContext} begins with; its setters change it. */
export interface TlsContextOptions {
  /** With `key`: a certificate with its chain. Servers need one. */
  cert?: PemSource | undefined;
  /** The private key of `cert`. */
  key?: PemSource | undefined;
  /** In place of both: a PKCS#12 file, as bytes or as a path. */
  pkcs12?: Uint8Array | string | undefined;
  /** What `key`, or the file, is encrypted with. */
  passphrase?: string | undefined;
  /** Whom to trust, one or several authorities. For clients in place of the system's. */
  ca?: PemSource | readonly PemSource[] | undefined;
}

/** Options of {@link TlsContext.loadCrl}. */
export interface TlsCrlOptions {
  /**
   * Whether the peer's own certificate alone is looked up. Default: every certificate but the root
   * is, and the authority of each needs a list.
   */
  leafOnly?: boolean | undefined;
}

/** Options of {@link TlsContext.requestOcsp}. */
export interface OcspRequestOptions {
  /**
   * Whether a server that shows no response is refused (`OCSP_VERIFY_NEEDED`). Default: only where
   * its certificate says that it always shows one (must-staple, RFC 7633).
   */
  required?: boolean | undefined;
}

/** Options of {@link TlsContext.enableSessionCache}. */
export interface SessionCacheOptions {
  /** For clients: how many sessions are kept, 1 to 2^31−1. Default 1,000. */
  size?: number | undefined;
  /**
   * Milliseconds for which a session can be resumed, 1,000 to 604,800,000 (seven days), in whole
   * seconds, rounded up. Default 300,000.
   */
  timeout?: number | undefined;
}

/** What has become of handshakes of a context since {@link TlsContext.enableSessionCache}. */
export interface SessionCacheStats {
  /** Handshakes that went on with the keys of an earlier one. */
  readonly hits: number;
  /** Handshakes that did not. */
  readonly misses: number;
  /** For clients: sessions that were kept. For servers: handshakes that gave one out. */
  readonly stores: number;
}
