/**
 * A handshake under way.
 *
 * It stands where a receiver and a sender will be, and tries the next step whenever the descriptor
 * is ready.
 */
import { AbortError, SocketClosedError, TimeoutError } from '@sock/core';
import { binding, type Endpoint, Errno, Flag, type Limits, Operation } from '@sock/native';

const { Held, WantRead, WantWrite } = Flag;

/** Who makes the handshake: what a step may need of it, and what it hears in the end. */
export interface HandshakeHost {
  /** Answers what the handshake asks of users. */
  consult(): Promise<void> | undefined;
  /** Judges the peer once both sides have agreed. */
  judge(): Promise<void> | undefined;
  errorFor(errno: number): Error;
  complete(): void;
  fail(error: unknown): void;
}

export class Handshake extends Operation {
  readonly hasUnread = false;
  private readonly endpoint: Endpoint;
  private readonly resolve: () => void;
  private readonly host: HandshakeHost;
  /** A callback of users is not done: events have to wait. */
  private isHeldUp = false;

  constructor(
    endpoint: Endpoint,
    resolve: () => void,
    reject: (error: unknown) => void,
    host: HandshakeHost,
  ) {
    super(reject);
    this.endpoint = endpoint;
    this.resolve = resolve;
    this.host = host;
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
    if (error === null) {
      this.host.complete();
      this.resolve();
    } else {
      this.host.fail(error);
      this.reject(error);
    }
  }

  onReadable(): void {
    this.step();
  }

  onWritable(): void {
    this.step();
  }

  /** Nothing asks for bytes. */
  onChunk(): void {}

  onFilled(): void {}

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
    if (endpoint.receiver !== this || this.isHeldUp) return;
    const result = binding.tlsHandshake(endpoint.slot, endpoint.generation, true);
    // A thread makes the step; the addon calls onReadable when it has.
    if (result === -Errno.EINPROGRESS) return;
    if (result === -Errno.EAGAIN) {
      endpoint.want(WantRead, 1);
      if (endpoint.has(Held)) endpoint.set(WantWrite);
      return;
    }
    if (result === 0) {
      this.waitFor(
        () => this.host.judge(),
        () => this.end(null),
      );
    } else if (result === -Errno.ENOMSG) {
      this.waitFor(
        () => this.host.consult(),
        () => this.step(),
      );
    } else {
      this.end(this.host.errorFor(result));
    }
  }

  /** Goes on with `next` once users have answered. */
  private waitFor(ask: () => Promise<void> | undefined, next: () => void): void {
    let answer: Promise<void> | undefined;
    try {
      answer = ask();
    } catch (error) {
      this.end(error as Error);
      return;
    }
    if (answer === undefined) {
      next();
      return;
    }
    this.isHeldUp = true;
    answer.then(
      () => {
        this.isHeldUp = false;
        if (this.endpoint.receiver === this) next();
      },
      (error: Error) => this.end(error),
    );
  }
}
