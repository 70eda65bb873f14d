/** What the engine remembers of its failure, as an error. */
import {
  type SocketErrorDetails,
  TlsError,
  TlsHandshakeError,
  TlsProtocolError,
  TlsShutdownError,
  TlsVerifyError,
} from '@sock/core';
import { binding, type Endpoint, Errno } from '@sock/native';
import { problemName } from './problems.js';

/** As in native/src/tls/wire.h. */
const Kind = { Handshake: 1, Verify: 2, Protocol: 3, Truncated: 4 } as const;

/** RFC 8446, 6.2 and RFC 5246, 7.2. */
const alerts: Readonly<Record<number, string>> = {
  0: 'close_notify',
  10: 'unexpected_message',
  20: 'bad_record_mac',
  22: 'record_overflow',
  40: 'handshake_failure',
  42: 'bad_certificate',
  43: 'unsupported_certificate',
  44: 'certificate_revoked',
  45: 'certificate_expired',
  46: 'certificate_unknown',
  47: 'illegal_parameter',
  48: 'unknown_ca',
  49: 'access_denied',
  50: 'decode_error',
  51: 'decrypt_error',
  70: 'protocol_version',
  71: 'insufficient_security',
  80: 'internal_error',
  86: 'inappropriate_fallback',
  90: 'user_canceled',
  109: 'missing_extension',
  110: 'unsupported_extension',
  112: 'unrecognized_name',
  113: 'bad_certificate_status_response',
  115: 'unknown_psk_identity',
  116: 'certificate_required',
  120: 'no_application_protocol',
};

/** The error for the errno of the engine; null for those of the kernel. */
export function explain(
  this: Endpoint,
  errno: number,
  details: SocketErrorDetails & { syscall: string },
): TlsError | null {
  if (errno !== -Errno.EPROTO) return null;
  const failure = binding.tlsFailure(this.slot, this.generation);
  return typeof failure === 'number' ? null : toError(failure, details);
}

function toError(
  [kind, reason, alertNumber, verifyCode, problem]: [number, string, number, number, string],
  details: SocketErrorDetails,
): TlsError {
  const alert = alertNumber < 0 ? undefined : (alerts[alertNumber] ?? `alert ${alertNumber}`);
  const told = alert === undefined ? reason : `the peer sent the alert ${alert}`;
  if (kind === Kind.Verify) {
    const message = `the certificate of the peer was refused: ${problem}`;
    const code = 'ERR_SOCK_TLS_VERIFY';
    const what = { verifyCode, problem, problemName: problemName(verifyCode) };
    return new TlsVerifyError(message, { ...details, code, reason, ...what });
  }
  if (kind === Kind.Truncated) {
    const message = 'the connection ended in the middle: the peer did not say that this was all';
    return new TlsProtocolError(message, { ...details, code: 'ERR_SOCK_TLS_TRUNCATED', reason });
  }
  if (details.syscall === 'shutdown') {
    const all = { ...details, code: 'ERR_SOCK_TLS_SHUTDOWN', reason, alert };
    return new TlsShutdownError(`the peer could not be told of the end: ${told}`, all);
  }
  if (kind === Kind.Handshake) {
    const all = { ...details, code: 'ERR_SOCK_TLS_HANDSHAKE', reason, alert };
    return new TlsHandshakeError(`the TLS handshake failed: ${told}`, all);
  }
  if (kind === Kind.Protocol) {
    const all = { ...details, code: 'ERR_SOCK_TLS_PROTOCOL', reason, alert };
    return new TlsProtocolError(`TLS failed: ${told}`, all);
  }
  return new TlsError(`TLS failed: ${told}`, { ...details, code: 'ERR_SOCK_TLS', reason });
}
