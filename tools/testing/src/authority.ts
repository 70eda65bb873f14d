/** A small certificate authority, for tests of TLS. */
import 'reflect-metadata';
import { X509Certificate as Leaf, webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
  X509CrlGenerator,
} from '@peculiar/x509';

type KeyPair = webcrypto.CryptoKeyPair;

const dayMs = 24 * 3_600_000;

const algorithms = {
  p256: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  rsa2048: rsa(2048),
  rsa1024: rsa(1024),
  rsa4096: rsa(4096),
} as const;

/** With which digest a signature is made; SHA-1 is one that nobody should take. */
const signatures = {
  sha256: algorithms.p256,
  sha1: { ...algorithms.p256, hash: 'SHA-1' },
} as const;

function rsa(modulusLength: number) {
  const publicExponent = new Uint8Array([1, 0, 1]);
  return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', publicExponent, modulusLength };
}

/** What a certificate says; the defaults make a good one for a server. */
export interface CertificateWishes {
  /** Names and addresses that it is for. Default `localhost`, 127.0.0.1 and ::1. */
  names?: readonly string[];
  /** The common name of its subject. Default: the first of `names`. */
  commonName?: string;
  /** What it may be used for. Default: servers and clients. */
  usage?: readonly ('serverAuth' | 'clientAuth')[];
  /** The days from today on which it becomes and ceases to be valid. Default −1 and 30. */
  days?: readonly [number, number];
  key?: keyof typeof algorithms;
  signature?: keyof typeof signatures;
  /** Whether its server has to show an OCSP response (RFC 7633). Default false. */
  mustStaple?: boolean;
}

/** What an authority below another is like. */
export interface SubordinateWishes {
  /** How many authorities there may be below it. Default: no limit. */
  pathLength?: number;
  /** The domain whose names alone it may issue for. Default: all. */
  permitted?: string;
  /** Of its own certificate. */
  signature?: keyof typeof signatures;
}

/** What a revocation list says. */
export interface RevocationWishes {
  revoked?: readonly Issued[];
  /** The days from today on which it becomes and ceases to be valid. Default −1 and 30. */
  days?: readonly [number, number];
}

/** PEM text. */
export interface Issued {
  /** The certificate, and those between it and the root. */
  readonly cert: string;
  readonly key: string;
}

let serials = 1;

async function keysOf(kind: keyof typeof algorithms): Promise<KeyPair> {
  return (await webcrypto.subtle.generateKey(algorithms[kind], true, [
    'sign',
    'verify',
  ])) as KeyPair;
}

async function keyText(keys: KeyPair): Promise<string> {
  const bytes = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return PemConverter.encode(bytes, 'PRIVATE KEY');
}

function alternatives(names: readonly string[]): SubjectAlternativeNameExtension {
  return new SubjectAlternativeNameExtension(
    names.map((name) => ({ type: /^[\d.]+$|:/.test(name) ? 'ip' : 'dns', value: name })),
  );
}

export class Authority {
  /** Its own certificate: PEM text, for those who trust it. */
  readonly cert: string;
  private readonly certificate: X509Certificate;
  private readonly keys: KeyPair;
  /** Certificates that a peer needs besides the root, PEM text. */
  private readonly chain: string;

  private constructor(certificate: X509Certificate, keys: KeyPair, chain: string) {
    this.certificate = certificate;
    this.keys = keys;
    this.chain = chain;
    this.cert = certificate.toString('pem');
  }

  /** One that trusts itself. */
  static async create(name = 'the root of a test'): Promise<Authority> {
    const keys = await keysOf('p256');
    const certificate = await X509CertificateGenerator.createSelfSigned({
      serialNumber: String(serials++).padStart(4, '0'),
      name: `CN=${name}`,
      notBefore: new Date(Date.now() - dayMs),
      notAfter: new Date(Date.now() + 30 * dayMs),
      keys,
      signingAlgorithm: algorithms.p256,
      extensions: authorityExtensions(),
    });
    return new Authority(certificate, keys, '');
  }

