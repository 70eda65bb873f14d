/** What connections are made with: certificates, trust, versions. */
import { randomBytes, randomUUID } from 'node:crypto';
import { types } from 'node:util';
import { SocketClosedError } from '@sock/core';
import {
  checkArray,
  checkBoolean,
  checkInteger,
  checkObject,
  checkOneOf,
  checkOptions,
  invalidType,
  invalidValue,
  type TlsContextHandle,
} from '@sock/native';
import { TlsVerifyMode, type TlsVersion } from './constants.js';
import type {
  Callbacks,
  TlsAlpnCallback,
  TlsKeyLogCallback,
  TlsVerifyCallback,
} from './consultation.js';
import type {
  OcspRequestOptions,
  SessionCacheOptions,
  SessionCacheStats,
  TlsCertificate,
  TlsContextOptions,
  TlsContextShare,
  TlsCrlOptions,
} from './context-options.js';
import { checkCertificateName } from './hostname.js';
import { checkCertificate, checkOcspResponse, readIdentity } from './identity.js';
import { type OcspCallback, OcspSource } from './ocsp.js';
import type { PemSource } from './pem.js';
import { Sessions } from './sessions.js';
import {
  certificateFor,
  initialSettings,
  makeContext,
  readSeveral,
  type Settings,
  sessionTimeoutDefaultMs,
  versions,
} from './settings.js';

const versionNames = ['TLSv1.2', 'TLSv1.3'] as const;
const namedCertificatesMax = 100;
const protocolsMax = 16;
const protocolBytesMax = 255;
const sizeMax = 2 ** 31 - 1;
const sessionsDefault = 1_000;
/** RFC 8446, 4.6.1: seven days. */
const sessionTimeoutMaxMs = 604_800_000;
const ticketKeyBytes = 80;
const verifyModeAll =
  TlsVerifyMode.Peer | TlsVerifyMode.FailIfNoPeerCert | TlsVerifyMode.ClientOnce;

interface Shared extends TlsContextShare {
  readonly settings: Settings;
}

/**
 * Certificates, trust and versions, for any number of connections.
 *
 * TLS 1.3 only, unless {@link setMinProtocol} says otherwise; no keys, curves or signatures below
 * 112 bits (OpenSSL's security level 2); no compression and no renegotiation. A client verifies its
 * server, by the system's authorities unless it is given others: what `SSL_CERT_FILE` and
 * `SSL_CERT_DIR` name, else the bundle of the system, else those that Node carries, and
 * `NODE_EXTRA_CA_CERTS` besides. A server asks nobody for a certificate until
 * {@link setVerifyMode}.
 *
 * Every setter counts for connections that begin afterwards, on a listening server too; those that
 * are there keep what they have. A setter that is refused changes nothing: it throws `TlsError`
 * (`ERR_SOCK_TLS_SETTING`, with OpenSSL's `reason`), a TypeError or RangeError for a wrong
 * argument, the error of the file system for a path, or `ERR_SOCK_CLOSED` after {@link close}.
 *
 * @example
 * ```ts
 * const context = TlsContext.server({ cert: 'server.pem', key: 'server.key' });
 * context.setAlpnProtocols(['h2', 'http/1.1']);
 * ```
 */
export class TlsContext {
  /** Whether it is for the side that accepts. */
  readonly isServer: boolean;
  private settings: Settings;
  private made: TlsContextHandle | null;
  /** Of clients, by host and port, the oldest first; null: none are kept. */
  private sessions: Sessions | null = null;
  private counts: { hits: number; misses: number; stores: number } | null = null;

  /**
   * A context as another thread has shared it, which goes its own way from then on.
   *
   * @param share What `share()` made, posted or as `workerData`.
   */
  static from(share: TlsContextShare): TlsContext {
    const { isServer, settings } = checkObject<Shared>('share', share);
    if (typeof isServer !== 'boolean' || typeof settings !== 'object') {
      throw invalidType('share', 'what TlsContext.share() makes', share);
    }
    return new TlsContext(isServer, settings);
  }

  private constructor(isServer: boolean, settings: Settings) {
    this.isServer = isServer;
    this.settings = settings;
    this.made = makeContext(isServer, settings);
  }

