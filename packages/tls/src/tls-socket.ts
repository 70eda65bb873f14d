/**
 * TLS over a connected socket.
 *
 * Theory of operation. The addon puts its engine between the socket's descriptor and the verbs of a
 * stream: what it receives for us are decrypted bytes, and what it sends are records. So the verbs
 * are those of every stream, and a message costs one crossing each way, as without TLS. What the
 * kernel does not take of a record is held by the engine, and a send is done only when it is gone.
 */
import type { X509Certificate } from 'node:crypto';
import { types } from 'node:util';
import {
  FileStream,
  monotonicMs,
  type OperationOptions,
  type Pollable,
  type PollWatcher,
  Socket,
  type SocketError,
  type SyncOptions,
  systemError,
  TlsError,
} from '@sock/core';
import {
  binding,
  checkOptions,
  Errno,
  Flag,
  invalidType,
  invalidValue,
  type Limits,
  LineLevel,
  PollIn,
  PollOut,
} from '@sock/native';
import { TlsHandshakeState } from './constants.js';
import { type Callbacks, consult, judge, mustBeDone } from './consultation.js';
import { checkContext, TlsContext } from './context.js';
import { type Agreed, tellDone, tellFailed, tellLine } from './diagnostics.js';
import { explain } from './failure.js';
import { Handshake } from './handshake.js';
import { type CheckedHostname, checkHostname } from './hostname.js';
import { type OcspStatus, ocspStatuses } from './ocsp.js';

/** SHUT_RD of shutdown(2). */
const readDirection = 0;
/** SHUT_WR of shutdown(2). */
const writeDirection = 1;

/** Options of {@link TlsSocket.enable}. */
export interface TlsSocketOptions {
  /** As for {@link TlsSocket.setHostname}. */
  hostname?: string | undefined;
  /**
   * With `hostname`: the {@link TlsSocket.session} of an earlier connection to that name, made
   * under the same authorities, revocations and mode of verification, to go on with if the server
   * will. Default: one that the context has kept, if any.
   */
  session?: Uint8Array | undefined;
}

/**
 * A connection over which TLS is spoken: a stream like the socket below it, with the same verbs and
 * the same promises.
 *
 * The bytes of the socket below are records from now on, so its own verbs throw `TlsError`
 * (`ERR_SOCK_TLS_ACTIVE`); its options, addresses and figures stay what they were. Closing either
 * closes both.
 *
 * Where the two differ from a plain socket:
 * - The end is the peer's word for it (close_notify, RFC 8446, 6.1). A connection that ends
 *   without rejects with `TlsProtocolError` (`ERR_SOCK_TLS_TRUNCATED`): something may be missing.
 * - A `trySend` may leave records, at most 64 KiB, with this process until the kernel has room;
 *   256 KiB if the kernel just then runs short of memory for sockets. `sendAll` and its siblings
 *   wait for that.
 * - `close()` tells the peer that this was all, unless sends were waiting or bytes were unread:
 *   then the connection breaks, as TCP's does. `bytesTransferred` of a send that it cut short may
 *   count up to 64 KiB of records that have not left.
 * - Descriptors and credentials cannot be sent.
 *
 * @example
 * ```ts
 * const socket = await connect({ host: 'example.org', port: 443 });
 * const tls = TlsSocket.enable(socket, TlsContext.client(), { hostname: 'example.org' });
 * await tls.handshake();
 * await tls.sendAll('GET / HTTP/1.0\r\nhost: example.org\r\n\r\n');
 * ```
 */
export class TlsSocket extends FileStream implements Pollable {
  /** The socket below. */
  readonly socket: Socket;
  private readonly context: TlsContext;
  private readonly callbacks: Callbacks | null;
  private failure: unknown = null;
  private state: TlsHandshakeState = TlsHandshakeState.NotStarted;
  private pending: Handshake | null = null;
  /** For clients: the name and port of the peer, once that was set. */
  private server: string | null = null;
  private startMs = 0;

