/**
 * Accepting for a pool: what is not let in is closed at once, by the addon before there is a socket
 * where the server can be guarded.
 */
import { AbortError, type OperationOptions, type SyncOptions } from '@sock/core';
import { checkFunction, checkObject, type Guard } from '@sock/native';
import { Alarm, type Limits } from '@sock/reconnect';
import type { Connection } from './connection.js';
import type { PooledSocket } from './pooled-socket.js';
import { closedError, closeQuietly, fullError, type Roster } from './roster.js';

/** What accepts connections: a listening `Socket`, a `TlsListener`, or the like. */
export interface ConnectionSource<S extends PooledSocket> {
  /** Waits for a connection. */
  accept(options?: OperationOptions): Promise<S>;
  /** Blocks this thread until there is one. */
  acceptSync?(options?: SyncOptions): S;
  /** A connection, or `null` when none waits. */
  tryAccept?(): S | null;
}

/** Listeners of ours ask, for each who comes, whether it may. */
interface Guardable<S extends PooledSocket> extends ConnectionSource<S> {
  guardedBy?(guard: Guard): ConnectionSource<S>;
}

/**
 * Connections that may be refused one after the other before somebody else has a turn. What is
 * accepted at once goes on as a microtask, before any timer: a flood would starve them all.
 */
const refusalsPerTurn = 64;

export class Intake<Data, S extends PooledSocket> {
  readonly #roster: Roster<Data, S>;

  constructor(roster: Roster<Data, S>) {
    this.#roster = roster;
  }

  /** The next one that is let in. */
  async accept(server: ConnectionSource<S>, limits: Limits): Promise<Connection<Data, S>> {
    const roster = this.#roster;
    roster.checkRunning();
    if (limits.signal?.aborted) throw new AbortError(limits.signal);
    const until = new AbortController();
    const stop = (): void => until.abort(closedError('the pool drains'));
    roster.stop.addEventListener('abort', stop, { once: true });
    const alarm = new Alarm(roster.clock, limits, 'accept', (error) => until.abort(error));
    try {
      return await this.#acceptUntil(this.#guard(server), until.signal);
    } catch (error) {
      throw until.signal.aborted ? until.signal.reason : error;
    } finally {
      alarm.disarm();
      roster.stop.removeEventListener('abort', stop);
    }
  }

  acceptSync(server: ConnectionSource<S>, timeoutMs: number): Connection<Data, S> {
    const { clock } = this.#roster;
    const guarded = this.#guard(server);
    const acceptSync = verbOf(guarded, 'acceptSync');
    const endMs = clock.now() + timeoutMs;
    for (;;) {
      this.#roster.checkRunning();
      if (this.#roster.isFull) throw fullError();
      const timeout = Math.max(0, endMs - clock.now());
      const connection = this.#judge(acceptSync.call(guarded, { timeout }));
      if (connection !== null) return connection;
    }
  }

  /** Those that wait, as many as are let in; with a limit to the refusals. */
  acceptWaiting(server: ConnectionSource<S>, max: number): Connection<Data, S>[] {
    const guarded = this.#guard(server);
    const tryAccept = verbOf(guarded, 'tryAccept');
    this.#roster.checkRunning();
    const connections: Connection<Data, S>[] = [];
    for (let refused = 0; connections.length < max && refused < refusalsPerTurn; ) {
      // What waits in the backlog when the pool is full loses nothing there.
      const socket = this.#roster.isFull ? null : tryAccept.call(guarded);
      if (socket === null) break;
      const connection = this.#judge(socket);
      if (connection === null) refused++;
      else connections.push(connection);
    }
    return connections;
  }

  async #acceptUntil(
    server: ConnectionSource<S>,
    signal: AbortSignal,
  ): Promise<Connection<Data, S>> {
    for (let refused = 1; ; refused++) {
      await this.#waitForRoom(signal);
      const socket = await server.accept({ signal });
      const connection = await this.#seat(socket, signal);
      if (connection !== null) return connection;
      if (refused % refusalsPerTurn === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #guard(server: ConnectionSource<S>): ConnectionSource<S> {
    return (server as Guardable<S>).guardedBy?.(this.#roster.guard) ?? server;
  }

  async #waitForRoom(signal: AbortSignal): Promise<void> {
    while (this.#roster.isFull) {
      await this.#roster.room.wait({ signal, timeoutMs: Number.POSITIVE_INFINITY }, 'accept');
    }
  }

  /** Others may have come meanwhile: it is accepted, so it waits for the next place. */
  async #seat(socket: S, signal: AbortSignal): Promise<Connection<Data, S> | null> {
    try {
      await this.#waitForRoom(signal);
    } catch (error) {
      this.#refuse(socket);
      throw error;
    }
    return this.#judge(socket);
  }

  #refuse(socket: S): void {
    this.#roster.reject(socket.remoteAddress, this.#roster.stop.aborted ? 'draining' : 'full');
    closeQuietly(socket);
  }

  #judge(socket: S): Connection<Data, S> | null {
    const connection = this.#roster.admit(socket);
    if (connection === null) closeQuietly(socket);
    return connection;
  }
}

export function checkSource<S extends PooledSocket>(value: unknown): ConnectionSource<S> {
  const server = checkObject<ConnectionSource<S>>('server', value);
  checkFunction('server.accept', server.accept);
  return value as ConnectionSource<S>;
}

function verbOf<S extends PooledSocket, Verb extends 'acceptSync' | 'tryAccept'>(
  server: ConnectionSource<S>,
  verb: Verb,
): NonNullable<ConnectionSource<S>[Verb]> {
  return checkFunction(`server.${verb}`, server[verb]) as NonNullable<ConnectionSource<S>[Verb]>;
}
