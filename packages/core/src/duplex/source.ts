/** What a duplex can be made of, and how its I/O is taken over. */
import type { StreamSocket } from '../stream-socket.js';
import type { TakenStream } from './taken-stream.js';

/**
 * What {@link toDuplex} takes: a connected stream, with what more of a `net.Socket` it can tell.
 * Every member beyond {@link StreamSocket} is optional; the duplex does without those that are
 * absent.
 */
export interface DuplexSource extends StreamSocket {
  /** The address on this side. */
  readonly localAddress?: string | undefined;
  /** The port on this side, 1 to 65,535; undefined for what is not TCP. */
  readonly localPort?: number | undefined;
  /** The address of the peer. */
  readonly remoteAddress?: string | undefined;
  /** The port of the peer, 1 to 65,535; undefined for what is not TCP. */
  readonly remotePort?: number | undefined;
  /** `true` where the bytes are encrypted below. */
  readonly encrypted?: boolean | undefined;
  /** The protocol that ALPN agreed on; `false` or `null` for none. */
  readonly alpnProtocol?: string | false | null | undefined;
  /** Whether the certificate of the peer was found good. */
  readonly authorized?: boolean | undefined;
  /** TCP_NODELAY; throws `ENOTSUP` where there is none. */
  setNoDelay?(on: boolean): void;
  /** SO_KEEPALIVE, with `idle` in milliseconds; throws `ENOTSUP` where there is none. */
  setKeepAlive?(options: { idle?: number | undefined } | false): void;
  /**
   * Hands the stream's I/O over for good: from then on the stream's own operations throw
   * `ERR_SOCK_BUSY`, or reject with it, and only the one that is returned carries bytes. Where it
   * is absent the duplex uses the public operations, and nobody keeps others from doing so too.
   *
   * @param chunkSize The most bytes of a chunk.
   * @param onClosed Runs once when the stream is closed, by whomever.
   * @throws `SocketError` with `ERR_SOCK_BUSY` while a receive waits, or after an earlier one;
   * `ENOTCONN`, `ERR_SOCK_CLOSED`.
   */
  takeOver?(chunkSize: number, onClosed: () => void): TakenStream;
}

/** Takes the I/O over, or borrows it where it cannot be taken. */
export function take(source: DuplexSource, chunkSize: number, onClosed: () => void): TakenStream {
  if (source.takeOver !== undefined) return source.takeOver(chunkSize, onClosed);
  const chunks = source.chunks({ size: chunkSize });
  return {
    next: () => chunks.next() as Promise<IteratorResult<Buffer, undefined>>,
    trySend: (bytes) => source.trySend(bytes),
    sendAll: (bytes) => source.sendAll(bytes),
    shutdown: () => source.shutdown('write'),
    close: () => source.close(),
  };
}