  private constructor(socket: Socket, context: TlsContext) {
    const { handle, callbacks } = context;
    const endpoint = socket.yieldable();
    super(endpoint.slot, endpoint.generation, endpoint);
    this.socket = socket;
    this.context = context;
    this.callbacks = callbacks;
    endpoint.explain = explain;
    const early = socket.yieldTo(this);
    const result = binding.tlsEnable(endpoint.slot, endpoint.generation, handle, early);
    if (result < 0) {
      socket.close();
      throw systemError(result, { syscall: 'SSL_new' });
    }
  }

  /**
   * Puts TLS over a connected socket; nothing is sent yet. The role is the context's.
   *
   * @param socket A connected stream socket, of which no receive waits. Bytes that were received
   * and put back count as the first of the peer's records.
   * @param context What the connection is made with, now and for good.
   * @param options `hostname` and `session`, for clients.
   * @throws `SocketError`: `ENOTCONN`, `ERR_SOCK_BUSY`, `ERR_SOCK_CLOSED`; `ERR_SOCK_TLS_ACTIVE`
   * when there is TLS over it already. TypeError, RangeError when an argument is wrong.
   */
  static enable(socket: Socket, context: TlsContext, options?: TlsSocketOptions): TlsSocket {
    if (!(socket instanceof Socket)) throw invalidType('socket', 'a Socket of @sock/core', socket);
    if (socket.type !== 'stream') throw invalidType('socket', 'a stream socket', socket);
    if (!(context instanceof TlsContext)) throw invalidType('context', 'a TlsContext', context);
    const { hostname, session } = checkOptions<TlsSocketOptions>(options, ['hostname', 'session']);
    if (session !== undefined) {
      if (!types.isUint8Array(session)) {
        throw invalidType('options.session', 'a Uint8Array', session);
      }
      if (hostname === undefined) {
        throw invalidType('options.hostname', 'given with a session', hostname);
      }
    }
    if (hostname === undefined) return new TlsSocket(socket, context);
    checkContext('context', context, false);
    const checked = checkHostname('options.hostname', hostname);
    const made = new TlsSocket(socket, context);
    try {
      made.nameServer(checked);
      made.offerSession(session);
    } catch (error) {
      made.close();
      throw error;
    }
    return made;
  }

  /**
   * For clients, before the handshake: whom the certificate of the server has to be for.
   *
   * @param name A host name, which is also told to the server (SNI), or an address. Labels have
   * letters, digits and hyphens; others are written in their ASCII form (IDNA).
   * @throws `TlsError` (`ERR_SOCK_TLS_ACTIVE`) once the handshake has begun; TypeError.
   */
  setHostname(name: string): void {
    checkContext('the role of this socket', this.context, false);
    const checked = checkHostname('name', name);
    if (this.endpoint.closed) throw this.unready();
    if (this.state !== TlsHandshakeState.NotStarted) {
      const message = 'the handshake has begun';
      throw new TlsError(message, { code: 'ERR_SOCK_TLS_ACTIVE' });
    }
    this.nameServer(checked);
  }

  /**
   * Agrees with the peer on keys, and verifies its certificate.
   *
   * @param options `timeout` (ms, default none) and `signal`. After either the connection is of no
   * more use than for closing.
   * @returns Resolves when bytes can be sent and received; at once when they can already.
   *
   * Rejects with `TlsVerifyError`, `TlsHandshakeError`, `TlsProtocolError`
   * (`ERR_SOCK_TLS_TRUNCATED`), `SocketClosedError`, `TimeoutError`, `AbortError`; with `TlsError`
   * (`ERR_SOCK_TLS_HOSTNAME`) when the server is to be verified and no host name was set; with
   * `ERR_SOCK_BUSY` while another handshake of this socket waits.
   */
  handshake(options?: OperationOptions): Promise<void> {
    const limits = this.limitsOf(options, this.limits);
    if (limits.signal?.aborted) return this.refusal(limits) ?? Promise.resolve();
    try {
      if (this.isHandshakeOver()) return Promise.resolve();
    } catch (error) {
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => this.shakeHands(limits, resolve, reject));
  }

  /** @internal The first {@link handshake}, for a listener: calls one of both, once, or at once. */
  shakeHands(limits: Limits, done: () => void, failed: (error: unknown) => void): void {
    this.begin();
    this.state = TlsHandshakeState.InProgress;
    this.pending = new Handshake(this.endpoint, done, failed, this);
    this.pending.begin(limits);
  }

