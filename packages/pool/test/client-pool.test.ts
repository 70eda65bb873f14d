import { Socket } from '@sock/core';
import { ClientPool, type ClientPoolOptions } from '@sock/pool';
import { chooseSeed, FakeClock, failureOf, until, useCleanup } from '@sock/testing';
import * as fc from 'fast-check';

const cleanup = useCleanup();

/** A dial under way. */
interface Trial {
  readonly to: string;
  readonly signal: AbortSignal;
  /** This is the peer's end of what comes of it. */
  succeed(): Promise<Socket>;
  fail(): Promise<void>;
}

function makeRig(options: Partial<ClientPoolOptions<Socket>> = {}) {
  const clock = new FakeClock();
  const trials: Trial[] = [];
  /** What came of them, in order. */
  const made: Socket[] = [];
  const connect = (host: string, port: number, { signal }: { signal: AbortSignal }) =>
    new Promise<Socket>((resolve, reject) => {
      const over = async (): Promise<void> => {
        trials.splice(trials.indexOf(trial), 1);
        await clock.advance(0);
      };
      const trial: Trial = {
        to: `${host}:${port}`,
        signal,
        async succeed() {
          const [near, far] = Socket.pair();
          cleanup.add(near);
          cleanup.add(far);
          made.push(near);
          resolve(near);
          await over();
          return far;
        },
        async fail() {
          reject(new Error(`${host} is down`));
          await over();
        },
      };
      trials.push(trial);
    });
  const where = options.addresses === undefined ? { host: 'x', port: 1 } : {};
  const pool = cleanup.add(
    new ClientPool<Socket>({ ...where, connect, clock, random: () => 0.5, ...options }),
  );
  /** One that is lent out, and its peer. */
  const borrow = async (): Promise<[Socket, Socket]> => {
    const acquired = pool.acquire();
    const peer = await (trials[0] as Trial).succeed();
    return [await acquired, peer];
  };
  return { clock, trials, made, pool, borrow };
}

