/** Attempts to connect that a poll watches and nothing but `advance` moves on. */
import { type Poller, Socket } from '@sock/core';
import type { Driver } from './driver.js';
import { familyOf } from './interleave.js';

interface Attempt {
  readonly socket: Socket;
  readonly connected: (socket: Socket) => void;
  readonly failed: (error: Error) => void;
}

/** `PollEvents.Write` of `@sock/poll`: a connect is over. */
const write = 2;

export class HandAttempts {
  private readonly running = new Set<Attempt>();

  constructor(
    private readonly driver: Driver,
    private readonly poll: Poller,
    /** The data of the events. */
    private readonly data: unknown,
    private readonly port: number,
  ) {}

  /** It settles later, within `advance` or when the driver's timers run. */
  begin(
    address: string,
    connected: (socket: Socket) => void,
    failed: (error: Error) => void,
  ): () => void {
    let attempt: Attempt | undefined;
    try {
      attempt = { socket: new Socket({ family: familyOf(address) }), connected, failed };
      this.running.add(attempt);
      attempt.socket.setNoDelay(true);
      const isConnected = attempt.socket.tryConnect(address, this.port) === true;
      this.poll.add(attempt.socket, write, this.data);
      // It is writable, so a look is due.
      if (isConnected) this.driver.notify();
    } catch (error) {
      return this.failLater(attempt, error as Error, failed);
    }
    const begun = attempt;
    return () => this.drop(begun);
  }

  /** Looks at each, and tells of those that are over. */
  advance(): void {
    for (const attempt of [...this.running]) {
      // The one before may have won, and called this one off.
      if (this.running.has(attempt)) this.look(attempt);
    }
  }

  /** A poll may be closed by now, and is asked nothing else then. */
  leavePoll(target: Socket | number): void {
    try {
      this.poll.remove(target);
    } catch {
      // There is nothing to be taken out of it.
    }
  }

  private look(attempt: Attempt): void {
    const { socket, connected, failed } = attempt;
    try {
      if (socket.tryConnect() === null) return;
    } catch (error) {
      this.drop(attempt);
      failed(error as Error);
      return;
    }
    this.running.delete(attempt);
    this.leavePoll(socket);
    connected(socket);
  }

  private failLater(
    attempt: Attempt | undefined,
    error: Error,
    failed: (error: Error) => void,
  ): () => void {
    if (attempt !== undefined) this.drop(attempt);
    const timer = this.driver.setTimeout(() => failed(error), 0);
    return () => this.driver.clearTimeout(timer);
  }

  private drop(attempt: Attempt): void {
    if (!this.running.delete(attempt)) return;
    this.leavePoll(attempt.socket);
    attempt.socket.close();
  }
}