  /**
   * Blocks this thread's event loop: {@link handshake}, waiting up to `timeout` (ms, default none).
   * Throws what that rejects with, and `TlsError` (`ERR_SOCK_TLS_ASYNC`) when a callback of the
   * context gives a promise, which is a failure of the handshake.
   */
  handshakeSync(options?: SyncOptions): void {
    const patience = this.patienceOf(options);
    for (;;) {
      const state = this.tryHandshake();
      if (state === TlsHandshakeState.Complete) return;
      const isHeld = state === TlsHandshakeState.WantWrite;
      patience.wait(this.endpoint, isHeld ? PollIn | PollOut : PollIn, 'handshake');
    }
  }

  /**
   * One step, without waiting. Throws what {@link handshakeSync} does.
   *
   * @returns `Complete`, or what to poll for before the next step: `WantRead`, `WantWrite`.
   */
  tryHandshake(): TlsHandshakeState {
    if (this.isHandshakeOver()) return this.state;
    const { slot, generation } = this.endpoint;
    this.begin();
    let result = binding.tlsHandshake(slot, generation, false);
    if (result === -Errno.ENOMSG) {
      this.failBy(() => mustBeDone(this.consult()));
      result = binding.tlsHandshake(slot, generation, false);
    }
    if (result === 0) {
      this.failBy(() => mustBeDone(this.judge()));
      this.complete();
    } else if (result === -Errno.EAGAIN) {
      const isHeld = this.endpoint.has(Flag.Held);
      this.state = isHeld ? TlsHandshakeState.WantWrite : TlsHandshakeState.WantRead;
    } else {
      const error = this.errorFor(result);
      this.fail(error);
      throw error;
    }
    return this.state;
  }

  /**
   * True when a receive would bring something that is here already, though the kernel has nothing
   * more: bytes that were decrypted with others, or that a reader gave up on.
   */
  pendingRead(): boolean {
    return this.ready && this.endpoint.hasUnread;
  }

  /**
   * @internal For pools: whether the peer has ended the stream, by its word or by breaking off.
   * What has come before that stays to be received.
   */
  hasEnded(): boolean {
    try {
      const chunk = this.tryRecv();
      if (chunk !== null) this.receiving().putBack(chunk);
      return false;
    } catch (error) {
      return (error as SocketError).code !== 'ERR_SOCK_BUSY';
    }
  }

  /** For polls, as the method of `Socket`. */
  joinPoll(watcher: PollWatcher): () => void {
    return this.socket.joinPoll(watcher);
  }

  /** How far the handshake is. */
  get handshakeState(): TlsHandshakeState {
    return this.state;
  }

  /** Whether bytes can be sent and received. */
  get isConnected(): boolean {
    return this.ready && this.socket.isConnected;
  }

  /** `'TLSv1.3'` or `'TLSv1.2'`; undefined before the handshake is done, and once closed. */
  get version(): string | undefined {
    return this.told()?.[0] || undefined;
  }

  /** OpenSSL's name of it, as `'TLS_AES_256_GCM_SHA384'`; undefined as for {@link version}. */
  get cipher(): string | undefined {
    return this.told()?.[1] || undefined;
  }

  /** What both sides chose of the protocols offered (RFC 7301); undefined: nothing. */
  get alpnProtocol(): string | undefined {
    return this.told()?.[2] || undefined;
  }

  /** Whether keys of an earlier connection were used again, so that no certificate was sent. */
  get isSessionReused(): boolean {
    return this.state === TlsHandshakeState.Complete && this.isResumed();
  }

  /** X509_V_* of OpenSSL: 0 when nothing is wrong with the peer's certificate, or none was sent. */
  get verifyResult(): number | undefined {
    return this.told()?.[3];
  }

  /**
   * For clients whose context asks for it (`requestOcsp`): what the server has shown of its
   * authority's word on its certificate; also after a handshake that has failed. Undefined before
   * the handshake is over, and once closed.
   */
  get ocspStatus(): OcspStatus | undefined {
    const { Complete, Error: Failed } = TlsHandshakeState;
    const isOver = this.state === Complete || this.state === Failed;
    if (this.endpoint.closed || !isOver || !this.context.requestsStatus) return undefined;
    const { slot, generation } = this.endpoint;
    return ocspStatuses[binding.tlsOcspStatus(slot, generation)];
  }