  /** A certificate for `localhost` that no authority answers for. */
  static async issueSelfSigned(): Promise<Issued> {
    const keys = await keysOf('p256');
    const certificate = await X509CertificateGenerator.createSelfSigned({
      serialNumber: String(serials++).padStart(4, '0'),
      name: 'CN=localhost',
      keys,
      signingAlgorithm: algorithms.p256,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        alternatives(['localhost']),
      ],
    });
    return { cert: certificate.toString('pem'), key: await keyText(keys) };
  }

  /** One below this. */
  async subordinate(
    name = 'an intermediate of a test',
    wishes: SubordinateWishes = {},
  ): Promise<Authority> {
    const keys = await keysOf('p256');
    const certificate = await this.sign(
      `CN=${name}`,
      keys,
      [-1, 30],
      authorityExtensions(wishes),
      wishes.signature ?? 'sha256',
    );
    return new Authority(certificate, keys, `${certificate.toString('pem')}\n${this.chain}`);
  }

  async issue(wishes: CertificateWishes = {}): Promise<Issued> {
    const { names = ['localhost', '127.0.0.1', '::1'], days = [-1, 30], key = 'p256' } = wishes;
    const usage = wishes.usage ?? ['serverAuth', 'clientAuth'];
    const keys = await keysOf(key);
    const extensions: Extension[] = [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(usage.map((each) => ExtendedKeyUsage[each])),
    ];
    if (names.length > 0) extensions.push(alternatives(names));
    if (wishes.mustStaple === true) extensions.push(mustStaple());
    const subject = `CN=${wishes.commonName ?? names[0] ?? 'nobody'}`;
    const { signature = 'sha256' } = wishes;
    const certificate = await this.sign(subject, keys, days, extensions, signature);
    return { cert: `${certificate.toString('pem')}\n${this.chain}`, key: await keyText(keys) };
  }

  /** Its private key, PEM text, for programs that sign in its name. */
  key(): Promise<string> {
    return keyText(this.keys);
  }

  /** A list (CRL) of what it has revoked: PEM text. */
  async revocations({ revoked = [], days = [-1, 30] }: RevocationWishes = {}): Promise<string> {
    const list = await X509CrlGenerator.create({
      issuer: this.certificate.subject,
      thisUpdate: new Date(Date.now() + days[0] * dayMs),
      nextUpdate: new Date(Date.now() + days[1] * dayMs),
      entries: revoked.map(({ cert }) => ({
        serialNumber: new Leaf(cert).serialNumber,
        revocationDate: new Date(),
      })),
      signingKey: this.keys.privateKey,
      signingAlgorithm: algorithms.p256,
    });
    // The label that OpenSSL knows (RFC 7468, 6).
    return PemConverter.encode(list.rawData, 'X509 CRL');
  }

  private sign(
    subject: string,
    keys: KeyPair,
    [from, to]: readonly [number, number],
    extensions: Extension[],
    signature: keyof typeof signatures,
  ): Promise<X509Certificate> {
    return X509CertificateGenerator.create({
      serialNumber: String(serials++).padStart(4, '0'),
      subject,
      issuer: this.certificate.subject,
      notBefore: new Date(Date.now() + from * dayMs),
      notAfter: new Date(Date.now() + to * dayMs),
      publicKey: keys.publicKey,
      signingKey: this.keys.privateKey,
      signingAlgorithm: signatures[signature],
      extensions,
    });
  }
}

function authorityExtensions({ pathLength, permitted }: SubordinateWishes = {}): Extension[] {
  const extensions: Extension[] = [
    new BasicConstraintsExtension(true, pathLength, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
  ];
  if (permitted !== undefined) extensions.push(nameConstraints(permitted));
  return extensions;
}

/** RFC 7633: SEQUENCE { INTEGER 5 }, which is status_request. */
function mustStaple(): Extension {
  return new Extension('1.3.6.1.5.5.7.1.24', false, Buffer.from([0x30, 3, 2, 1, 5]));
}

/** RFC 5280, 4.2.1.10: SEQUENCE { [0] { SEQUENCE { [2] name } } }. */
function nameConstraints(permitted: string): Extension {
  const wrap = (tag: number, content: Buffer) =>
    Buffer.concat([Buffer.from([tag, content.length]), content]);
  const subtrees = wrap(0xa0, wrap(0x30, wrap(0x82, Buffer.from(permitted))));
  return new Extension('2.5.29.30', true, wrap(0x30, subtrees));
}
