/** Every kind of good and bad certificate, and what is said of it: by us, and by others. */
import { X509Certificate } from 'node:crypto';
import { Authority, type Issued } from '@sock/testing/authority';

export interface CertificateCase {
  readonly what: string;
  /** Names and addresses in the certificate. Default: `localhost` and its addresses. */
  readonly names?: readonly string[];
  /** Whom the client wants. Default `localhost`. */
  readonly hostname?: string;
  readonly make?: (root: Authority) => Promise<Issued>;
  /** It is one that our server would not show. */
  readonly isWeak?: boolean;
  /** Who says that it was revoked: a list (CRL) of the client, or the server's own response. */
  readonly revokedBy?: 'list' | 'response';
  readonly ours: string;
  /** Node's code. Default: ours. */
  readonly node?: string;
  /** What curl ends with. Default: `agreed`, or `refused`. */
  readonly curl?: Curl;
  /** Of the words of GnuTLS; `trusted` where it has no other opinion. */
  readonly gnutls: string;
}

export type Curl = 'agreed' | 'refused' | 'bad status';

const otherName = 'The name in the certificate does not match the expected';
const altName = 'ERR_TLS_CERT_ALTNAME_INVALID';
/** What Node says of problems that it has no name for. */
const nameless = 'UNSPECIFIED';
const unknownIssuer = 'The certificate issuer is unknown';

const dates: readonly CertificateCase[] = [
  {
    what: 'one that has expired',
    make: (root) => root.issue({ days: [-3, -1] }),
    ours: 'CERT_HAS_EXPIRED',
    gnutls: 'expired certificate',
  },
  {
    what: 'one that is not valid yet',
    make: (root) => root.issue({ days: [1, 3] }),
    ours: 'CERT_NOT_YET_VALID',
    gnutls: 'not yet valid',
  },
];

const chains: readonly CertificateCase[] = [
  { what: 'a good one', ours: 'agreed', gnutls: 'trusted' },
  {
    what: 'one for clients',
    make: (root) => root.issue({ usage: ['clientAuth'] }),
    ours: 'INVALID_PURPOSE',
    gnutls: 'does not match the intended purpose',
  },
  {
    what: 'one that answers for itself',
    make: () => Authority.issueSelfSigned(),
    ours: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    gnutls: unknownIssuer,
  },
  {
    what: 'one without the certificate in between',
    make: async (root) => {
      const issued = await (await root.subordinate()).issue();
      return { ...issued, cert: new X509Certificate(issued.cert).toString() };
    },
    ours: 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    // OpenSSL finds both wrong. We tell the first of them, which is the cause; Node the last.
    node: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    gnutls: unknownIssuer,
  },
  {
    what: 'one of an authority that may not issue for the name',
    make: async (root) => (await root.subordinate('bound', { permitted: 'example.org' })).issue(),
    ours: 'PERMITTED_VIOLATION',
    node: nameless,
    gnutls: "violates the signer's constraints",
  },
  {
    what: 'one with more authorities in between than are allowed',
    make: async (root) => {
      const last = await root.subordinate('last', { pathLength: 0 });
      return (await last.subordinate('one too many')).issue();
    },
    ours: 'PATH_LENGTH_EXCEEDED',
    gnutls: "violates the signer's constraints",
  },
  {
    what: 'one whose key is weak',
    make: (root) => root.issue({ key: 'rsa1024' }),
    isWeak: true,
    // curl and we want 112 bits of security, which are 2,048 of RSA. GnuTLS begins with 80, which
    // are 1,024, and so did OpenSSL before 3.2, which is that of Node 20 and 22.
    ours: 'EE_KEY_TOO_SMALL',
    node: process.versions.openssl.startsWith('3.0.') ? 'agreed' : nameless,
    gnutls: 'trusted',
  },
  {
    what: 'one whose authority was signed with SHA-1',
    make: async (root) => (await root.subordinate('a weak one', { signature: 'sha1' })).issue(),
    isWeak: true,
    ours: 'CA_MD_TOO_WEAK',
    node: nameless,
    gnutls: 'insecure algorithm',
  },
  {
    what: 'one that was signed with SHA-1',
    make: (root) => root.issue({ signature: 'sha1' }),
    isWeak: true,
    ours: 'CA_MD_TOO_WEAK',
    node: nameless,
    gnutls: 'insecure algorithm',
  },
];

const revocations: readonly CertificateCase[] = [
  {
    what: 'one that is on a list of what was revoked',
    revokedBy: 'list',
    ours: 'CERT_REVOKED',
    gnutls: 'revoked',
  },
  {
    what: 'one that its own server says was revoked',
    revokedBy: 'response',
    ours: 'CERT_REVOKED',
    // It hands the response to its user, unchecked.
    node: 'agreed',
    curl: 'bad status',
    gnutls: 'revoked',
  },
];

const names: readonly CertificateCase[] = [
  {
    what: 'one for another host',
    names: ['example.org'],
    ours: 'HOSTNAME_MISMATCH',
    node: altName,
    gnutls: otherName,
  },
  {
    what: 'one with the name in its subject alone',
    make: (root) => root.issue({ names: [], commonName: 'localhost' }),
    // RFC 9525, 6.3, looks at the subject no more; the others still do.
    ours: 'HOSTNAME_MISMATCH',
    node: 'agreed',
    curl: 'agreed',
    gnutls: 'trusted',
  },
  {
    what: 'a wildcard for one label',
    names: ['*.example.org'],
    hostname: 'www.example.org',
    ours: 'agreed',
    gnutls: 'trusted',
  },
  {
    what: 'a wildcard for no label',
    names: ['*.example.org'],
    hostname: 'example.org',
    ours: 'HOSTNAME_MISMATCH',
    node: altName,
    gnutls: otherName,
  },
  {
    what: 'a wildcard for two labels',
    names: ['*.example.org'],
    hostname: 'a.b.example.org',
    ours: 'HOSTNAME_MISMATCH',
    node: altName,
    gnutls: otherName,
  },
  {
    what: 'a wildcard for a part of a label',
    names: ['w*.example.org'],
    hostname: 'www.example.org',
    ours: 'HOSTNAME_MISMATCH',
    // RFC 9525, 6.3, has no such wildcards any more; Node still takes them.
    node: 'agreed',
    gnutls: otherName,
  },
  {
    what: 'a wildcard for all of a top-level domain',
    names: ['*.example'],
    hostname: 'www.example',
    ours: 'HOSTNAME_MISMATCH',
    node: altName,
    gnutls: otherName,
  },
  {
    what: 'a wildcard that is not the first label',
    names: ['www.*.org'],
    hostname: 'www.example.org',
    ours: 'HOSTNAME_MISMATCH',
    node: altName,
    gnutls: otherName,
  },
  {
    what: 'an internationalised name',
    names: ['xn--bcher-kva.example'],
    hostname: 'bücher.example',
    ours: 'agreed',
    gnutls: 'trusted',
  },
  {
    what: 'another internationalised name',
    names: ['xn--bcher-kva.example'],
    hostname: 'bucher.example',
    ours: 'HOSTNAME_MISMATCH',
    node: altName,
    gnutls: otherName,
  },
  {
    what: 'an address',
    names: ['127.0.0.1'],
    hostname: '127.0.0.1',
    ours: 'agreed',
    gnutls: 'trusted',
  },
  {
    what: 'another address',
    names: ['localhost', '127.0.0.2', '::1'],
    hostname: '127.0.0.1',
    ours: 'IP_ADDRESS_MISMATCH',
    node: altName,
    gnutls: otherName,
  },
];

export const certificateCases = [...chains, ...dates, ...names, ...revocations];
