/**
 * A handshake under way.
 *
 * It stands where a receiver and a sender will be, and tries the next step whenever the descriptor
 * is ready.
 */
import { AbortError, SocketClosedError, TimeoutError } from '@sock/core';
import { binding, type Endpoint, Errno, Flag, type Limits, Operation } from '@sock/native';

const { Held, WantRead, WantWrite } = Flag;

export class Handshake extends Operation {
  readonly hasUnread = false;
  private readonly endpoint: Endpoint;
  private readonly resolve: () => void;
  private readonly onFailed: (errno: number) => Error;

  constructor(
    endpoint: Endpoint,
    resolve: () => void,
    reject: (error: unknown) => void,
    onFailed: (errno: number) => Error,
  ) {
    super(reject);
    this.endpoint = endpoint;
    this.resolve = resolve;
    this.onFailed = onFailed;
  }

  begin(limits: Limits): void {
    const { endpoint } = this;
    endpoint.receiver = this;
    endpoint.sender = this;
    endpoint.beginWait();
    this.limit(limits, (_, signal) => this.end(new AbortError(signal)));
    if (this.deadlineMs !== Number.POSITIVE_INFINITY) endpoint.watchDeadline(this.deadlineMs);
    this.step();
  }

  /** Over, for a reason that is not the peer's: null when it is done. */
  end(error: Error | null): void {
    const { endpoint } = this;
    if (endpoint.receiver !== this) return;
    endpoint.receiver = null;
    endpoint.sender = null;
    endpoint.clear(WantRead | WantWrite);
    endpoint.endWait();
    this.disarm();
    if (error === null) this.resolve();
    else this.reject(error);
  }

  onReadable(): void {
    this.step();
  }

  onWritable(): void {
    this.step();
  }

  /** Nothing asks for chunks. */
  onChunk(): void {}

  onDetached(): void {}

  expire(nowMs: number): number {
    if (nowMs < this.deadlineMs) return this.deadlineMs;
    this.end(new TimeoutError('handshake', this.timeoutMs));
    return Number.POSITIVE_INFINITY;
  }

  close(): void {
    this.end(new SocketClosedError('the socket is closed', { code: 'ERR_SOCK_CLOSED' }));
  }

  private step(): void {
    const { endpoint } = this;
    if (endpoint.receiver !== this) return;
    const result = binding.tlsHandshake(endpoint.slot, endpoint.generation, true);
    // A thread makes the step; the addon calls onReadable when it has.
    if (result === -Errno.EINPROGRESS) return;
    if (result === -Errno.EAGAIN) {
      endpoint.want(WantRead, 1);
      if (endpoint.has(Held)) endpoint.set(WantWrite);
      return;
    }
    this.end(result === 0 ? null : this.onFailed(result));
  }
}
