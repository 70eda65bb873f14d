/** Connecting one socket to one address. */
import { binding, type Endpoint, Errno, Flag, type Limits, Operation } from '@sock/native';
import { AbortError, closedError, systemError, TimeoutError } from './errors.js';
import { monotonicMs } from './monotonic.js';
import type { Target } from './target.js';

/** A Unix socket whose backlog is full says EAGAIN, and nothing tells when there is room again. */
const retryAfterMs = 10;

class ConnectOperation extends Operation {
  readonly resolve: () => void;

  constructor(resolve: () => void, reject: (error: unknown) => void) {
    super(reject);
    this.resolve = resolve;
  }
}

/** Asks the kernel for the connection: 0, -EINPROGRESS or another negative errno. */
export function startConnect(endpoint: Endpoint, target: Target, wait: boolean): number {
  const { slot, generation } = endpoint;
  if ('path' in target) return binding.connectUnix(slot, generation, target.path, wait);
  return binding.connect(slot, generation, target.address, target.port, wait);
}

export class Connector {
  private readonly endpoint: Endpoint;
  private readonly target: Target;
  private operation: ConnectOperation | null = null;
  private retryAtMs = Number.POSITIVE_INFINITY;

  constructor(endpoint: Endpoint, target: Target) {
    this.endpoint = endpoint;
    this.target = target;
  }

  run(limits: Limits): Promise<void> {
    const result = startConnect(this.endpoint, this.target, true);
    if (result === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const operation = new ConnectOperation(resolve, reject);
      operation.limit(limits, (_, signal) => {
        this.settle(new AbortError(signal, undefined, this.target));
      });
      this.operation = operation;
      this.endpoint.beginWait();
      if (operation.deadlineMs !== Number.POSITIVE_INFINITY) {
        this.endpoint.watchDeadline(operation.deadlineMs);
      }
      this.note(result);
    });
  }

  onWritable(): void {
    if (this.operation === null) return;
    this.note(binding.connectOutcome(this.endpoint.slot, this.endpoint.generation));
  }

  expire(nowMs: number): number {
    const { operation } = this;
    if (operation === null) return Number.POSITIVE_INFINITY;
    if (operation.deadlineMs <= nowMs) {
      // It may be connected, and the event that says so still on the way.
      if (this.retryAtMs === Number.POSITIVE_INFINITY) this.onWritable();
      this.settle(new TimeoutError('connect', operation.timeoutMs, this.target));
      return Number.POSITIVE_INFINITY;
    }
    if (this.retryAtMs <= nowMs) {
      this.retryAtMs = Number.POSITIVE_INFINITY;
      this.note(startConnect(this.endpoint, this.target, true));
    }
    return Math.min(operation.deadlineMs, this.retryAtMs);
  }

  close(): void {
    this.settle(closedError());
  }

  private note(result: number): void {
    if (result === 0) {
      this.settle(null);
    } else if (result === -Errno.EINPROGRESS) {
      this.endpoint.set(Flag.WantWrite);
    } else if (result === -Errno.EAGAIN && 'path' in this.target) {
      this.retryAtMs = monotonicMs() + retryAfterMs;
      this.endpoint.watchDeadline(this.retryAtMs);
    } else {
      this.settle(systemError(result, { syscall: 'connect', ...this.target }));
    }
  }

  private settle(error: Error | null): void {
    const { operation } = this;
    if (operation === null) return;
    this.operation = null;
    operation.disarm();
    this.endpoint.endWait();
    this.endpoint.dropDeadline();
    if (error === null) operation.resolve();
    else operation.reject(error);
  }
}
