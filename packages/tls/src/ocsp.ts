/** What an authority says of a certificate (OCSP, RFC 6960), and how long a server shows it. */
import { monotonicMs } from '@sock/core';
import { binding, LineLevel } from '@sock/native';
import { tellLine } from './diagnostics.js';

/**
 * What the response says that a server has shown with its certificate:
 * - `'good'`: it is not revoked, says its authority, or whom that has named, at this time.
 * - `'revoked'`: it is.
 * - `'unknown'`: they do not know it.
 * - `'invalid'`: the response is not to be believed: its signature, its times, who made it, or what
 *   it is about.
 * - `'absent'`: there was none, or a session was resumed, in which no certificate is shown.
 */
export type OcspStatus = 'good' | 'revoked' | 'unknown' | 'invalid' | 'absent';

/** By the numbers of native/src/tls/ocsp.h. */
export const ocspStatuses: readonly OcspStatus[] = [
  'absent',
  'good',
  'revoked',
  'unknown',
  'invalid',
];

/**
 * Fetches the response for a certificate of a server, in DER.
 *
 * @param hostname The name that `addCertificate` was told; undefined: the one for every name.
 * @returns Null: there is none for now.
 */
export type OcspCallback = (
  hostname: string | undefined,
) => Uint8Array | null | Promise<Uint8Array | null>;

export const ocspResponseMax = 65_536;

/** As long as no response says otherwise. */
const keptMostMs = 3_600_000;
/** A responder that fails is not asked by every handshake. */
const retryMs = 10_000;

/** What tells the time. */
export interface OcspClock {
  /** Milliseconds, monotonic. */
  now(): number;
  /**
   * For how many seconds a response may still be shown, 0 and below when it is past that; undefined
   * for what is no response.
   */
  leftS(response: Uint8Array): number | undefined;
}

const systemClock: OcspClock = {
  now: monotonicMs,
  leftS: (response) => binding.tlsOcspLeft(response),
};

interface Kept {
  readonly response: Uint8Array | null;
  readonly untilMs: number;
}

/** The responses of a callback: each asked for once, by whichever handshake needs it first. */
export class OcspSource {
  private readonly callback: OcspCallback;
  private readonly clock: OcspClock;
  private readonly kept = new Map<string, Kept>();
  private readonly asked = new Map<string, Promise<Uint8Array | null>>();

  constructor(callback: OcspCallback, clock = systemClock) {
    this.callback = callback;
    this.clock = clock;
  }

  /** @param name That of a certificate; empty: the one for every name. */
  get(name: string): Uint8Array | null | Promise<Uint8Array | null> {
    const found = this.kept.get(name);
    if (found !== undefined && this.clock.now() < found.untilMs) return found.response;
    const asked = this.asked.get(name);
    if (asked !== undefined) return asked;
    let answer: ReturnType<OcspCallback>;
    try {
      answer = this.callback(name === '' ? undefined : name);
    } catch (error) {
      return this.keepNothing(name, error);
    }
    if (!(answer instanceof Promise)) return this.keep(name, answer);
    const asking = answer
      .then(
        (response) => this.keep(name, response),
        (error: unknown) => this.keepNothing(name, error),
      )
      .finally(() => this.asked.delete(name));
    this.asked.set(name, asking);
    return asking;
  }

  private keep(name: string, response: unknown): Uint8Array | null {
    if (response === null) return this.keepNothing(name);
    if (!(response instanceof Uint8Array) || response.length > ocspResponseMax) {
      return this.keepNothing(name, new TypeError('a callback gave no OCSP response'));
    }
    const leftS = this.clock.leftS(response);
    if (leftS === undefined) {
      return this.keepNothing(name, new TypeError('a callback gave what is no OCSP response'));
    }
    // Clients refuse a server that shows one, but not one that shows none.
    if (leftS <= 0) {
      return this.keepNothing(name, new Error('a callback gave an OCSP response that has ended'));
    }
    // Half of what is left: clients' clocks differ, and a responder may be away for a while.
    const keptMs = Math.min(Math.max(leftS * 500, retryMs), leftS * 1_000, keptMostMs);
    this.kept.set(name, { response, untilMs: this.clock.now() + keptMs });
    return response;
  }

  /** What was there before is shown for as long as clients take it. */
  private keepNothing(name: string, error?: unknown): Uint8Array | null {
    if (error !== undefined) {
      tellLine(
        LineLevel.Warn,
        () => `no OCSP response for the certificate ${name || 'for every name'}`,
        error,
      );
    }
    const before = this.kept.get(name)?.response ?? null;
    const leftS = before === null ? 0 : (this.clock.leftS(before) ?? 0);
    const response = leftS > 0 ? before : null;
    const keptMs = response === null ? retryMs : Math.min(retryMs, leftS * 1_000);
    this.kept.set(name, { response, untilMs: this.clock.now() + keptMs });
    return response;
  }
}
