/** What became of datagrams that were sent earlier, told one by one (ip(7), IP_RECVERR). */
import { getSystemErrorName } from 'node:util';
import { AbortError, TimeoutError } from '@sock/core';
import {
  binding,
  Errno,
  Flag,
  type Limits,
  noLimits,
  Operation,
  OperationQueue,
} from '@sock/native';
import { closedError, systemError } from './errors.js';
import type { Traits } from './traits.js';

const { EAGAIN } = Errno;
const origins = ['none', 'local', 'icmp', 'icmp6'] as const;
/** What ICMP messages bring along of a datagram is much shorter. */
const frontMax = 64 * 1024;

/** Why a datagram did not arrive, as far as somebody has told. */
export interface DatagramFailure {
  /** The errno name: `'ECONNREFUSED'` (nobody has the port), `'EHOSTUNREACH'`, `'EMSGSIZE'`, … */
  readonly code: string;
  /** Negative, as in Node. */
  readonly errno: number;
  /** Who says so: this host, or an ICMP message. */
  readonly origin: 'none' | 'local' | 'icmp' | 'icmp6';
  /** The type of the ICMP message. */
  readonly type: number;
  /** The code of the ICMP message. */
  readonly icmpCode: number;
  /** With `EMSGSIZE`, the MTU of the path in bytes; else 0. */
  readonly mtu: number;
  /** Where the datagram was sent. */
  readonly address: string;
  /** Where the datagram was sent. */
  readonly port: number;
  /** The router or host that the ICMP message is from; '' when nobody is known. */
  readonly offender: string;
  /** The front of the datagram, as much as came back. */
  readonly data: Buffer;
}

let memory: Buffer | null = null;

/** The oldest failure, or a negative errno. */
function takeFailure(traits: Traits, wait: boolean): DatagramFailure | number {
  memory ??= Buffer.allocUnsafeSlow(frontMax);
  const { slot, generation } = traits.endpoint;
  const told = binding.receiveError(slot, generation, memory, wait);
  if (typeof told === 'number') return told;
  const [count, code, origin, type, icmpCode, mtu] = told as number[];
  const [address, port, offender] = told.slice(6) as [string, number, string];
  const errno = -(code as number);
  return {
    code: getSystemErrorName(errno),
    errno,
    origin: origins[origin as number] ?? 'none',
    type: type as number,
    icmpCode: icmpCode as number,
    mtu: errno === -Errno.EMSGSIZE ? (mtu as number) : 0,
    address,
    port,
    offender,
    data: Buffer.from(memory.subarray(0, count)),
  };
}

class FailureOperation extends Operation {
  constructor(
    readonly resolve: (failure: DatagramFailure) => void,
    reject: (error: unknown) => void,
  ) {
    super(reject);
  }
}

export class ErrorQueue extends OperationQueue<FailureOperation> {
  private readonly traits: Traits;

  constructor(traits: Traits) {
    super();
    this.traits = traits;
  }

  /** The oldest failure, or null when there is none. */
  tryTake(): DatagramFailure | null {
    const got = takeFailure(this.traits, false);
    if (typeof got === 'object') return got;
    if (got === -EAGAIN) return null;
    throw systemError(got, { syscall: 'recvmsg' });
  }

  take(limits: Limits): Promise<DatagramFailure> {
    return new Promise((resolve, reject) => {
      const operation = new FailureOperation(resolve, reject);
      if (limits !== noLimits) {
        operation.limit(limits, (_, signal) => this.giveUp(operation, new AbortError(signal)));
      }
      const { endpoint } = this.traits;
      this.push(operation);
      endpoint.beginWait();
      if (operation.deadlineMs !== Number.POSITIVE_INFINITY) {
        endpoint.watchDeadline(operation.deadlineMs);
      }
      this.serve();
    });
  }

  /** Errors show as readiness; only an event says so, whatever the flags tell of datagrams. */
  serve(): void {
    while (this.head !== null) {
      const operation = this.head;
      const got = takeFailure(this.traits, true);
      if (got === -EAGAIN) {
        this.traits.endpoint.set(Flag.WantRead);
        return;
      }
      this.leave(operation);
      operation.disarm();
      if (typeof got === 'object') operation.resolve(got);
      else operation.reject(systemError(got, { syscall: 'recvmsg' }));
    }
  }

  expire(nowMs: number): number {
    if (this.earliestDeadline() <= nowMs) this.serve();
    for (const operation of this.overdue(nowMs)) {
      this.giveUp(operation, new TimeoutError('recvError', operation.timeoutMs));
    }
    return this.earliestDeadline();
  }

  close(): void {
    for (const operation of this.select(() => true)) this.giveUp(operation, closedError());
  }

  private leave(operation: FailureOperation): void {
    this.remove(operation);
    this.traits.endpoint.endWait();
  }

  private giveUp(operation: FailureOperation, error: Error): void {
    this.leave(operation);
    operation.reject(error);
  }
}
