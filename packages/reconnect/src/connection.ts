/** The connection that there is: what can be found out about it, and how it ended. */
import { getSystemErrorName } from 'node:util';
import {
  type Pollable,
  ReconnectError,
  Socket,
  SocketClosedError,
  SocketError,
  type StreamSocket,
} from '@sock/core';
import { binding, Errno } from '@sock/native';
import { acknowledgedBytes, Liveness } from './liveness.js';

/** What was on its way when a connection ended. */
export interface Fate {
  /** Bytes that the kernel took; undefined where the connection does not count them. */
  readonly bytesSent: number | undefined;
  /** How many of them the peer's kernel has acknowledged; undefined where that is not known. */
  readonly bytesAcknowledged: number | undefined;
}

/** How often a connection is looked at whose peer has ended it, but that has bytes left to read. */
const endedLookMs = 1_000;

export class Connection {
  readonly socket: StreamSocket;
  /** What an operation of the socket rejects with, which may be how the loss shows. */
  readonly onFailure = (error: unknown): never => {
    this.noticeFailure(error);
    throw this.explain(error);
  };
  readonly sinceMs: number;
  /** Why it was lost, or ended from this side; null while it is there. */
  ending: Error | null = null;
  /** Whether it ended by itself: what waited for it may go to the next. */
  isLost = false;
  fate: Fate = { bytesSent: undefined, bytesAcknowledged: undefined };
  /** The descriptor, as it was when the connection was new: what is watched under this number. */
  readonly fd: number;
  readonly #liveness: Liveness;
  readonly #deadAfterMs: number;
  #endedLookMs = Number.POSITIVE_INFINITY;

  constructor(
    socket: StreamSocket,
    deadAfterMs: number,
    nowMs: number,
    private readonly onLoss: (connection: Connection, error: Error) => void,
  ) {
    this.socket = socket;
    this.sinceMs = nowMs;
    // A stream of the caller's making may have none.
    this.fd = socket.fd ?? -1;
    this.#deadAfterMs = deadAfterMs;
    this.#liveness = new Liveness(this.fd, deadAfterMs, nowMs);
  }

  /** An operation has failed: whether the connection is over, by that or from before. */
  noticeFailure(error: unknown): boolean {
    if (this.ending === null && isLoss(error, this.socket)) this.onLoss(this, error);
    return this.ending !== null;
  }

  /**
   * What an operation rejects with: the error itself, or, where it only says that the connection
   * was closed here, one that says why. Sends are told their fate.
   */
  explain(error: unknown): unknown {
    const { ending, fate } = this;
    if (!(error instanceof SocketError)) return error;
    const { bytesTransferred } = error;
    const bytesAcknowledged =
      bytesTransferred === undefined ? undefined : acknowledgedOf(bytesTransferred, fate);
    if (error.code !== 'ERR_SOCK_CLOSED' || !(ending instanceof SocketError)) {
      if (bytesAcknowledged !== undefined) {
        const value = bytesAcknowledged;
        Object.defineProperty(error, 'bytesAcknowledged', { value, enumerable: true });
      }
      return error;
    }
    const { code, errno, syscall, address, port } = ending;
    return new SocketClosedError(ending.message, {
      ...{ code, errno, syscall, address, port, bytesTransferred, bytesAcknowledged },
      cause: ending,
    });
  }

  /** When time alone makes a look worthwhile. */
  get nextMs(): number {
    return Math.min(this.#liveness.nextMs, this.#endedLookMs);
  }

  /** Why it is over, as far as its descriptor can tell; null: it is not. */
  look(): Error | null {
    if (this.fd < 0) return null;
    // Closed, by the caller: whose descriptor that is now, nobody knows.
    if (this.socket.fd !== this.fd) return closedHere();
    const result = binding.peek(this.fd);
    if (result === -Errno.EAGAIN || result > 0 || this.#hasUnread()) return null;
    return result === 0 ? endOfStream() : brokenBy(result);
  }

  /** The check that there is without one of the caller's. */
  check(): Error | null {
    return this.look() ?? (this.socket.isConnected === false ? closedHere() : null);
  }

  /** {@link look}, when the peer's end was told: if bytes are left before it, again in a while. */
  lookAtEnd(nowMs: number): Error | null {
    const error = this.look();
    this.#endedLookMs = error === null ? nowMs + endedLookMs : Number.POSITIVE_INFINITY;
    return error;
  }

  /** Does what is due. */
  tick(nowMs: number): Error | null {
    if (nowMs >= this.#endedLookMs) return this.lookAtEnd(nowMs);
    if (this.#liveness.isDead(nowMs)) {
      const message = `the peer has given no sign of life for ${this.#deadAfterMs} ms`;
      return new ReconnectError(message, { code: 'ETIMEDOUT' });
    }
    return null;
  }

  /** Closes it, and keeps what can be known of it only before. */
  end(error: Error, isLost: boolean): void {
    this.ending = error;
    this.isLost = isLost;
    this.fate = fateOf(this.socket);
    try {
      this.socket.close();
    } catch {
      // A stream of the caller's own; for us it is over in any case.
    }
  }

  /** What was received and put back counts, too, where a stream can tell. */
  #hasUnread(): boolean {
    const socket: StreamSocket & Partial<Pollable> = this.socket;
    return socket.pendingRead?.() === true;
  }
}

/** Of streams that carry something else than they are given (TLS) nothing can be said. */
function fateOf(socket: StreamSocket): Fate {
  if (!(socket instanceof Socket)) return { bytesSent: undefined, bytesAcknowledged: undefined };
  const bytesSent = socket.bytesWritten;
  const acknowledged = acknowledgedBytes(socket.fd);
  // The FIN of this side counts as one.
  const bytesAcknowledged =
    acknowledged === undefined ? undefined : Math.min(acknowledged, bytesSent);
  return { bytesSent, bytesAcknowledged };
}

function closedHere(): SocketClosedError {
  return new SocketClosedError('the socket is closed', { code: 'ERR_SOCK_CLOSED' });
}

export function endOfStream(): SocketClosedError {
  return new SocketClosedError('the peer has ended the stream', { code: 'ERR_SOCK_EOF' });
}

function brokenBy(errno: number): SocketError {
  const code = getSystemErrorName(errno);
  const Class =
    errno === -Errno.ECONNRESET || errno === -Errno.EPIPE ? SocketClosedError : SocketError;
  return new Class(`recv ${code}`, { code, errno, syscall: 'recv' });
}

/** Whether an operation failed because the connection is over, not for a reason of its own. */
function isLoss(error: unknown, socket: StreamSocket): error is SocketError {
  return (
    error instanceof SocketClosedError || (error instanceof SocketError && !socket.isConnected)
  );
}

/** Those that a failed send had passed to the kernel were the last of the connection. */
function acknowledgedOf(bytesTransferred: number, fate: Fate): number | undefined {
  if (bytesTransferred === 0) return 0;
  const { bytesSent, bytesAcknowledged } = fate;
  if (bytesSent === undefined || bytesAcknowledged === undefined) return undefined;
  const before = bytesSent - bytesTransferred;
  return Math.min(Math.max(0, bytesAcknowledged - before), bytesTransferred);
}
