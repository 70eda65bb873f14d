/** Whatever happens to a pool, in any order: it agrees with a model that is plainly written. */
import { Arena, Socket } from '@sock/core';
import { type Connection, SocketPool } from '@sock/pool';
import { chooseSeed, FakeClock } from '@sock/testing';
import * as fc from 'fast-check';

/** What the model knows of a connection. */
interface Kept {
  readonly socket: Socket;
  readonly peer: Socket;
  readonly connection: Connection<number>;
  usedMs: number;
}

class Trial implements Disposable {
  readonly clock = new FakeClock();
  readonly pool: SocketPool<number>;
  /** In the order in which they came. */
  kept: Kept[] = [];
  readonly gone: { connection: Connection<number>; socket: Socket; isOpen: boolean }[] = [];
  readonly strangers: Socket[] = [];
  added = 0;
  rejected = 0;

  constructor(
    public max: number,
    arena: Arena | undefined,
  ) {
    this.pool = new SocketPool({
      maxConnections: max,
      bufferSize: 512,
      clock: this.clock,
      ...(arena === undefined ? {} : { arena }),
    });
  }

  /** The one that an index from anywhere means. */
  choose(index: number): Kept | undefined {
    return this.kept[index % Math.max(1, this.kept.length)];
  }

  leave(which: readonly Kept[], isOpen: boolean): void {
    for (const { connection, socket } of which) this.gone.push({ connection, socket, isOpen });
    this.kept = this.kept.filter((one) => !which.includes(one));
  }

  add(): void {
    const [socket, peer] = Socket.pair();
    this.strangers.push(socket, peer);
    const connection = this.pool.add(socket);
    if (this.kept.length >= this.max) {
      expect(connection).toBeNull();
      expect(socket.fd).toBeGreaterThan(-1);
      this.rejected++;
      return;
    }
    if (connection === null) throw new Error('refused, with places left');
    connection.data = this.added++;
    this.kept.push({ socket, peer, connection, usedMs: this.clock.now() });
  }

  check(): void {
    const { pool } = this;
    expect([...pool]).toEqual(this.kept.map(({ connection }) => connection));
    expect(pool.count).toBe(this.kept.length);
    const { added, rejected, count } = pool.stats;
    expect({ added, full: rejected.full, count }).toEqual({
      added: this.added,
      full: this.rejected,
      count: this.kept.length,
    });
    for (const { connection, socket } of this.kept) {
      expect([connection.isActive, connection.socket === socket]).toEqual([true, true]);
      expect(socket.fd).toBeGreaterThan(-1);
    }
    for (const { connection, socket, isOpen } of this.gone) {
      expect(connection.isActive).toBe(false);
      expect(() => connection.input).toThrow(expect.objectContaining({ code: 'ERR_SOCK_CLOSED' }));
      expect([pool.has(socket), socket.fd >= 0]).toEqual([false, isOpen]);
    }
    this.gone.length = 0;
  }

  [Symbol.dispose](): void {
    this.pool.close();
    for (const socket of this.strangers) socket.close();
  }
}

type Action = (trial: Trial) => void;
const index = fc.nat(1_000);

/** Each with what the model does about it. */
const action: fc.Arbitrary<Action> = fc.oneof(
  { arbitrary: fc.constant<Action>((trial) => trial.add()), weight: 6 },
  index.map<Action>((at) => (trial) => {
    const one = trial.choose(at);
    if (one === undefined) return;
    expect(trial.pool.add(one.socket)).toBe(one.connection);
    one.usedMs = trial.clock.now();
  }),
  index.map<Action>((at) => (trial) => {
    const one = trial.choose(at);
    if (one === undefined) return;
    expect(trial.pool.get(one.socket)).toBe(one.connection);
    expect(one.connection.data).not.toBeUndefined();
    one.usedMs = trial.clock.now();
  }),
  index.map<Action>((at) => (trial) => {
    const one = trial.choose(at);
    if (one === undefined) return;
    expect(trial.pool.remove(one.socket)).toBe(true);
    expect(trial.pool.remove(one.socket)).toBe(false);
    trial.leave([one], true);
  }),
  index.map<Action>((at) => (trial) => {
    const one = trial.choose(at);
    if (one === undefined) return;
    one.socket.close();
    trial.leave([one], false);
  }),
  // What is there of others must never show.
  index.map<Action>((at) => (trial) => {
    const one = trial.choose(at);
    if (one === undefined) return;
    const { input, output } = one.connection;
    expect(input.peek(1)).toHaveLength(input.isEmpty ? 0 : 1);
    for (const byte of [...input.peek(), ...output.peek()]) {
      expect(byte).toBe(one.connection.data === undefined ? -1 : one.connection.data % 251);
    }
    input.write(Buffer.alloc(7, (one.connection.data as number) % 251));
    output.write(Buffer.alloc(9, (one.connection.data as number) % 251));
  }),
  // Bytes in either direction are a use, from when somebody looks on.
  fc.tuple(index, fc.boolean()).map<Action>(([at, isInwards]) => (trial) => {
    const one = trial.choose(at);
    if (one === undefined) return;
    if (isInwards) {
      one.peer.trySend('x');
      one.socket.tryRecv();
    } else {
      one.socket.trySend('x');
      one.peer.tryRecv();
    }
    one.usedMs = trial.clock.now();
    expect(one.connection.lastActivity).toBe(one.usedMs);
  }),
  fc.nat(60).map<Action>((idleMs) => (trial) => {
    const nowMs = trial.clock.now();
    const idle = trial.kept.filter(({ usedMs }) => idleMs === 0 || nowMs - usedMs > idleMs);
    expect(trial.pool.cleanup(idleMs)).toBe(idle.length);
    trial.leave(idle, false);
  }),
  fc.integer({ min: 1, max: 12 }).map<Action>((max) => (trial) => {
    const surplus = Math.max(0, trial.kept.length - max);
    const oldest = [...trial.kept].sort((one, other) => one.usedMs - other.usedMs);
    expect(trial.pool.resize(max)).toBe(surplus);
    trial.leave(oldest.slice(0, surplus), false);
    trial.max = max;
  }),
  fc.nat(100).map<Action>((percent) => (trial) => {
    const free = trial.max - trial.kept.length;
    trial.pool.prewarm(percent);
    const wanted = Math.min(Math.floor((trial.max * percent) / 100), Math.max(0, free));
    expect(trial.pool.stats.spareBuffers).toBeGreaterThanOrEqual(wanted);
  }),
);

/** Waits take a promise; a third of the steps are one. */
const steps = fc.array(fc.oneof(action, action, fc.nat(40)), { minLength: 20, maxLength: 60 });

describe('a pool and its model', () => {
  it.each([true, false])('agree on whatever happens (with an arena: %p)', async (hasArena) => {
    const max = fc.integer({ min: 1, max: 8 });
    const property = fc.asyncProperty(max, steps, async (places, chosen) => {
      using arena = new Arena();
      using trial = new Trial(places, hasArena ? arena : undefined);
      for (const step of chosen) {
        if (typeof step === 'number') await trial.clock.advance(step);
        else step(trial);
        trial.check();
      }
      trial.pool.close();
      trial.leave(trial.kept, false);
      trial.check();
    });
    await fc.assert(property, { seed: chooseSeed(), numRuns: 15 });
  });
});
