import { getSystemErrorName } from 'node:util';
import { describeError } from '@sock/native';

/** What is known of an operation that failed; every field may be absent. */
export interface SocketErrorDetails {
  /** The errno name, or one of ours (`ERR_SOCK_*`). */
  code?: string | undefined;
  /** Negative, as in Node. */
  errno?: number | undefined;
  /** The system call that failed. */
  syscall?: string | undefined;
  /** The address that was bound, or to be reached. */
  address?: string | undefined;
  /** With `address`. */
  port?: number | undefined;
  /** The Unix path, or `@name`, that was bound or to be reached. */
  path?: string | undefined;
  /** Bytes that the kernel had taken, or that had arrived, before the operation failed. */
  bytesTransferred?: number | undefined;
  /** Those of them that the peer's kernel has acknowledged. */
  bytesAcknowledged?: number | undefined;
  /** Bytes of an unfinished `recvAll` that the end of the stream cut short. */
  partial?: Buffer | undefined;
  /** What it follows from: another error, or several in `errors` of an `AggregateError`. */
  cause?: unknown;
}

/** Codes after which the same call can succeed later, with nothing changed on this side. */
const retryableCodes = new Set([
  'EAGAIN',
  'EADDRINUSE',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'EINPROGRESS',
  'EINTR',
  'EMFILE',
  'ENETDOWN',
  'ENETUNREACH',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'ESERVFAIL',
  'ETIMEDOUT',
  'ETIMEOUT',
  'EAI_AGAIN',
  'ERR_SOCK_BUSY',
  'ERR_SOCK_CIRCUIT_OPEN',
  'ERR_SOCK_POOL_FULL',
  'ERR_SOCK_QUEUE_FULL',
  'ERR_SOCK_TIMEOUT',
]);

let last: SocketError | null = null;

/**
 * The last error of the {@link SocketError} tree that was made on this thread, or `null`. It is not
 * cleared by success.
 */
export function lastError(): SocketError | null {
  return last;
}

/** True for every error of this package's tree, whichever copy of the package made it. */
export function isSocketError(value: unknown): value is SocketError {
  return value instanceof SocketError;
}

/** Never throws: it is asked in catch blocks, of anything, and a proxy may refuse to answer. */
function carries(value: object, key: symbol): boolean {
  try {
    return key in value;
  } catch {
    return false;
  }
}

/**
 * Makes `instanceof` go by a brand shared through the global symbol registry, so that an error made
 * by another copy of this package matches too. Subclasses written by users match as usual.
 */
function brand(type: { name: string; prototype: object }): void {
  const key = Symbol.for(`@sock/core:${type.name}`);
  Object.defineProperty(type.prototype, key, { value: true });
  Object.defineProperty(type.prototype, 'name', {
    value: type.name,
    writable: true,
    configurable: true,
  });
  Object.defineProperty(type, Symbol.hasInstance, {
    value(this: unknown, value: unknown): boolean {
      if (this !== type) return Function.prototype[Symbol.hasInstance].call(this, value);
      return typeof value === 'object' && value !== null && carries(value, key);
    },
  });
}

/**
 * The root of every operating error of these packages: match on `code`, or by class. `instanceof`
 * goes across copies of the package. Fields that say nothing are absent.
 */
export class SocketError extends Error {
  /** The errno name (`'ECONNREFUSED'`), or one of ours (`'ERR_SOCK_CLOSED'`). */
  readonly code: string;
  /** The negative errno, where the kernel said no. */
  declare readonly errno?: number;
  /** The system call that failed, where one did. */
  declare readonly syscall?: string;
  /** The address that was bound, or to be reached. */
  declare readonly address?: string;
  /** The port that goes with `address`. */
  declare readonly port?: number;
  /** The Unix path, or `@name`, that was bound or to be reached. */
  declare readonly path?: string;
  /** For sends: bytes the kernel had taken. They are neither lost nor sent again. */
  declare readonly bytesTransferred?: number;
  /**
   * For sends of a connection that was lost, with `@sock/reconnect`: those of `bytesTransferred`
   * that the peer's kernel has acknowledged. It need not mean that the peer has read them.
   */
  declare readonly bytesAcknowledged?: number;
  /** For `recvAll` at the end of the stream: what had arrived. */
  declare readonly partial?: Buffer;

  constructor(message: string, details: SocketErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    const { cause: _, code, ...rest } = details;
    this.code = code ?? 'ERR_SOCK';
    for (const [key, value] of Object.entries(rest)) {
      if (value !== undefined) Object.defineProperty(this, key, { value, enumerable: true });
    }
    last = this;
  }

  /** Whether the same call can succeed later, with nothing changed on this side. */
  get retryable(): boolean {
    return retryableCodes.has(this.code);
  }
}
brand(SocketError);

