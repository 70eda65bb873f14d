/** What a handshake asks of its users on the way: callbacks of a context. */
import { X509Certificate } from 'node:crypto';
import { TlsError, TlsVerifyError } from '@sock/core';
import { binding, type Endpoint, LineLevel } from '@sock/native';
import { tellLine } from './diagnostics.js';
import type { OcspSource } from './ocsp.js';
import { problemName } from './problems.js';
import type { TlsSocket } from './tls-socket.js';

/** What is known of a peer's certificate when a {@link TlsVerifyCallback} is asked. */
export interface TlsVerdict {
  /** Whether it would be accepted without the callback. */
  readonly ok: boolean;
  /** X509_V_* of OpenSSL; 0: nothing is wrong with it. */
  readonly verifyCode: number;
  /** OpenSSL's name of it, as `'CERT_HAS_EXPIRED'`; `'OK'`. */
  readonly problemName: string;
  /** The peer's certificate, and those that lead from it to an authority, as far as they do. */
  readonly chain: readonly X509Certificate[];
}

/**
 * Has the last word on a certificate of a peer.
 *
 * @returns Whether it is accepted. What it throws, or rejects with, refuses it.
 */
export type TlsVerifyCallback = (
  verdict: TlsVerdict,
  socket: TlsSocket,
) => boolean | Promise<boolean>;

/**
 * Chooses what is spoken.
 *
 * @param protocols What the client offers, the best first.
 * @param hostname The name that it asks for; undefined: none.
 * @returns One of them; null refuses the client, with the alert `no_application_protocol`.
 */
export type TlsAlpnCallback = (
  protocols: readonly string[],
  hostname: string | undefined,
) => string | null | Promise<string | null>;

/** Hears of the secrets of connections, a line each in the format of `SSLKEYLOGFILE`. */
export type TlsKeyLogCallback = (line: string, socket: TlsSocket) => void;

/** Those of a context as a connection began with it. */
export interface Callbacks {
  readonly verify: TlsVerifyCallback | null;
  readonly alpn: TlsAlpnCallback | null;
  readonly keyLog: TlsKeyLogCallback | null;
  readonly ocsp: OcspSource | null;
  /** The name of the certificate for a host; empty: that for every name. */
  readonly certificateFor: (hostname: string) => string;
}

/** X509_V_ERR_APPLICATION_VERIFICATION of OpenSSL's x509_vfy.h. */
const refusedByUser = 50;

/**
 * Answers what the handshake asks; nothing where it asks nothing. A promise where a callback gave
 * one: the next step has to wait for it.
 */
export function consult(
  { slot, generation }: Endpoint,
  { alpn, ocsp, certificateFor }: Callbacks,
): Promise<void> | undefined {
  const question = binding.tlsQuestion(slot, generation);
  if (question === undefined) return undefined;
  const [hostname, offered, wantsStaple] = question;
  const protocols = offered === undefined ? [] : fromWire(Buffer.from(offered));
  const answer = (protocol: string | null, staple: Uint8Array | null): void => {
    const isOffered = protocol !== null && protocols.includes(protocol);
    if (protocol !== null && !isOffered) {
      tellLine(
        LineLevel.Warn,
        () => `an ALPN callback chose ${JSON.stringify(protocol)}, which was not offered`,
      );
    }
    binding.tlsAnswer(slot, generation, isOffered ? toWire(protocol) : null, staple);
  };
  const chosen =
    alpn === null || protocols.length === 0 ? null : choose(alpn, protocols, hostname || undefined);
  const staple = ocsp === null || wantsStaple === 0 ? null : ocsp.get(certificateFor(hostname));
  if (chosen instanceof Promise || staple instanceof Promise) {
    return Promise.all([chosen, staple]).then((answers) => answer(...answers));
  }
  answer(chosen, staple);
  return undefined;
}

/** A callback that fails has chosen nothing. */
function choose(
  callback: TlsAlpnCallback,
  protocols: readonly string[],
  hostname: string | undefined,
): string | null | Promise<string | null> {
  const onError = (error: unknown): null => {
    tellLine(LineLevel.Warn, () => 'an ALPN callback failed', error);
    return null;
  };
  try {
    const chosen = callback(Object.freeze([...protocols]), hostname);
    return chosen instanceof Promise ? chosen.catch(onError) : chosen;
  } catch (error) {
    return onError(error);
  }
}

/**
 * Has the callback judge the peer's certificate, where there is one: throws, or rejects with,
 * `TlsVerifyError` when it is refused.
 */
export function judge(
  { slot, generation }: Endpoint,
  callback: TlsVerifyCallback,
  verifyCode: number,
  socket: TlsSocket,
): Promise<void> | undefined {
  const chain = binding.tlsPeerChain(slot, generation);
  if (typeof chain === 'number' || chain.length === 0) return undefined;
  const name = verifyCode === 0 ? 'OK' : problemName(verifyCode);
  const verdict: TlsVerdict = Object.freeze({
    ok: verifyCode === 0,
    verifyCode,
    problemName: name,
    chain: Object.freeze(chain.map((der) => new X509Certificate(Buffer.from(der)))),
  });
  const refuse = (cause?: unknown): never => {
    const code = verifyCode || refusedByUser;
    const problem = verifyCode === 0 ? 'by the verify callback' : problemName(code);
    throw new TlsVerifyError(`the certificate of the peer was refused: ${problem}`, {
      syscall: 'handshake',
      code: 'ERR_SOCK_TLS_VERIFY',
      verifyCode: code,
      problem,
      problemName: problemName(code),
      cause,
    });
  };
  const settle = (isAccepted: unknown): void => {
    if (isAccepted !== true) refuse();
  };
  let answer: boolean | Promise<boolean>;
  try {
    answer = callback(verdict, socket);
  } catch (error) {
    return refuse(error);
  }
  if (answer instanceof Promise) return answer.then(settle, refuse);
  settle(answer);
  return undefined;
}

/** For the tempos that wait for no promise. */
export function mustBeDone(answer: Promise<void> | undefined): void {
  if (answer === undefined) return;
  // Its outcome is of no more use.
  answer.catch(() => {});
  const message = 'a callback of the context gave a promise: use handshake(), which waits for it';
  throw new TlsError(message, { code: 'ERR_SOCK_TLS_ASYNC' });
}

/** RFC 7301, 3.1. */
function fromWire(wire: Buffer): string[] {
  const protocols: string[] = [];
  for (let at = 0; at < wire.length; ) {
    const end = at + 1 + wire.readUInt8(at);
    protocols.push(wire.toString('utf8', at + 1, end));
    at = end;
  }
  return protocols;
}

export function toWire(protocol: string): Buffer {
  const bytes = Buffer.from(protocol);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}