  /**
   * For clients: what a later connection to the same host can go on with, as bytes for this
   * package; undefined until the server has given something, with TLS 1.3 when it first sends. It
   * holds secrets.
   */
  get session(): Buffer | undefined {
    if (this.told() === undefined || this.context.isServer) return undefined;
    const der = binding.tlsSession(this.endpoint.slot, this.endpoint.generation);
    return der === undefined ? undefined : Buffer.from(der);
  }

  /** The peer's certificate; undefined where it sent none, and as for {@link version}. */
  get peerCertificate(): X509Certificate | undefined {
    const { slot, generation } = this.endpoint;
    const der = binding.tlsPeerCertificate(slot, generation);
    if (der === undefined) return undefined;
    const { X509Certificate: Certificate } = require('node:crypto') as typeof import('node:crypto');
    return new Certificate(Buffer.from(der));
  }

  /** The peer's address, as the socket below tells it. */
  get remoteAddress(): string | undefined {
    return this.socket.remoteAddress;
  }

  /** The peer's port, as the socket below tells it. */
  get remotePort(): number | undefined {
    return this.socket.remotePort;
  }

  /** Bytes received from the kernel, as the socket below counts them: those of the records. */
  get bytesRead(): number {
    return this.socket.bytesRead;
  }

  /** Bytes that the kernel took, likewise. */
  get bytesWritten(): number {
    return this.socket.bytesWritten;
  }

  /** This side's address, as the socket below tells it. */
  get localAddress(): string | undefined {
    return this.socket.localAddress;
  }

  /** This side's port, as the socket below tells it. */
  get localPort(): number | undefined {
    return this.socket.localPort;
  }

  /**
   * Closes both at once. What waits is rejected with `ERR_SOCK_CLOSED`. The peer is told that this
   * was all, unless sends were waiting or bytes were unread: then it learns that something is
   * missing. Again: does nothing. To be sure that the peer has everything, use {@link end}.
   */
  close(): void {
    this.socket.close();
  }

  /** @internal */
  protected override get canReset(): boolean {
    return true;
  }

  /** @internal */
  protected override unready(): SocketError {
    if (this.endpoint.closed || this.isTaken) return super.unready();
    return new TlsError('the handshake is not done', { code: 'ERR_SOCK_TLS_HANDSHAKE_NEEDED' });
  }

  /** @internal The peer hears of the end in TLS's own words; the descriptor goes on both ways. */
  protected override shutDown(direction: number): number {
    if (direction !== writeDirection) this.receiving().endHere();
    if (direction === readDirection) return 0;
    return binding.tlsShutdown(this.endpoint.slot, this.endpoint.generation);
  }

  /** True when it is done; throws when it cannot go on. */
  private isHandshakeOver(): boolean {
    if (this.endpoint.closed) throw this.unready();
    if (this.state === TlsHandshakeState.Complete) return true;
    if (this.state === TlsHandshakeState.Error) throw this.failure;
    if (this.pending !== null) {
      throw new TlsError('a handshake of this socket waits', { code: 'ERR_SOCK_BUSY' });
    }
    if (!this.context.isServer && this.context.verifies && this.server === null) {
      const message = 'the server is to be verified, and no host name was set that it has to be';
      throw new TlsError(message, { code: 'ERR_SOCK_TLS_HOSTNAME' });
    }
    return false;
  }

  private nameServer({ name, isAddress }: CheckedHostname): void {
    const { slot, generation } = this.endpoint;
    const result = binding.tlsSetHostname(slot, generation, name, isAddress);
    if (result < 0) throw systemError(result, { syscall: 'SSL_set1_host' });
    this.server = `${name} ${this.remotePort ?? ''}`;
  }

  private offerSession(given: Uint8Array | undefined): void {
    const session = given ?? this.context.takeSession(this.server ?? '');
    if (session === undefined) return;
    const { slot, generation } = this.endpoint;
    if (binding.tlsSetSession(slot, generation, session) < 0 && given !== undefined) {
      throw invalidValue(
        'options.session',
        'must be a session with this host, made under the same terms',
        '(a secret)',
      );
    }
  }