/**
 * The connection is over: `ERR_SOCK_CLOSED` (closed on this side), `ERR_SOCK_EOF` (the peer's
 * orderly end), `ECONNRESET` or `EPIPE` (broken).
 */
export class SocketClosedError extends SocketError {}
brand(SocketClosedError);

/** An operation on a Unix-domain address failed. */
export class UnixSocketError extends SocketError {}
brand(UnixSocketError);

/** A host name could not be resolved. `code` is Node's (`ENOTFOUND`, `EAI_AGAIN`, …). */
export class ResolveError extends SocketError {
  /** The number that getaddrinfo(3) returned, 0 when it was not asked. */
  readonly gaiCode: number;
  /** The name that was looked up. */
  readonly hostname: string;

  constructor(
    message: string,
    details: SocketErrorDetails & { gaiCode: number; hostname: string },
  ) {
    const { gaiCode, hostname, ...rest } = details;
    super(message, rest);
    this.gaiCode = gaiCode;
    this.hostname = hostname;
  }
}
brand(ResolveError);

/**
 * No address of a host could be connected to, or none was found. `code` is that of the last
 * failure, so that `retryable` speaks of it.
 */
export class HappyEyeballsError extends SocketError {
  /** One for each address that was tried; those of the lookups when there was none. */
  readonly errors: readonly Error[];
  /** The name that was looked up. */
  readonly hostname: string;

  constructor(
    message: string,
    details: SocketErrorDetails & { errors: readonly Error[]; hostname: string },
  ) {
    const { errors, hostname, ...rest } = details;
    super(message, rest);
    this.errors = errors;
    this.hostname = hostname;
  }
}
brand(HappyEyeballsError);

/** A poll said no: `EEXIST`, `ENOENT`, `EPERM` for what cannot be polled, `ERR_SOCK_CLOSED`, … */
export class PollError extends SocketError {}
brand(PollError);

/**
 * A datagram socket said no: what the kernel refuses (`EMSGSIZE`, `ECONNREFUSED`, …), and
 * `ERR_SOCK_CLOSED`, `ERR_SOCK_BUSY`, …
 */
export class DatagramError extends SocketError {}
brand(DatagramError);

/**
 * A request to an `AsyncIO` was not made, or was cancelled: `ECANCELED` (by its id),
 * `ERR_SOCK_CLOSED` (the `AsyncIO` is closed), `ERR_SOCK_UNSUPPORTED` (a backend that is not here).
 */
export class AsyncIOError extends SocketError {}
brand(AsyncIOError);

/** A timer of a poll is over (`ERR_SOCK_TIMER_OVER`), and cannot do what was asked. */
export class TimerError extends SocketError {}
brand(TimerError);

/**
 * A connection that comes back has not, or a circuit is open: `ERR_SOCK_CIRCUIT_OPEN`,
 * `ERR_SOCK_RECONNECT_EXHAUSTED` (as many attempts as were allowed have failed), `ENOTCONN` (there
 * is no connection now), `ETIMEDOUT` (the peer gave no sign of life), `ERR_SOCK_UNHEALTHY` (a
 * health check failed), … `cause` has the last failure.
 */
export class ReconnectError extends SocketError {}
brand(ReconnectError);

/**
 * A pool said no: `ERR_SOCK_CLOSED` (it is closed, or drains), `ERR_SOCK_POOL_FULL` (every place is
 * taken, and as many wait as may), `ERR_SOCK_NOT_POOLED` (what was given back is not lent out), …
 */
export class PoolError extends SocketError {}
brand(PoolError);

/**
 * TLS failed, or could not begin. One of the classes below where it is known in what, itself for
 * the rest: `ERR_SOCK_NO_OPENSSL` (this runtime has none), `ERR_SOCK_TLS_ACTIVE` (the socket's
 * bytes are records now: use its `TlsSocket`), `ERR_SOCK_TLS_SETTING` (a context was refused), …
 */
export class TlsError extends SocketError {
  /** What OpenSSL says, in its words; `undefined` where it was not asked. */
  declare readonly reason?: string;
  /** The name of the alert that the peer sent (RFC 8446, 6), such as `'unknown_ca'`. */
  declare readonly alert?: string;

  constructor(
    message: string,
    details: SocketErrorDetails & { reason?: string | undefined; alert?: string | undefined } = {},
  ) {
    super(message, details);
  }
}
brand(TlsError);

/** The two sides did not agree: `ERR_SOCK_TLS_HANDSHAKE`. */
export class TlsHandshakeError extends TlsError {}
brand(TlsHandshakeError);

