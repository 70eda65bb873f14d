/** One attempt at a connection, whose outcome is kept until somebody takes it. */
import { isIPv4 } from 'node:net';
import { connect, Socket, type StreamSocket } from '@sock/core';
import { checkFunction, checkObject } from '@sock/native';

/**
 * What makes connections: `connect` of `@sock/core` with these arguments by default,
 * `connectHappyEyeballs` of `@sock/dns` fits, and so does a function of your own around TLS, a
 * proxy or a Unix path, which may leave the arguments aside. With `signal` it is told that the
 * attempt is over; a connection that comes later is closed.
 */
export type ConnectFunction = (
  host: string,
  port: number,
  options: { timeout: number; signal: AbortSignal },
) => Promise<StreamSocket>;

export type Outcome = { readonly socket: StreamSocket } | { readonly error: Error };

export interface Attempt {
  /**
   * To be watched for room to write, which comes with the outcome; −1: the attempt tells itself.
   */
  readonly fd: number;
  /** What has come of it; null: nothing yet. */
  take(): Outcome | null;
  /** Nobody wants it any more: what it still brings is closed. */
  cancel(): void;
}

export const connectByCore: ConnectFunction = (host, port, options) =>
  connect({ host, port, ...options });

export function asError(value: unknown): Error {
  return value instanceof Error ? value : new Error(`connect failed: ${String(value)}`);
}

function checkStream(value: unknown): StreamSocket {
  const stream = checkObject<StreamSocket>('the connection', value);
  for (const verb of ['send', 'sendAll', 'recv', 'close'] as const) {
    checkFunction(`the connection's ${verb}`, stream[verb]);
  }
  return value as StreamSocket;
}

function closeQuietly(value: unknown): void {
  try {
    (value as Partial<StreamSocket> | undefined)?.close?.();
  } catch {
    // It is the caller's own, and nobody's any more.
  }
}

/** By a function that promises a connection. */
export class PromisedAttempt implements Attempt {
  readonly fd = -1;
  private readonly abort = new AbortController();
  private outcome: Outcome | null = null;
  private isOver = false;

  /** Call {@link start} once it is known: the function may call anything. */
  constructor(private readonly onOutcome: () => void) {}

  start(make: ConnectFunction, host: string, port: number, timeoutMs: number): void {
    const options = { timeout: timeoutMs, signal: this.abort.signal };
    const promise = new Promise((resolve) => {
      resolve(make(host, port, options));
    });
    promise.then(
      (value) => this.succeed(value),
      (error: unknown) => this.settle({ error: asError(error) }),
    );
  }

  take(): Outcome | null {
    const { outcome } = this;
    if (outcome !== null) this.isOver = true;
    this.outcome = null;
    return outcome;
  }

  cancel(): void {
    if (this.isOver) return;
    this.isOver = true;
    if (this.outcome !== null && 'socket' in this.outcome) closeQuietly(this.outcome.socket);
    this.outcome = null;
    this.abort.abort();
  }

  private succeed(value: unknown): void {
    if (this.isOver) {
      closeQuietly(value);
      return;
    }
    try {
      this.settle({ socket: checkStream(value) });
    } catch (error) {
      closeQuietly(value);
      this.settle({ error: asError(error) });
    }
  }

  private settle(outcome: Outcome): void {
    if (this.isOver) return;
    this.outcome = outcome;
    this.onOutcome();
  }
}

/** To a literal address, step by step: without the event loop, which its owner may block. */
export class SteppedAttempt implements Attempt {
  private socket: Socket | null = null;
  private outcome: Outcome | null = null;

  constructor(host: string, port: number) {
    this.step((socket) => socket.tryConnect(host, port), isIPv4(host) ? 'ipv4' : 'ipv6');
  }

  get fd(): number {
    return this.socket?.fd ?? -1;
  }

  take(): Outcome | null {
    if (this.outcome === null && this.socket !== null) this.step((socket) => socket.tryConnect());
    const { outcome } = this;
    if (outcome !== null) this.socket = null;
    this.outcome = null;
    return outcome;
  }

  cancel(): void {
    this.socket?.close();
    this.socket = null;
    this.outcome = null;
  }

  private step(tryIt: (socket: Socket) => true | null, family: 'ipv4' | 'ipv6' = 'ipv4'): void {
    try {
      const socket = this.socket ?? open(family);
      this.socket = socket;
      if (tryIt(socket) === true) this.outcome = { socket };
    } catch (error) {
      this.socket?.close();
      this.outcome = { error: asError(error) };
    }
  }
}

function open(family: 'ipv4' | 'ipv6'): Socket {
  const socket = new Socket({ family });
  socket.setNoDelay(true);
  return socket;
}
