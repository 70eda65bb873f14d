/** What finds answers: getaddrinfo(3) on threads, or c-ares. Deadlines are not its business. */
import { ResolveError } from '@sock/core';
import type { Family } from './hostname.js';

/** Why a lookup failed, from which each who asked gets an error of its own. */
export interface Failure {
  /** Node's: `ENOTFOUND`, `EAI_AGAIN`, `ESERVFAIL`, … */
  readonly code: string;
  /** What getaddrinfo(3) returned; 0 when it was not asked. */
  readonly gaiCode: number;
  readonly syscall: string;
  readonly text: string;
  readonly cause?: unknown;
}

export interface Answer<T> {
  readonly values: readonly T[];
  /** How long it holds, as far as its source says. */
  readonly ttlMs: number;
}

/** Exactly one of the two. */
export type Outcome<T> = { readonly answer: Answer<T> } | { readonly failure: Failure };

export type Settle<T> = (outcome: Outcome<T>) => void;

/** A lookup that is under way. */
export interface Pending {
  /** It does not settle any more. */
  giveUp(): void;
  /** The notifier, too, is told when {@link Engine.collect} would settle it. */
  watch(notifier: number): void;
}

/** Begins a lookup, which settles later, never within the call; null when too many are waiting. */
export type Start<T> = (settle: Settle<T>) => Pending | null;

/** A server that answers a service, from an SRV record. */
export interface ServiceRecord {
  /** Host name of the server. */
  name: string;
  /** 0 to 65,535. */
  port: number;
  /** 0 to 65,535; servers with the lowest are tried first. */
  priority: number;
  /** 0 to 65,535; the share of connections among those of one priority. */
  weight: number;
}

export interface EngineLoad {
  readonly threads: number;
  readonly stuckThreads: number;
  readonly queued: number;
}

export interface Engine {
  /** Addresses in the order of RFC 6724. `flags` are getaddrinfo's; engines without ignore them. */
  addresses(name: string, family: Family | undefined, flags: number): Start<string>;
  names(address: string): Start<string>;
  services(name: string): Start<ServiceRecord>;
  /** Whether its answers can be had without the event loop. */
  readonly isCollectable: boolean;
  /** Settles what is answered by now, without waiting for the event loop where it can. */
  collect(): void;
  readonly load: EngineLoad;
  resize(pendingMax: number): void;
  close(): void;
}

/** The name is known not to exist, or to have nothing of the kind: asking again says the same. */
export function isAuthoritative({ code }: Failure): boolean {
  return code === 'ENOTFOUND' || code === 'ENODATA';
}

export function errorOf(failure: Failure, hostname: string): ResolveError {
  const { code, gaiCode, syscall, text, cause } = failure;
  const message = `${syscall} ${code} ${hostname}: ${text}`;
  return new ResolveError(message, { code, gaiCode, syscall, hostname, cause });
}