/** The peer's certificate was refused: `ERR_SOCK_TLS_VERIFY`. */
export class TlsVerifyError extends TlsError {
  /** The number of the problem, X509_V_ERR_* of OpenSSL's x509_vfy.h. */
  readonly verifyCode: number;
  /** What it is, in OpenSSL's words: `'certificate has expired'`. */
  readonly problem: string;
  /** Its name, the one that `node:tls` has as `code`: `'CERT_HAS_EXPIRED'`. */
  readonly problemName: string;

  constructor(
    message: string,
    details: SocketErrorDetails & {
      reason?: string;
      verifyCode: number;
      problem: string;
      problemName: string;
    },
  ) {
    const { verifyCode, problem, problemName, ...rest } = details;
    super(message, rest);
    this.verifyCode = verifyCode;
    this.problem = problem;
    this.problemName = problemName;
  }
}
brand(TlsVerifyError);

/**
 * What came was not TLS as it has to be (`ERR_SOCK_TLS_PROTOCOL`), or the connection ended without
 * the peer's word that this was all (`ERR_SOCK_TLS_TRUNCATED`), so that something may be missing.
 */
export class TlsProtocolError extends TlsError {}
brand(TlsProtocolError);

/** The peer could not be told of the end: `ERR_SOCK_TLS_SHUTDOWN`. */
export class TlsShutdownError extends TlsError {}
brand(TlsShutdownError);

/** The time that the caller allowed is over. The kernel's own ETIMEDOUT is not this class. */
export class TimeoutError extends SocketError {
  /** The limit that was set, in milliseconds. */
  readonly timeout: number;

  constructor(operation: string, timeout: number, details: SocketErrorDetails = {}) {
    super(`${operation} timed out after ${timeout} ms`, { code: 'ERR_SOCK_TIMEOUT', ...details });
    this.timeout = timeout;
  }
}
brand(TimeoutError);

/**
 * An arena could not give memory: `ERR_SOCK_CLOSED` (disposed), `ENOMEM` (there is none), or
 * `ERR_SOCK_BUFFER_DETACHED` (what lives in it was released).
 */
export class ArenaError extends SocketError {}
brand(ArenaError);

/**
 * A rate limiter is closed (`ERR_SOCK_CLOSED`), or can no longer hold as many tokens as were waited
 * for (`ERR_SOCK_RATE_LIMIT`).
 */
export class RateLimitError extends SocketError {}
brand(RateLimitError);

/** Rejects an aborted operation, in the shape of Node's own. */
export class AbortError extends Error {
  /** As in Node's own. */
  readonly code = 'ABORT_ERR';
  /** For sends: bytes the kernel had taken before the abort. */
  declare readonly bytesTransferred?: number;
  /** For connects under way: where to. */
  declare readonly address?: string;
  /** The port that goes with `address`. */
  declare readonly port?: number;
  /** For connects under way to a Unix socket: where to. */
  declare readonly path?: string;

  constructor(
    signal: AbortSignal,
    bytesTransferred?: number,
    target: Pick<SocketErrorDetails, 'address' | 'port' | 'path'> = {},
  ) {
    super('The operation was aborted', { cause: signal.reason });
    for (const [key, value] of Object.entries({ bytesTransferred, ...target })) {
      if (value !== undefined) Object.defineProperty(this, key, { value, enumerable: true });
    }
  }
}
Object.defineProperty(AbortError.prototype, 'name', { value: 'AbortError' });

const closedCodes = new Set(['ECONNRESET', 'EPIPE']);

/** @internal The error for a negative errno: the one place where numbers become classes. */
export function systemError(errno: number, details: SocketErrorDetails): SocketError {
  const code = getSystemErrorName(errno);
  const message = describeError(code, errno, details);
  const all = { ...details, code, errno };
  if (closedCodes.has(code)) return new SocketClosedError(message, all);
  if (details.path !== undefined) return new UnixSocketError(message, all);
  return new SocketError(message, all);
}

export function closedError(bytesTransferred?: number): SocketClosedError {
  return new SocketClosedError('the socket is closed', {
    code: 'ERR_SOCK_CLOSED',
    bytesTransferred,
  });
}

export function endOfStreamError(partial?: Buffer): SocketClosedError {
  return new SocketClosedError('the peer has ended the stream', { code: 'ERR_SOCK_EOF', partial });
}

export function busyError(operation: string, waiting: string): SocketError {
  return new SocketError(`${operation} is not possible while ${waiting} waits`, {
    code: 'ERR_SOCK_BUSY',
  });
}

export function lentError(operation: string): SocketError {
  return busyError(operation, 'a request of an AsyncIO');
}

export function detachedError(bytesTransferred?: number): SocketError {
  return new SocketError('the buffer was detached or shrunk while the operation waited', {
    code: 'ERR_SOCK_BUFFER_DETACHED',
    bytesTransferred,
  });
}