  /**
   * For the side that accepts.
   *
   * @param options `cert` and `key`; they may be left out if {@link addCertificate} brings others.
   * `ca` has the authorities of client certificates, which are asked for once {@link setVerifyMode}
   * says so.
   */
  static server(options?: TlsContextOptions): TlsContext {
    return new TlsContext(true, initialSettings(options, TlsVerifyMode.None, []));
  }

  /**
   * For the side that connects.
   *
   * @param options `ca`, else the system's; `cert` and `key` where the server asks for them.
   */
  static client(options?: TlsContextOptions): TlsContext {
    return new TlsContext(false, initialSettings(options, TlsVerifyMode.Peer, null));
  }

  /**
   * Another certificate in place of the one for every name.
   *
   * @param cert The certificate with its chain.
   * @param key Its private key.
   * @param passphrase What the key is encrypted with; default: it is not.
   */
  loadCertificate(cert: PemSource, key: PemSource, passphrase?: string): void {
    this.change({ identity: readIdentity({ cert, key, passphrase }, '') });
  }

  /**
   * {@link loadCertificate} from one file.
   *
   * @param pkcs12 A PKCS#12 file (RFC 7292): its bytes, or its path. One that is encrypted with
   * RC2, as many did once, needs OpenSSL's legacy provider.
   * @param passphrase What it is encrypted with; default: the empty one.
   */
  loadPkcs12(pkcs12: Uint8Array | string, passphrase?: string): void {
    this.change({ identity: readIdentity({ pkcs12, passphrase }, '') });
  }

  /**
   * For servers: a certificate for one name that clients ask for (SNI, RFC 6066). The same name
   * again replaces it. Who asks for no name, or for one that has none, gets the one for every name.
   *
   * @param hostname In any case; `*.` in front stands for one label.
   * @param certificate The certificate and its key; `null` takes the name away. At most 100 names.
   */
  addCertificate(hostname: string, certificate: TlsCertificate | null): void {
    if (!this.isServer) throw new TypeError('addCertificate is for servers');
    const name = checkCertificateName('hostname', hostname);
    const named = new Map(this.settings.named);
    if (certificate === null) {
      named.delete(name);
    } else {
      const checked = checkObject<TlsCertificate>('certificate', certificate);
      named.set(name, readIdentity(checkCertificate(checked, 'certificate.'), 'certificate.'));
    }
    checkInteger('the count of names', named.size, 0, namedCertificatesMax);
    this.change({ named });
  }

  /** Trusts these authorities, one or several, in place of those before. */
  loadCa(ca: PemSource | readonly PemSource[]): void {
    this.change({ authorities: readSeveral('ca', ca) });
  }

  /**
   * Refuses certificates that an authority has revoked (RFC 5280, 5): adds these lists to those
   * that are there. From the first on, an authority without a list is an error
   * (`UNABLE_TO_GET_CRL`), and so is a list that has expired (`CRL_HAS_EXPIRED`).
   *
   * @param crl One or several lists: PEM text, the bytes of it, or paths.
   * @param options Which certificates are looked up; counts for all lists.
   */
  loadCrl(crl: PemSource | readonly PemSource[], options?: TlsCrlOptions): void {
    const added = readSeveral('crl', crl);
    this.setRevocations([...this.settings.revocations, ...added], options);
  }

  /** {@link loadCrl}, in place of all lists that are there; an empty array ends the look-up. */
  refreshCrl(crl: PemSource | readonly PemSource[], options?: TlsCrlOptions): void {
    this.setRevocations(readSeveral('crl', crl), options);
  }

  /**
   * Whether the peer's certificate is looked at.
   *
   * @param mode Values of {@link TlsVerifyMode}, joined with `|`. Clients have `None` and `Peer`.
   * Default `Peer` for clients, `None` for servers.
   */
  setVerifyMode(mode: number): void {
    checkInteger('mode', mode, 0, this.isServer ? verifyModeAll : TlsVerifyMode.Peer);
    this.change({ verifyMode: mode });
  }

  /** The oldest version to take; default `'TLSv1.3'`. */
  setMinProtocol(version: TlsVersion): void {
    const minVersion = checkOneOf('version', version, versionNames);
    if (versions[minVersion] > versions[this.settings.maxVersion]) {
      throw invalidValue('version', `must not be above ${this.settings.maxVersion}`, version);
    }
    this.change({ minVersion });
  }