describe('a client pool', () => {
  it.each<[object | undefined, string]>([
    [undefined, 'options'],
    [{ port: 1 }, 'options.host'],
    [{ host: 'x' }, 'options.port'],
    [{ host: 'x', port: 1, max: 0 }, 'options.max'],
    [{ host: 'x', port: 1, min: 3, max: 2 }, 'options.min'],
    [{ host: 'x', port: 1, maxLifetime: 0 }, 'options.maxLifetime'],
    [{ host: 'x', port: 1, idleTimeout: -1 }, 'options.idleTimeout'],
    [{ host: 'x', port: 1, acquireTimeout: 0 }, 'options.acquireTimeout'],
    [{ host: 'x', port: 1, leakWarningAfter: 0 }, 'options.leakWarningAfter'],
    [{ host: 'x', port: 1, maxWaiting: -1 }, 'options.maxWaiting'],
    [{ host: 'x', port: 1, validate: true }, 'options.validate'],
    [{ host: 'x', port: 1, addresses: [{ host: 'x', port: 1 }] }, 'options.addresses'],
    [{ addresses: [] }, 'options.addresses'],
    [{ addresses: [{ host: 'x', port: 0 }] }, 'options.addresses[0].port'],
    [{ host: 'x', port: 1, maximum: 2 }, 'options.maximum'],
  ])('refuses the options %p', (options, name) => {
    expect(() => new ClientPool(options as never)).toThrow(`"${name}"`);
  });

  it('lends out again what came back last', async () => {
    const { pool, borrow } = makeRig();
    const [first] = await borrow();
    const [second] = await borrow();
    pool.release(second);
    pool.release(first);
    expect(await pool.acquire()).toBe(first);
    expect(await pool.acquire()).toBe(second);
    expect(pool.stats).toMatchObject({ open: 2, lent: 2, idle: 0, created: 2, acquired: 4 });
  });

  it('takes back only what it has lent out', async () => {
    const { pool, borrow } = makeRig();
    const [socket] = await borrow();
    pool.release(socket);
    const stranger = Socket.pair();
    for (const one of stranger) cleanup.add(one);
    for (const one of [socket, stranger[0], {}, null]) {
      const code = 'ERR_SOCK_NOT_POOLED';
      expect(() => pool.release(one as Socket)).toThrow(expect.objectContaining({ code }));
    }
  });

  it('keeps a dial that its first asker has given up on, for the next', async () => {
    const { pool, trials } = makeRig();
    const abort = new AbortController();
    const first = failureOf(pool.acquire({ signal: abort.signal }));
    abort.abort(new Error('enough'));
    expect(await first).toMatchObject({ code: 'ABORT_ERR', cause: new Error('enough') });
    expect([trials.length, trials[0]?.signal.aborted]).toEqual([1, false]);
    const second = pool.acquire();
    expect(trials).toHaveLength(1);
    await trials[0]?.succeed();
    expect((await second).fd).toBeGreaterThan(-1);
  });

  it('lets so many wait, each for so long, and no more', async () => {
    const { pool, clock, borrow } = makeRig({ max: 1, maxWaiting: 2, acquireTimeout: 100 });
    await borrow();
    const waits = [pool.acquire(), pool.acquire({ timeout: 50 }), pool.acquire()].map(failureOf);
    expect(await waits[2]).toMatchObject({ code: 'ERR_SOCK_POOL_FULL', retryable: true });
    await clock.advance(50);
    expect(await waits[1]).toMatchObject({ code: 'ERR_SOCK_TIMEOUT', timeout: 50 });
    await clock.advance(50);
    expect(await waits[0]).toMatchObject({ code: 'ERR_SOCK_TIMEOUT', timeout: 100 });
  });

  it('does not lend out what the peer has hung up', async () => {
    const { pool, trials, borrow } = makeRig();
    const [socket, peer] = await borrow();
    pool.release(socket);
    peer.close();
    const next = pool.acquire();
    await trials[0]?.succeed();
    expect(await next).not.toBe(socket);
    expect([socket.fd, pool.stats.destroyed]).toEqual([-1, 1]);
  });

  it('asks whether a connection is good each time before it is lent out again', async () => {
    const verdicts: (boolean | Error)[] = [true, false, new Error('no'), true];
    const asked: Socket[] = [];
    const validate = async (connection: Socket): Promise<boolean> => {
      asked.push(connection);
      const verdict = verdicts.shift() ?? true;
      if (verdict instanceof Error) throw verdict;
      return verdict;
    };
    const { pool, trials, borrow } = makeRig({ validate });
    const borrowed = [await borrow(), await borrow(), await borrow()];
    for (const [socket] of borrowed) pool.release(socket);
    expect(asked).toHaveLength(0);
    const [first, second, third] = borrowed.map(([socket]) => socket);
    expect(await pool.acquire()).toBe(third);
    const next = pool.acquire();
    await until(5_000, () => trials.length > 0);
    await trials[0]?.succeed();
    expect((await next).fd).toBeGreaterThan(-1);
    expect(asked).toEqual([third, second, first]);
    expect([second?.fd, first?.fd, pool.stats.open]).toEqual([-1, -1, 2]);
  });

  it('closes what is too old, or idle for too long, and keeps as many as it has to', async () => {
    const limits = { min: 1, max: 3, idleTimeout: 10_000, maxLifetime: 100_000 };
    const { pool, clock, trials, borrow } = makeRig(limits);
    expect(trials).toHaveLength(1);
    const [first] = await borrow();
    const [second] = await borrow();
    pool.release(first);
    pool.release(second);
    await clock.advance(11_000);
    expect([pool.stats.open, first.fd, second.fd >= 0]).toEqual([1, -1, true]);
    // By chance 5 % less than the lifetime.
    await clock.advance(85_000);
    expect([second.fd, trials.length]).toEqual([-1, 1]);
    await trials[0]?.fail();
    expect(trials).toHaveLength(0);
    await clock.advance(2_000);
    await trials[0]?.succeed();
    expect(pool.stats).toMatchObject({ open: 1, idle: 1, failed: 1 });
  });

  it('spreads over its addresses, and leaves those alone that are down', async () => {
    const addresses = [
      { host: 'a', port: 1 },
      { host: 'b', port: 2 },
    ];
    const { pool, clock, trials } = makeRig({ addresses, max: 8 });
    const acquired = [1, 2, 3, 4].map(() => pool.acquire());
    expect(trials.map(({ to }) => to)).toEqual(['a:1', 'b:2', 'a:1', 'b:2']);
    await trials[0]?.fail();
    expect(trials.map(({ to }) => to)).toEqual(['b:2', 'a:1', 'b:2', 'b:2']);
    expect(pool.stats.addresses.map(({ isDown }) => isDown)).toEqual([true, false]);
    acquired.push(pool.acquire());
    expect(trials.at(-1)?.to).toBe('b:2');
    while (trials.length > 0) await trials[0]?.succeed();
    await Promise.all(acquired);
    await clock.advance(1_000);
    acquired.push(pool.acquire());
    expect(trials.at(-1)?.to).toBe('a:1');
    await trials[0]?.succeed();
    await acquired.at(-1);
  });

  it('tells each dial that fails to one who waits, once', async () => {
    const { pool, trials } = makeRig({ max: 2 });
    const waits = [1, 2, 3].map(() => failureOf(pool.acquire()));
    await trials[0]?.fail();
    expect(await waits[0]).toMatchObject({ message: 'x is down' });
    expect(trials).toHaveLength(2);
    await trials[0]?.fail();
    await trials[0]?.fail();
    expect((await Promise.all(waits)).every((error) => error instanceof Error)).toBe(true);
    expect(pool.stats).toMatchObject({ failed: 3, waiting: 0, dialing: 0 });
  });

  it('uses a connection, and closes it where that fails', async () => {
    const { pool, trials } = makeRig();
    const reply = pool.use(async (connection) => {
      await connection.sendAll('question');
      return connection.recv();
    });
    const peer = await (trials[0] as Trial).succeed();
    expect(String(await peer.recv())).toBe('question');
    await peer.sendAll('answer');
    expect(String(await reply)).toBe('answer');
    expect(pool.stats).toMatchObject({ open: 1, idle: 1 });
    const failure = failureOf(
      pool.use(() => {
        throw new Error('half read');
      }),
    );
    expect(await failure).toMatchObject({ message: 'half read' });
    expect(pool.stats.open).toBe(0);
  });

  it('says once who has not given a connection back', async () => {
    const { pool, clock, trials } = makeRig({ leakWarningAfter: 1_000 });
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    cleanup.add({ close: () => warn.mockRestore() });
    async function forgetful(): Promise<void> {
      const acquired = pool.acquire();
      await trials[0]?.succeed();
      await acquired;
    }
    await forgetful();
    await clock.advance(3_000);
    expect(warn.mock.calls).toEqual([
      [
        'A connection of a pool was not given back within 1000 ms',
        { code: 'SOCK_POOL_LEAK', detail: expect.stringContaining('forgetful') },
      ],
    ]);
  });

  it('drains: serves those in line, waits for what is lent out, and lends no more', async () => {
    const { pool, borrow } = makeRig({ max: 1 });
    const [socket] = await borrow();
    const inLine = pool.acquire();
    const drained = pool.drain();
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    pool.release(socket);
    pool.release(await inLine);
    expect([await drained, socket.fd]).toEqual([0, -1]);
  });

  it('cuts off what is lent out when the time to drain is over', async () => {
    const { pool, clock, borrow } = makeRig({ max: 1 });
    const [socket] = await borrow();
    const inLine = failureOf(pool.acquire());
    const drained = pool.drain({ timeout: 100 });
    await clock.advance(100);
    expect([await drained, socket.fd]).toEqual([1, -1]);
    expect(await inLine).toMatchObject({ name: 'PoolError', code: 'ERR_SOCK_CLOSED' });
    pool.release(socket);
  });

  it('closed, ends dials, and closes what they bring all the same', async () => {
    const { pool, trials } = makeRig();
    const failure = failureOf(pool.acquire());
    const [trial] = trials;
    pool.close();
    expect(await failure).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    expect(trial?.signal.aborted).toBe(true);
    const peer = await trial?.succeed();
    await expect(peer?.recv()).rejects.toMatchObject({ code: 'ERR_SOCK_EOF' });
  });
});

