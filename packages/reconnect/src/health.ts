/** Checks of a connection, one at a time; those by the caller's function have a deadline. */
import { ReconnectError, type StreamSocket } from '@sock/core';
import type { Connection } from './connection.js';

/**
 * Whether the connection is well. `signal` is aborted when nobody wants to know any more: the time
 * is over, or the connection. What it throws, or rejects with, says that the connection is not
 * well.
 */
export type HealthCheck = (
  socket: StreamSocket,
  options: { signal: AbortSignal },
) => boolean | Promise<boolean>;

export interface HealthSettings {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** Why the connection is not well; null: it is. */
export type Verdict = { readonly error: Error | null };

interface Running {
  readonly endMs: number;
  readonly abort: AbortController;
  verdict: Verdict | null;
}

export class Health {
  readonly #settings: HealthSettings;
  readonly #onVerdict: () => void;
  #checkMs = Number.POSITIVE_INFINITY;
  #running: Running | null = null;

  constructor(settings: HealthSettings, onVerdict: () => void) {
    this.#settings = settings;
    this.#onVerdict = onVerdict;
  }

  /** When there is something to do. */
  get nextMs(): number {
    return this.#running?.endMs ?? this.#checkMs;
  }

  /** The next check is an interval away. */
  restart(nowMs: number): void {
    this.stop();
    this.#checkMs = nowMs + this.#settings.intervalMs;
  }

  stop(): void {
    const running = this.#running;
    this.#running = null;
    this.#checkMs = Number.POSITIVE_INFINITY;
    running?.abort.abort();
  }

  /** Takes the verdict, or begins what is due; an error: the connection is not well. */
  tick(nowMs: number, connection: Connection, check: HealthCheck | null): Error | null {
    if (this.#running === null && nowMs >= this.#checkMs) {
      if (check === null) {
        this.restart(nowMs);
        return connection.check();
      }
      this.#begin(nowMs, connection.socket, check);
    }
    const running = this.#running;
    if (running === null) return null;
    if (running.verdict === null) {
      if (nowMs < running.endMs) return null;
      const message = `the health check took longer than ${this.#settings.timeoutMs} ms`;
      return unhealthy(message, undefined);
    }
    this.restart(nowMs);
    return running.verdict.error;
  }

  #begin(nowMs: number, socket: StreamSocket, check: HealthCheck): void {
    const running: Running = {
      endMs: nowMs + this.#settings.timeoutMs,
      abort: new AbortController(),
      verdict: null,
    };
    this.#running = running;
    const conclude = (error: Error | null): void => {
      if (this.#running !== running) return;
      running.verdict = { error };
      this.#onVerdict();
    };
    const onAnswer = (isWell: boolean): void => {
      conclude(isWell ? null : unhealthy('the health check says no', undefined));
    };
    const onError = (cause: unknown): void => {
      conclude(unhealthy('the health check failed', cause));
    };
    try {
      const answer = check(socket, { signal: running.abort.signal });
      if (typeof answer === 'boolean') onAnswer(answer);
      else answer.then(onAnswer, onError);
    } catch (error) {
      onError(error);
    }
  }
}

function unhealthy(message: string, cause: unknown): ReconnectError {
  return new ReconnectError(message, { code: 'ERR_SOCK_UNHEALTHY', cause });
}
