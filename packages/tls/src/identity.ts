/** Certificates with their keys, as callers give them, read and checked. */
import { types } from 'node:util';
import { TlsError } from '@sock/core';
import { binding, invalidType, invalidValue } from '@sock/native';
import type { TlsCertificate, TlsKeyPair, TlsPkcs12 } from './context-options.js';
import { ocspResponseMax } from './ocsp.js';
import { checkOpenSsl } from './openssl.js';
import { readBytes, readPem } from './pem.js';

export interface Identity {
  readonly chain: string;
  readonly key: string;
  readonly passphrase: string;
  /** The authority's word on it, in DER. */
  readonly staple: Uint8Array | null;
}

type MaybeCertificate = { [K in keyof (TlsKeyPair & TlsPkcs12)]?: unknown };

export function checkCertificate(value: MaybeCertificate, prefix: string): TlsCertificate {
  const { cert, key, pkcs12 } = value;
  if (pkcs12 !== undefined) {
    if (cert === undefined && key === undefined) return value as TlsPkcs12;
    throw invalidValue(`${prefix}pkcs12`, 'excludes cert and key', '(a secret)');
  }
  for (const [name, part] of Object.entries({ cert, key })) {
    if (part === undefined) throw invalidType(`${prefix}${name}`, 'PEM text or a path', part);
  }
  return value as TlsKeyPair;
}

export function readIdentity(certificate: TlsCertificate, prefix: string): Identity {
  const { passphrase = '', ocspResponse = null } = certificate;
  if (typeof passphrase !== 'string') {
    throw invalidType(`${prefix}passphrase`, 'a string', passphrase);
  }
  const staple = checkOcspResponse(`${prefix}ocspResponse`, ocspResponse);
  if ('pkcs12' in certificate && certificate.pkcs12 !== undefined) {
    return { ...readPkcs12(`${prefix}pkcs12`, certificate.pkcs12, passphrase), staple };
  }
  const { cert, key } = certificate as TlsKeyPair;
  return {
    chain: readPem(`${prefix}cert`, cert),
    key: readPem(`${prefix}key`, key),
    passphrase,
    staple,
  };
}

function readPkcs12(argument: string, source: Uint8Array | string, passphrase: string) {
  checkOpenSsl();
  const read = binding.tlsPkcs12(readBytes(argument, source), passphrase);
  if (typeof read === 'string') {
    const message = `the PKCS#12 file was refused: ${read}`;
    throw new TlsError(message, { code: 'ERR_SOCK_TLS_SETTING', reason: read });
  }
  const [chain, key] = read;
  return { chain, key, passphrase: '' };
}

export function checkOcspResponse(
  argument: string,
  response: Uint8Array | null,
): Uint8Array | null {
  if (response === null) return null;
  checkOpenSsl();
  if (!types.isUint8Array(response)) throw invalidType(argument, 'a Uint8Array', response);
  if (response.length > ocspResponseMax || binding.tlsOcspLeft(response) === undefined) {
    const problem = `must be a successful OCSP response of at most ${ocspResponseMax} bytes`;
    throw invalidValue(argument, problem, `${response.length} bytes`);
  }
  return Buffer.from(response);
}
