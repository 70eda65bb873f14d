/** What connections are made with: certificates, trust, versions. */
import { types } from 'node:util';
import { SocketClosedError, TlsError } from '@sock/core';
import {
  binding,
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
import { checkCertificateName } from './hostname.js';
import { type PemSource, readPem } from './pem.js';
import { noRoots, systemRoots } from './roots.js';
import { Sessions } from './sessions.js';

const versions: Readonly<Record<TlsVersion, number>> = { 'TLSv1.2': 0x0303, 'TLSv1.3': 0x0304 };
const versionNames = ['TLSv1.2', 'TLSv1.3'] as const;
const namedCertificatesMax = 100;
const protocolsMax = 16;
const protocolBytesMax = 255;
const sizeMax = 2 ** 31 - 1;
const verifyModeAll =
  TlsVerifyMode.Peer | TlsVerifyMode.FailIfNoPeerCert | TlsVerifyMode.ClientOnce;

/** A certificate, the key that belongs to it, and what the key is encrypted with. */
export interface TlsCertificate {
  /** The certificate, and behind it those that lead to one of the peer's authorities. */
  cert: PemSource;
  /** Its private key. */
  key: PemSource;
  /** What the key is encrypted with; default: it is not. */
  passphrase?: string | undefined;
}

/** What a {@link TlsContext} begins with; its setters change it. */
export interface TlsContextOptions {
  /** With `key`: a certificate with its chain. Servers need one. */
  cert?: PemSource | undefined;
  /** The private key of `cert`. */
  key?: PemSource | undefined;
  /** What `key` is encrypted with. */
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

const optionKeys = ['cert', 'key', 'passphrase', 'ca'] as const;

interface Identity {
  readonly chain: string;
  readonly key: string;
  readonly passphrase: string;
}

interface Settings {
  readonly identity: Identity | null;
  readonly named: ReadonlyMap<string, Identity>;
  /** Null: those of the system. */
  readonly authorities: readonly string[] | null;
  /** Lists of revoked certificates. */
  readonly revocations: readonly string[];
  readonly leafOnly: boolean;
  readonly verifyMode: number;
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  readonly ciphers: string;
  readonly cipherSuites: string;
  /** As they go over the wire (RFC 7301, 3.1). */
  readonly protocols: Uint8Array;
  /** One behind the other, the one in use first. */
  readonly ticketKeys: Uint8Array;
  readonly sessionTimeoutMs: number;
}

const nothing = new Uint8Array(0);
const sessionTimeoutDefaultMs = 300_000;
const sessionsDefault = 1_000;
/** RFC 8446, 4.6.1: seven days. */
const sessionTimeoutMaxMs = 604_800_000;
const ticketKeyBytes = 80;

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

  private constructor(isServer: boolean, settings: Settings) {
    this.isServer = isServer;
    this.settings = settings;
    this.made = make(isServer, settings);
  }

  /**
   * For the side that accepts.
   *
   * @param options `cert` and `key`; they may be left out if {@link addCertificate} brings others.
   * `ca` has the authorities of client certificates, which are asked for once {@link setVerifyMode}
   * says so.
   */
  static server(options?: TlsContextOptions): TlsContext {
    return new TlsContext(true, initial(options, TlsVerifyMode.None, []));
  }

  /**
   * For the side that connects.
   *
   * @param options `ca`, else the system's; `cert` and `key` where the server asks for them.
   */
  static client(options?: TlsContextOptions): TlsContext {
    return new TlsContext(false, initial(options, TlsVerifyMode.Peer, null));
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
      named.set(name, readIdentity(checkCertificate(certificate), 'certificate.'));
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
    this.made = make(this.isServer, settings);
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

function initial(
  options: TlsContextOptions | undefined,
  verifyMode: number,
  authorities: readonly string[] | null,
): Settings {
  const { cert, key, passphrase, ca } = checkOptions<TlsContextOptions>(options, optionKeys);
  if ((cert === undefined) !== (key === undefined)) {
    const missing = cert === undefined ? 'cert' : 'key';
    throw invalidType(`options.${missing}`, 'given with the other of the two', undefined);
  }
  const hasCertificate = cert !== undefined && key !== undefined;
  return {
    identity: hasCertificate ? readIdentity({ cert, key, passphrase }, 'options.') : null,
    named: new Map(),
    authorities: ca === undefined ? authorities : readSeveral('options.ca', ca),
    revocations: [],
    leafOnly: false,
    verifyMode,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ciphers: '',
    cipherSuites: '',
    protocols: nothing,
    ticketKeys: nothing,
    sessionTimeoutMs: sessionTimeoutDefaultMs,
  };
}

function checkCertificate(value: unknown): TlsCertificate {
  const { cert, key, passphrase } = checkObject<TlsCertificate>('certificate', value);
  if (cert === undefined) throw invalidType('certificate.cert', 'PEM text or a path', cert);
  if (key === undefined) throw invalidType('certificate.key', 'PEM text or a path', key);
  return { cert, key, passphrase };
}

function readIdentity({ cert, key, passphrase }: TlsCertificate, prefix: string): Identity {
  if (passphrase !== undefined && typeof passphrase !== 'string') {
    throw invalidType(`${prefix}passphrase`, 'a string', passphrase);
  }
  return {
    chain: readPem(`${prefix}cert`, cert),
    key: readPem(`${prefix}key`, key),
    passphrase: passphrase ?? '',
  };
}

function readSeveral(argument: string, sources: PemSource | readonly PemSource[]): string[] {
  if (!Array.isArray(sources)) return [readPem(argument, sources as PemSource)];
  return checkArray(argument, sources, 'an array').map((each, index) =>
    readPem(`${argument}[${index}]`, each),
  );
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

function flatten(hostname: string, { chain, key, passphrase }: Identity): string[] {
  return [hostname, chain, key, passphrase];
}

/** The names of settings in the addon, for messages. */
const settingNames: Readonly<Record<string, string>> = {
  cert: 'the certificate',
  key: 'the key',
  ca: 'an authority',
  crl: 'a revocation list',
  alpn: 'the list of protocols',
  ciphers: 'the list of ciphers',
  cipherSuites: 'the list of cipher suites',
  minProtocol: 'the oldest version',
  maxProtocol: 'the newest version',
};

/** SSL_VERIFY_* of <openssl/ssl.h>: all are a peer check, and what is asked besides. */
function toOpenSsl(mode: number): number {
  return mode === TlsVerifyMode.None ? 0 : mode | TlsVerifyMode.Peer;
}

function make(isServer: boolean, settings: Settings): TlsContextHandle {
  if (!binding.tlsIsAvailable()) {
    const message = 'this runtime has no OpenSSL that TLS could be made with';
    throw new TlsError(message, { code: 'ERR_SOCK_NO_OPENSSL' });
  }
  const { identity, named, authorities, ciphers, cipherSuites, protocols } = settings;
  const identities = identity === null ? [] : flatten('', identity);
  for (const [hostname, each] of named) identities.push(...flatten(hostname, each));
  const verifyMode = toOpenSsl(settings.verifyMode);
  const roots = authorities === null && verifyMode !== 0 ? systemRoots() : noRoots;
  const made = binding.tlsContext({
    isServer,
    identities,
    authorities: authorities ?? [],
    rootTexts: roots.texts,
    rootFiles: roots.files,
    rootDirectories: roots.directories,
    revocations: settings.revocations,
    revocationOfLeafOnly: settings.leafOnly,
    verifyMode,
    minVersion: versions[settings.minVersion],
    maxVersion: versions[settings.maxVersion],
    ciphers,
    cipherSuites,
    protocols,
    ticketKeys: settings.ticketKeys,
    sessionLifeS: Math.ceil(settings.sessionTimeoutMs / 1_000),
  });
  if (!Array.isArray(made)) return made;
  const [setting, reason] = made;
  const message = `${settingNames[setting] ?? setting} was refused: ${reason}`;
  throw new TlsError(message, { code: 'ERR_SOCK_TLS_SETTING', reason });
}
