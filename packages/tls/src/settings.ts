/** All that a context is set to, and the addon's context that is made of it. */
import { TlsError } from '@sock/core';
import { binding, checkArray, checkOptions, type TlsContextHandle } from '@sock/native';
import { TlsVerifyMode, type TlsVersion } from './constants.js';
import type { TlsAlpnCallback, TlsKeyLogCallback, TlsVerifyCallback } from './consultation.js';
import type { TlsContextOptions } from './context-options.js';
import { checkCertificate, type Identity, readIdentity } from './identity.js';
import type { OcspSource } from './ocsp.js';
import { checkOpenSsl } from './openssl.js';
import { type PemSource, readPem } from './pem.js';
import { noRoots, systemRoots } from './roots.js';

export const versions: Readonly<Record<TlsVersion, number>> = {
  'TLSv1.2': 0x0303,
  'TLSv1.3': 0x0304,
};
const nothing = new Uint8Array(0);
export const sessionTimeoutDefaultMs = 300_000;

export interface Settings {
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
  readonly requestsStatus: boolean;
  readonly requiresStatus: boolean;
  readonly verify: TlsVerifyCallback | null;
  readonly alpn: TlsAlpnCallback | null;
  readonly keyLog: TlsKeyLogCallback | null;
  readonly ocsp: OcspSource | null;
  /** Of the verify callback: another for each. */
  readonly terms: string;
}

const optionKeys = ['cert', 'key', 'pkcs12', 'passphrase', 'ca'] as const;

export function initialSettings(
  options: TlsContextOptions | undefined,
  verifyMode: number,
  authorities: readonly string[] | null,
): Settings {
  const { ca, cert, key, pkcs12, passphrase } = checkOptions<TlsContextOptions>(
    options,
    optionKeys,
  );
  const hasCertificate = cert !== undefined || key !== undefined || pkcs12 !== undefined;
  return {
    identity: hasCertificate
      ? readIdentity(checkCertificate({ cert, key, pkcs12, passphrase }, 'options.'), 'options.')
      : null,
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
    requestsStatus: false,
    requiresStatus: false,
    verify: null,
    alpn: null,
    keyLog: null,
    ocsp: null,
    terms: '',
  };
}

export function readSeveral(argument: string, sources: PemSource | readonly PemSource[]): string[] {
  if (!Array.isArray(sources)) return [readPem(argument, sources as PemSource)];
  return checkArray(argument, sources, 'an array').map((each, index) =>
    readPem(`${argument}[${index}]`, each),
  );
}

/** As Context::for_hostname of the addon. */
export function certificateFor(named: ReadonlyMap<string, unknown>, hostname: string): string {
  const wildcard = hostname.replace(/^[^.]*/, '*');
  return [hostname, wildcard].find((name) => named.has(name)) ?? '';
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

export function makeContext(isServer: boolean, settings: Settings): TlsContextHandle {
  checkOpenSsl();
  const { identity, named, authorities, ciphers, cipherSuites, protocols } = settings;
  const identities = identity === null ? [] : [{ hostname: '', ...identity }];
  for (const [hostname, each] of named) identities.push({ hostname, ...each });
  const verifyMode = toOpenSsl(settings.verifyMode);
  const trusts = verifyMode !== 0;
  const roots = authorities === null && trusts ? systemRoots() : noRoots;
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
    asksProtocol: settings.alpn !== null,
    asksStaple: settings.ocsp !== null,
    asksVerdict: settings.verify !== null && trusts,
    logsSecrets: settings.keyLog !== null,
    requestsStatus: settings.requestsStatus,
    requiresStatus: settings.requiresStatus,
    terms: settings.terms,
  });
  if (!Array.isArray(made)) return made;
  const [setting, reason] = made;
  const message = `${settingNames[setting] ?? setting} was refused: ${reason}`;
  throw new TlsError(message, { code: 'ERR_SOCK_TLS_SETTING', reason });
}