  /** The newest version to take; default `'TLSv1.3'`. */
  setMaxProtocol(version: TlsVersion): void {
    const maxVersion = checkOneOf('version', version, versionNames);
    if (versions[maxVersion] < versions[this.settings.minVersion]) {
      throw invalidValue('version', `must not be below ${this.settings.minVersion}`, version);
    }
    this.change({ maxVersion });
  }

  /**
   * The ciphers of TLS 1.2, in OpenSSL's language; those of 1.3 have a setter of their own.
   *
   * @param list Default: ECDHE and DHE with AES-GCM and ChaCha20-Poly1305.
   * @see openssl-ciphers(1)
   */
  setCiphers(list: string): void {
    this.change({ ciphers: checkList('list', list) });
  }

  /**
   * The cipher suites of TLS 1.3, separated by `:`, the best first.
   *
   * @param list Default: AES-256-GCM, ChaCha20-Poly1305, AES-128-GCM.
   */
  setCipherSuites(list: string): void {
    this.change({ cipherSuites: checkList('list', list) });
  }

  /**
   * The protocols that may be spoken over it (ALPN, RFC 7301), the best first. A client offers
   * them; a server takes the first of its own that the client offers, and refuses a client that
   * offers others only, with the alert `no_application_protocol`.
   *
   * @param protocols At most 16, each of 1 to 255 bytes; none: nothing is offered, or chosen.
   */
  setAlpnProtocols(protocols: readonly string[]): void {
    this.change({ protocols: toWire(protocols) });
  }

  /**
   * For clients: keeps the sessions that servers give, and goes on with them in later connections
   * to the same host and port, each once, which spares certificates and their verification. For
   * servers, which give sessions out in any case, as tickets: for how long, and statistics. Any
   * other setter forgets what a client has kept, since it was agreed under other terms.
   *
   * @param options `size` and `timeout`.
   */
  enableSessionCache(options?: SessionCacheOptions): void {
    const checked = checkOptions<SessionCacheOptions>(options, ['size', 'timeout']);
    const size = checkInteger('options.size', checked.size ?? sessionsDefault, 1, sizeMax);
    const timeout = checked.timeout ?? sessionTimeoutDefaultMs;
    checkInteger('options.timeout', Math.ceil(timeout), 1_000, sessionTimeoutMaxMs);
    this.change({ sessionTimeoutMs: timeout });
    if (!this.isServer) this.sessions = new Sessions(size, timeout);
    this.counts = { hits: 0, misses: 0, stores: 0 };
  }

  /**
   * For clients whose sessions are kept: how many.
   *
   * @param size 1 to 2^31−1. The oldest beyond it are forgotten.
   */
  setSessionCacheSize(size: number): void {
    checkInteger('size', size, 1, sizeMax);
    if (this.sessions === null) throw new TypeError('no sessions are kept by this context');
    this.sessions.setSize(size);
  }

  /** Since {@link enableSessionCache}; zeros before. */
  get cacheStats(): SessionCacheStats {
    return Object.freeze({ hits: 0, misses: 0, stores: 0, ...this.counts });
  }

  /**
   * For servers: the key that tickets are sealed with, so that others with the same key take them:
   * other threads, other hosts, this one after a restart. The key before it is still taken, and
   * answered with a new ticket, so replace it regularly: whoever gets hold of a key can read what
   * was sent under its tickets with TLS 1.2.
   *
   * @param key 80 random bytes: a name of 16, and two secrets of 32.
   * @see RFC 5077, 4
   */
  enableSessionTickets(key: Uint8Array): void {
    if (!this.isServer) throw new TypeError('enableSessionTickets is for servers');
    if (!types.isUint8Array(key)) throw invalidType('key', 'a Uint8Array', key);
    if (key.length !== ticketKeyBytes) {
      const problem = `must have ${ticketKeyBytes} bytes, not ${key.length}`;
      throw invalidValue('key', problem, '(a secret)');
    }
    const before = this.settings.ticketKeys.subarray(0, ticketKeyBytes);
    this.change({ ticketKeys: Buffer.concat([key, before]) });
    before.fill(0);
  }