/** The pool as plainly as it can be written down; connections by number, in the order made. */
class Model {
  idle: number[] = [];
  lent: number[] = [];
  line: { ticket: number; endMs: number }[] = [];
  dialing = 0;
  readonly ended = new Set<number>();
  /** By ticket: the connection, or why there is none. */
  readonly outcomes = new Map<number, string>();

  constructor(
    readonly max: number,
    readonly waitingMax: number,
  ) {}

  get total(): number {
    return this.idle.length + this.lent.length + this.dialing;
  }

  acquire(ticket: number, endMs: number): void {
    while (this.line.length === 0 && this.idle.length > 0) {
      const connection = this.idle.pop() as number;
      if (this.ended.has(connection)) continue;
      this.lend(ticket, connection);
      return;
    }
    const isServed = this.total < this.max || this.dialing > this.line.length;
    if (this.line.length >= this.waitingMax && !isServed) {
      this.outcomes.set(ticket, 'ERR_SOCK_POOL_FULL');
      return;
    }
    this.line.push({ ticket, endMs });
    this.fill();
  }

  offer(connection: number): void {
    const first = this.line.shift();
    if (first === undefined) this.idle.push(connection);
    else this.lend(first.ticket, connection);
    this.fill();
  }

  release(connection: number): void {
    this.lent = this.lent.filter((other) => other !== connection);
    if (this.line.length > 0 && this.ended.has(connection)) this.fill();
    else this.offer(connection);
  }

  lose(connection: number): void {
    this.lent = this.lent.filter((other) => other !== connection);
    this.idle = this.idle.filter((other) => other !== connection);
    this.fill();
  }

