/**
 * Theory of operation. The engine of a reconnecting socket: it joins the machine, which knows the
 * states, with the attempt or the connection that there is, the checks of its health, and whoever
 * drives it. All that can happen comes in through `enter`: a call, a look, a timer. Within it the
 * machine changes, attempts begin, connections end. When the outermost one is over, the next
 * wake-up is set, and only then do listeners hear what has changed, one change after the other.
 * What they call comes in like anything else, and its changes are told behind those that are still
 * to be told.
 */
import { ReconnectError, SocketClosedError, type StreamSocket } from '@sock/core';
import {
  type Attempt,
  type ConnectFunction,
  type Outcome,
  PromisedAttempt,
  SteppedAttempt,
} from './attempt.js';
import type { TimerClock } from './clock.js';
import { Connection } from './connection.js';
import { countReconnect, type ReconnectStateEvent, tellState } from './diagnostics.js';
import { type Drive, HandDrive, LoopDrive } from './drive.js';
import { Health, type HealthCheck } from './health.js';
import { Machine, type MachineSettings } from './machine.js';
import type { ReconnectState } from './reconnect-state.js';

export interface LinkSettings extends MachineSettings {
  readonly clock: TimerClock;
  readonly connect: ConnectFunction;
  /** By hand, to a literal address, by our own connect: then without the event loop. */
  readonly isStepped: boolean;
  readonly isByHand: boolean;
  readonly healthIntervalMs: number;
  readonly healthTimeoutMs: number;
  readonly deadAfterMs: number;
}

/** Who hears of changes, when they are complete. */
export interface LinkListener {
  /** Before anybody else: the connection can be used, or there will be none for now. */
  onConnection(connection: Connection | null): void;
  onStateChange(event: ReconnectStateEvent): void;
  onState(event: ReconnectStateEvent): void;
  onConnected(socket: StreamSocket): void;
  /** After the listeners of that, unless it is gone by then: it is everybody's from now on. */
  onOpen(connection: Connection): void;
  onLost(connection: Connection, error: Error, nowMs: number): void;
}

export class Link {
  readonly machine: Machine;
  /** The connection that there is. */
  connection: Connection | null = null;
  healthCheck: HealthCheck | null = null;
  closed = false;
  /** Whether anybody has wanted a connection. */
  hasBegun = false;

  readonly #settings: LinkSettings;
  readonly #listener: LinkListener;
  readonly #drive: Drive;
  readonly #health: Health;
  #attempt: Attempt | null = null;
  #wasConnected = false;
  #isHungUp = false;
  #keepsLoop = true;
  #depth = 0;
  #isTelling = false;
  readonly #news: (() => void)[] = [];

  constructor(settings: LinkSettings, listener: LinkListener) {
    this.#settings = settings;
    this.#listener = listener;
    const look = (): void => this.process();
    const onHangup = (): void => {
      this.#isHungUp = true;
      this.process();
    };
    this.#drive = settings.isByHand
      ? new HandDrive(settings.clock)
      : new LoopDrive(settings.clock, look, onHangup);
    const { healthIntervalMs: intervalMs, healthTimeoutMs: timeoutMs } = settings;
    this.#health = new Health({ intervalMs, timeoutMs }, () => this.#drive.notify());
    this.machine = new Machine(settings, {
      begin: () => this.#begin(),
      end: (error) => this.#end(error),
      changed: (from, to) => this.#changed(from, to),
    });
  }

  get pollFd(): number {
    return this.closed ? -1 : this.#drive.fd;
  }

  get clock(): TimerClock {
    return this.#settings.clock;
  }

  /** Whether there is a connection, or will be. */
  get comesBack(): boolean {
    return !this.closed && this.machine.state !== 'disconnected';
  }