  private begin(): void {
    if (this.state === TlsHandshakeState.NotStarted) this.startMs = monotonicMs();
  }

  /** @internal For the handshake. */
  consult(): Promise<void> | undefined {
    return this.callbacks === null ? undefined : consult(this.endpoint, this.callbacks);
  }

  /**
   * @internal For the handshake. A session that is resumed stands for an earlier verdict of the
   * client; a server asks again.
   */
  judge(): Promise<void> | undefined {
    const verify = this.callbacks?.verify ?? null;
    if (verify === null || (!this.context.isServer && this.isResumed())) return undefined;
    const state = binding.tlsState(this.endpoint.slot, this.endpoint.generation);
    if (typeof state === 'number') return undefined;
    const [, , , verifyCode] = state;
    return judge(this.endpoint, verify, verifyCode, this);
  }

  private failBy(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  /** What the addon has kept of secrets goes to whoever wants them. */
  private tellSecrets(): void {
    const keyLog = this.callbacks?.keyLog ?? null;
    if (keyLog === null || this.endpoint.closed) return;
    const lines = binding.tlsSecrets(this.endpoint.slot, this.endpoint.generation);
    if (typeof lines === 'number') return;
    for (const line of lines) {
      try {
        keyLog(line, this);
      } catch (error) {
        tellLine(LineLevel.Warn, () => 'a key log callback failed', error);
      }
    }
  }

  /** @internal For the handshake. */
  complete(): void {
    this.state = TlsHandshakeState.Complete;
    this.pending = null;
    this.ready = true;
    this.tellSecrets();
    // Whoever was told the secrets may have closed it.
    if (this.endpoint.closed) return;
    const resumed = binding.tlsComplete(this.endpoint.slot, this.endpoint.generation) === 1;
    this.context.noteHandshake(resumed);
    tellDone(resumed, this.context.isServer, this.startMs, () => this.agreed());
  }

  /** @internal For the handshake. */
  fail(error: unknown): void {
    this.state = TlsHandshakeState.Error;
    this.pending = null;
    this.failure = error;
    this.tellSecrets();
    tellFailed(error, this.context.isServer, this.startMs);
  }

  /** @internal For the handshake. */
  errorFor(errno: number): Error {
    const details = { syscall: 'handshake' };
    return explain.call(this.endpoint, errno, details) ?? systemError(errno, details);
  }

  /** Of the engine, which knows before the peer is judged; false once closed. */
  private isResumed(): boolean {
    return binding.tlsResumed(this.endpoint.slot, this.endpoint.generation) === 1;
  }

  private agreed(): Agreed {
    const [version, cipher, protocol] = this.told() ?? [];
    return { version, cipher, alpn: protocol || undefined };
  }

  private told(): [string, string, string, number] | undefined {
    if (this.endpoint.closed || this.state !== TlsHandshakeState.Complete) return undefined;
    const state = binding.tlsState(this.endpoint.slot, this.endpoint.generation);
    return typeof state === 'number' ? undefined : state;
  }

  /** @internal For the socket below. */
  takenError(): SocketError {
    const message = 'the bytes of this socket are those of TLS: use its TlsSocket';
    return new TlsError(message, { code: 'ERR_SOCK_TLS_ACTIVE' });
  }

  /** @internal For the socket below. */
  onClosing(): void {
    this.pending?.close();
    if (!this.ready && !this.isTaken) return;
    const { slot, generation } = this.endpoint;
    const isSaid = this.sender?.flushAll() ?? true;
    const isHeard = this.receiver?.holdsBytes !== true && binding.tlsSettle(slot, generation) === 0;
    const session = this.context.keepsSessions ? this.session : undefined;
    if (session !== undefined) this.context.keepSession(this.server ?? '', session);
    if (isSaid && isHeard) binding.tlsShutdown(slot, generation);
    // The kernel would do so by itself if the engine had not received those bytes from it.
    else if (!isHeard) binding.disconnect(slot, generation);
    this.ready = false;
    this.sender?.close();
  }

  /** @internal For the socket below. */
  onClosed(): void {
    this.receiver?.close();
  }
}