  fail(): void {
    this.dialing--;
    const first = this.line.shift();
    if (first !== undefined) this.outcomes.set(first.ticket, 'x is down');
    this.fill();
  }

  giveUp(ticket: number, why: string): void {
    this.line = this.line.filter((one) => one.ticket !== ticket);
    this.outcomes.set(ticket, why);
  }

  private lend(ticket: number, connection: number): void {
    this.lent.push(connection);
    this.outcomes.set(ticket, String(connection));
  }

  private fill(): void {
    while (this.dialing < this.line.length && this.total < this.max) this.dialing++;
  }
}

type Play = ReturnType<typeof makeRig> & {
  model: Model;
  peers: Socket[];
  aborts: AbortController[];
  found: Map<number, string>;
};

function ask(play: Play, timeout: number): void {
  const { model, aborts, found, pool, clock, made } = play;
  const ticket = aborts.length;
  const abort = new AbortController();
  aborts.push(abort);
  model.acquire(ticket, clock.now() + timeout);
  pool.acquire({ timeout, signal: abort.signal }).then(
    (socket) => found.set(ticket, String(made.indexOf(socket))),
    ({ code, message }) => found.set(ticket, code ?? message),
  );
}

const at = fc.nat(1_000);
type Step = (play: Play) => void | Promise<void>;
const choose = (run: (play: Play, index: number) => void | Promise<void>) =>
  at.map<Step>((index) => (play) => run(play, index));

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.integer({ min: 1, max: 80 }).map<Step>((ms) => (play) => ask(play, ms)),
    weight: 4,
  },
  {
    arbitrary: choose(async (play, index) => {
      const trial = play.trials[index % Math.max(1, play.trials.length)];
      if (trial === undefined) return;
      play.model.dialing--;
      play.model.offer(play.made.length);
      play.peers.push(await trial.succeed());
    }),
    weight: 3,
  },
  choose(async ({ trials, model }, index) => {
    const trial = trials[index % Math.max(1, trials.length)];
    if (trial === undefined) return;
    model.fail();
    await trial.fail();
  }),
  {
    arbitrary: choose(({ model, pool, made }, index) => {
      const connection = model.lent[index % Math.max(1, model.lent.length)];
      if (connection === undefined) return;
      model.release(connection);
      pool.release(made[connection] as Socket);
    }),
    weight: 3,
  },
  choose(({ model, made }, index) => {
    const open = [...model.lent, ...model.idle];
    const connection = open[index % Math.max(1, open.length)];
    if (connection === undefined) return;
    model.lose(connection);
    made[connection]?.close();
  }),
  choose(({ model, peers }, index) => {
    const connection = model.idle[index % Math.max(1, model.idle.length)];
    if (connection === undefined) return;
    model.ended.add(connection);
    peers[connection]?.close();
  }),
  choose(({ model, aborts }, index) => {
    const one = model.line[index % Math.max(1, model.line.length)];
    if (one === undefined) return;
    model.giveUp(one.ticket, 'ABORT_ERR');
    aborts[one.ticket]?.abort();
  }),
  fc.nat(50).map<Step>((ms) => async ({ clock, model }) => {
    const untilMs = clock.now() + ms;
    for (const { ticket, endMs } of model.line) {
      if (endMs <= untilMs) model.giveUp(ticket, 'ERR_SOCK_TIMEOUT');
    }
    await clock.advance(ms);
  }),
);

describe('a client pool and its model', () => {
  it('agree on whatever happens', async () => {
    const size = fc.integer({ min: 1, max: 4 });
    const steps = fc.array(step, { minLength: 20, maxLength: 60 });
    const property = fc.asyncProperty(size, fc.nat(3), steps, async (max, maxWaiting, chosen) => {
      const rig = makeRig({ max, maxWaiting, idleTimeout: Number.POSITIVE_INFINITY });
      const play: Play = {
        ...rig,
        model: new Model(max, maxWaiting),
        peers: [],
        aborts: [],
        found: new Map(),
      };
      for (const run of chosen) {
        await run(play);
        await rig.clock.advance(0);
        const { idle, lent, dialing, waiting } = rig.pool.stats;
        const { model, found } = play;
        expect({ idle, lent, dialing, waiting }).toEqual({
          idle: model.idle.length,
          lent: model.lent.length,
          dialing: model.dialing,
          waiting: model.line.length,
        });
        expect([...found].sort()).toEqual([...model.outcomes].sort());
      }
      rig.pool.close();
      await rig.clock.advance(0);
      expect(play.found.size).toBe(play.aborts.length);
      for (const socket of [...rig.made, ...play.peers]) socket.close();
    });
    await fc.assert(property, { seed: chooseSeed(), numRuns: 30 });
  });
});