  /** Milliseconds until time alone makes a look worthwhile. */
  get leftMs(): number {
    return Math.max(0, Math.ceil(this.#nextMs - this.#settings.clock.now()));
  }

  get #nextMs(): number {
    const { machine, connection } = this;
    if (connection === null) return machine.dueMs;
    return Math.min(connection.nextMs, this.#health.nextMs);
  }

  /** Whether waiting for the next connection keeps the event loop alive. */
  keepLoop(on: boolean): void {
    this.#keepsLoop = on;
    this.enter(() => {});
  }

  /** Takes what has come of attempts and checks, and does what is due. */
  process(): void {
    this.enter(() => {
      this.#drive.clear();
      this.#takeOutcome();
      const { connection } = this;
      if (connection === null) {
        this.machine.tick();
        return;
      }
      const nowMs = this.#settings.clock.now();
      const isHungUp = this.#isHungUp;
      this.#isHungUp = false;
      const error = isHungUp ? connection.lookAtEnd(nowMs) : connection.look();
      if (error !== null) this.machine.lost(error);
      else this.#tickConnection(connection, nowMs);
    });
  }

  /** Does what is due, and no more. */
  tick(): void {
    this.enter(() => {
      if (this.connection === null) this.machine.tick();
      else this.#tickConnection(this.connection, this.#settings.clock.now());
    });
  }

  /** Disconnects, and leaves the connection, if there is one, to whoever wants to end it. */
  release(): StreamSocket | null {
    const { connection } = this;
    this.enter(() => {
      if (connection !== null) {
        this.#leave(connection);
        connection.ending = endedHere(false);
      }
      this.machine.disconnect();
    });
    return connection?.socket ?? null;
  }

  /** Everything that changes anything happens within this. */
  enter(change: () => void): void {
    this.#depth++;
    try {
      change();
    } finally {
      this.#depth--;
    }
    if (this.#depth > 0) return;
    this.#arm();
    this.#tell();
  }

  close(): void {
    if (this.closed) return;
    this.enter(() => {
      this.closed = true;
      this.machine.disconnect();
      this.#drive.close();
    });
  }

  #arm(): void {
    if (this.closed) return;
    const isConnected = this.machine.state === 'connected';
    this.#drive.wakeAt(this.#nextMs, this.#keepsLoop && !isConnected);
  }

  #begin(): void {
    this.hasBegun = true;
    const { host, port, connect, isStepped, connectTimeoutMs } = this.#settings;
    if (isStepped) {
      this.#attempt = new SteppedAttempt(host, port);
      if (this.#attempt.fd < 0) this.#drive.notify();
      else this.#drive.watch(this.#attempt.fd, true);
      return;
    }
    const attempt = new PromisedAttempt(() => this.#drive.notify());
    // Known before the function is called, which may end it.
    this.#attempt = attempt;
    attempt.start(connect, host, port, connectTimeoutMs);
  }

  #takeOutcome(): void {
    const attempt = this.#attempt;
    if (attempt === null) return;
    const { fd } = attempt;
    const outcome = attempt.take();
    if (outcome === null) return;
    this.#attempt = null;
    if (fd >= 0) this.#drive.unwatch(fd);
    this.#settle(outcome);
  }

  #settle(outcome: Outcome): void {
    if ('error' in outcome) {
      this.machine.failed(outcome.error);
      return;
    }
    const { clock, deadAfterMs } = this.#settings;
    const connection = new Connection(outcome.socket, deadAfterMs, clock.now(), (lost, error) => {
      if (this.connection === lost) this.enter(() => this.machine.lost(error));
    });
    this.connection = connection;
    this.#health.restart(clock.now());
    if (connection.fd >= 0) this.#drive.watch(connection.fd, false);
    this.machine.succeeded();
  }

  #end(error: Error | null): void {
    const { connection } = this;
    const attempt = this.#attempt;
    this.#attempt = null;
    if (attempt !== null) {
      if (attempt.fd >= 0) this.#drive.unwatch(attempt.fd);
      attempt.cancel();
    }
    if (connection === null) return;
    this.#leave(connection);
    connection.end(error ?? endedHere(this.closed), error !== null);
    if (error === null) return;
    const nowMs = this.#settings.clock.now();
    this.#news.push(() => this.#listener.onLost(connection, error, nowMs));
  }

  #leave(connection: Connection): void {
    this.connection = null;
    this.#isHungUp = false;
    this.#health.stop();
    if (connection.fd >= 0) this.#drive.unwatch(connection.fd);
  }

  #changed(from: ReconnectState, to: ReconnectState): void {
    const { host, port, clock } = this.#settings;
    const { machine, connection } = this;
    const attempt = machine.attempts;
    const error = machine.error ?? undefined;
    const event = { time: clock.now(), host, port, from, to, attempt, error };
    if (to === 'connected') {
      if (this.#wasConnected) countReconnect();
      this.#wasConnected = true;
    } else if (to === 'disconnected') {
      this.#wasConnected = false;
    }
    this.#listener.onConnection(to === 'connected' ? connection : null);
    this.#news.push(
      () => tellState(event),
      () => this.#listener.onStateChange(event),
      () => this.#listener.onState(event),
    );
    if (to !== 'connected' || connection === null) return;
    this.#news.push(
      () => this.#listener.onConnected(connection.socket),
      () => {
        if (this.connection === connection) this.#listener.onOpen(connection);
      },
    );
  }

  #tickConnection(connection: Connection, nowMs: number): void {
    const dead = connection.tick(nowMs);
    if (dead !== null) {
      this.machine.lost(dead);
      return;
    }
    const unwell = this.#health.tick(nowMs, connection, this.healthCheck);
    if (unwell !== null && this.connection === connection) this.machine.lost(unwell);
  }

  #tell(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    for (let news = this.#news.shift(); news !== undefined; news = this.#news.shift()) {
      try {
        news();
      } catch (error) {
        // The others want to hear it, too, and what has changed has changed.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
    this.#isTelling = false;
  }
}

export function endedHere(closed: boolean): SocketClosedError {
  const message = closed ? 'the socket is closed' : 'disconnect() was called';
  return new SocketClosedError(message, { code: 'ERR_SOCK_CLOSED' });
}

/** What an operation is refused with while there is no connection. */
export function refusalOf({ machine, closed }: Link): Error {
  if (closed) return endedHere(true);
  const { state, error } = machine;
  if (state === 'disconnected' && error !== null) return error;
  const cause = error ?? undefined;
  return new ReconnectError(`there is no connection (${state})`, { code: 'ENOTCONN', cause });
}
