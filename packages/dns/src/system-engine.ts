/** getaddrinfo(3) and getnameinfo(3) on threads of the resolver's own. */
import { getSystemErrorName } from 'node:util';
import { SocketError } from '@sock/core';
import {
  binding,
  Control,
  families,
  gaiErrorName,
  lookup,
  lookupName,
  takeLookups,
} from '@sock/native';
import type { Engine, EngineLoad, Failure, Settle, Start } from './engine.js';
import type { Family } from './hostname.js';

const { control } = binding;

function failureOf(syscall: string, gaiCode: number, errno: number): Failure {
  const text = binding.describeLookup(gaiCode);
  const failure = { code: gaiErrorName(gaiCode), gaiCode, syscall, text };
  return errno > 0 ? { ...failure, cause: new Error(getSystemErrorName(-errno)) } : failure;
}

function sinkFor(settle: Settle<string>, syscall: string) {
  return (values: string[], gaiCode: number, errno: number): void => {
    // The system's resolver does not tell how long an answer holds.
    if (gaiCode === 0) settle({ answer: { values, ttlMs: Number.POSITIVE_INFINITY } });
    else settle({ failure: failureOf(syscall, gaiCode, errno) });
  };
}

export class SystemEngine implements Engine {
  readonly isCollectable = true;
  private readonly pool: number;

  constructor(threads: number, threadsMax: number, pendingMax: number) {
    this.pool = binding.openPool(threads, threadsMax, pendingMax);
  }

  addresses(name: string, family: Family | undefined, flags: number): Start<string> {
    const index = family === undefined ? -1 : families.indexOf(family);
    return (settle) => lookup(name, index, sinkFor(settle, 'getaddrinfo'), this.pool, flags);
  }

  names(address: string): Start<string> {
    return (settle) => lookupName(address, sinkFor(settle, 'getnameinfo'), this.pool);
  }

  services(): never {
    const message = "getaddrinfo(3) knows no service records: use a resolver with engine 'c-ares'";
    throw new SocketError(message, { code: 'ERR_SOCK_UNSUPPORTED' });
  }

  collect(): void {
    takeLookups(this.pool);
  }

  get load(): EngineLoad {
    const threads = binding.poolThreads(this.pool);
    const stuckThreads = control[Control.Extra] as number;
    return { threads, stuckThreads, queued: control[Control.Extra2] as number };
  }

  resize(pendingMax: number): void {
    binding.resizePool(this.pool, pendingMax);
  }

  close(): void {
    binding.closePool(this.pool);
  }
}