  /**
   * For servers: shows clients that ask for it what the authority says of the certificate for every
   * name (OCSP stapling, RFC 6066, 8). It is for that certificate, so {@link loadCertificate} takes
   * it away. Those of other names have an `ocspResponse` of their own.
   *
   * @param response A successful response in DER, at most 65,536 bytes; null: none any more.
   */
  setOcspResponse(response: Uint8Array | null): void {
    const { identity } = this.settings;
    const staple = checkOcspResponse('response', response);
    if (!this.isServer || identity === null) {
      throw new TypeError('setOcspResponse is for servers with a certificate');
    }
    this.change({ identity: { ...identity, staple } });
  }

  /**
   * For servers: has a callback fetch that response, for each certificate when a handshake first
   * needs it, which waits for it. It is shown for half of the time until its end (a day where it
   * names none), an hour at most, and then asked for again. Where the callback fails, or has none,
   * or one that has ended, it is asked again after 10 seconds; the one before is shown meanwhile,
   * while it holds, else that of {@link setOcspResponse}. `sock:tls:log` hears of failures.
   *
   * @param callback Null: nothing is asked for any more.
   */
  setOcspCallback(callback: OcspCallback | null): void {
    if (!this.isServer) throw new TypeError('setOcspCallback is for servers');
    const checked = checkCallback('callback', callback);
    this.change({ ocsp: checked === null ? null : new OcspSource(checked) });
  }

  /**
   * For clients: asks servers to show what their authority says of their certificate, and checks
   * that in full: the signature, the right of whoever made it, its times, and the certificate that
   * it is about. Where the server is verified, one that shows a response that is not `'good'` is
   * refused, with `TlsVerifyError`: `CERT_REVOKED`, `OCSP_CERT_UNKNOWN`, `OCSP_VERIFY_FAILED`. Else
   * {@link TlsSocket.ocspStatus} tells.
   *
   * @param options Null: asks no more.
   * @see RFC 6960, RFC 6066, 8
   */
  requestOcsp(options: OcspRequestOptions | null = {}): void {
    if (this.isServer) throw new TypeError('requestOcsp is for clients');
    if (options === null) {
      this.change({ requestsStatus: false, requiresStatus: false });
      return;
    }
    const { required = false } = checkOptions<OcspRequestOptions>(options, ['required']);
    const requiresStatus = checkBoolean('options.required', required);
    this.change({ requestsStatus: true, requiresStatus });
  }

  /**
   * Gives a callback the last word on certificates of peers, good and bad ones: it is asked when
   * the handshake is over, before the connection is handed out, wherever {@link setVerifyMode} has
   * the peer's certificate looked at, and the peer has one. A server asks again when a session is
   * resumed; a client does not. Whoever is refused sees the connection break.
   *
   * @param callback Null: what is wrong with a certificate is final, as it is by default.
   */
  setVerifyCallback(callback: TlsVerifyCallback | null): void {
    const verify = checkCallback('callback', callback);
    this.change({ verify, terms: verify === null ? '' : randomUUID() });
  }

  /**
   * For servers: has a callback choose what is spoken, in place of {@link setAlpnProtocols}, where
   * the client offers anything. A callback that fails, or chooses what was not offered, has refused
   * the client.
   *
   * @param callback Null: the list counts again.
   */
  setAlpnCallback(callback: TlsAlpnCallback | null): void {
    if (!this.isServer) throw new TypeError('setAlpnCallback is for servers');
    this.change({ alpn: checkCallback('callback', callback) });
  }

  /**
   * Tells the secrets of connections to a callback, for programs that decrypt what was recorded of
   * them, as Wireshark does: once the handshake of each is over. Whoever has them can read all that
   * was sent.
   *
   * @param callback Null: tells nobody.
   */
  setKeyLog(callback: TlsKeyLogCallback | null): void {
    this.change({ keyLog: checkCallback('callback', callback) });
  }

  /**
   * For other threads: all that is set, to be posted to a worker, which makes a context of its own
   * of it by {@link from}. Servers on all of them take each other's session tickets: where no key
   * was set, this sets one. What is set later has to be shared anew.
   *
   * @throws TypeError when a callback is set: functions stay with their thread. Share first, and
   * set them on each.
   */
  share(): TlsContextShare {
    if (this.made === null) throw closedContext();
    if (this.callbacks !== null) throw new TypeError('a context with callbacks cannot be shared');
    if (this.isServer && this.settings.ticketKeys.length === 0) {
      this.enableSessionTickets(randomBytes(ticketKeyBytes));
    }
    const shared: Shared = { isServer: this.isServer, settings: this.settings };
    return structuredClone(shared);
  }

  /** No connection begins with it any more. Those that are there go on. Again: does nothing. */
  close(): void {
    this.made = null;
    this.sessions?.clear();
    this.settings.ticketKeys.fill(0);
  }

  /** {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal Whether the certificate of the peer is looked at. */
  get verifies(): boolean {
    return this.settings.verifyMode !== TlsVerifyMode.None;
  }

  /** @internal Whether servers are asked for a response of their authority. */
  get requestsStatus(): boolean {
    return this.settings.requestsStatus;
  }

  /** @internal What the next connection asks users; null: nothing. */
  get callbacks(): Callbacks | null {
    const { verify, alpn, keyLog, ocsp, named } = this.settings;
    if (verify === null && alpn === null && keyLog === null && ocsp === null) return null;
    return {
      verify: this.verifies ? verify : null,
      alpn,
      keyLog,
      ocsp,
      certificateFor: (hostname) => certificateFor(named, hostname.toLowerCase()),
    };
  }

  /** @internal What the next connection begins with. */
  get handle(): TlsContextHandle {
    if (this.made === null) throw closedContext();
    return this.made;
  }

  private setRevocations(revocations: readonly string[], options?: TlsCrlOptions): void {
    const { leafOnly = this.settings.leafOnly } = checkOptions<TlsCrlOptions>(options, [
      'leafOnly',
    ]);
    this.change({ revocations, leafOnly: checkBoolean('options.leafOnly', leafOnly) });
  }

  /** @internal A session to go on with, which is forgotten. */
  takeSession(server: string): Uint8Array | undefined {
    return this.sessions?.take(server);
  }

  /** @internal Whether sessions that servers give are wanted. */
  get keepsSessions(): boolean {
    return this.sessions !== null;
  }

  /** @internal */
  keepSession(server: string, session: Uint8Array): void {
    if (this.counts !== null) this.counts.stores++;
    this.sessions?.keep(server, session);
  }

  /** @internal A handshake is done. */
  noteHandshake(isResumed: boolean): void {
    if (this.counts === null) return;
    if (isResumed) this.counts.hits++;
    else this.counts.misses++;
    if (this.isServer) this.counts.stores++;
  }

  private change(changes: Partial<Settings>): void {
    if (this.made === null) throw closedContext();
    const settings = { ...this.settings, ...changes };
    this.made = makeContext(this.isServer, settings);
    this.settings = settings;
    this.sessions?.clear();
  }
}

/** For arguments: a context, and of that side. */
export function checkContext(name: string, value: unknown, isServer: boolean): TlsContext {
  if (!(value instanceof TlsContext)) throw invalidType(name, 'a TlsContext', value);
  if (value.isServer !== isServer) {
    throw invalidValue(name, `must be one for ${isServer ? 'servers' : 'clients'}`, value);
  }
  return value;
}

function closedContext(): SocketClosedError {
  return new SocketClosedError('the context is closed', { code: 'ERR_SOCK_CLOSED' });
}

function checkCallback<T>(argument: string, callback: T | null): T | null {
  if (callback === null || typeof callback === 'function') return callback;
  throw invalidType(argument, 'a function, or null', callback);
}

function checkList(argument: string, list: string): string {
  if (typeof list !== 'string') throw invalidType(argument, 'a string', list);
  if (list === '' || list.includes('\0')) {
    throw invalidValue(argument, 'must be names separated by ":"', list);
  }
  return list;
}

function toWire(protocols: readonly string[]): Uint8Array {
  const list = checkArray('protocols', protocols, 'an array of strings');
  checkInteger('protocols.length', list.length, 0, protocolsMax);
  return Buffer.concat(
    list.map((protocol, index) => {
      const argument = `protocols[${index}]`;
      if (typeof protocol !== 'string') throw invalidType(argument, 'a string', protocol);
      const bytes = Buffer.from(protocol);
      if (bytes.length < 1 || bytes.length > protocolBytesMax) {
        throw invalidValue(argument, `must have 1 to ${protocolBytesMax} bytes`, protocol);
      }
      return Buffer.concat([Buffer.from([bytes.length]), bytes]);
    }),
  );
}
