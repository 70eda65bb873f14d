/**
 * Requests of every kind on a few sockets, cancelled, aborted and closed at any moment. Whatever
 * happens, every request calls back exactly once, no byte is lost, doubled or out of order, and
 * nothing stays open. `SOCK_SEED` replays what it finds.
 */
import { Socket } from '@sock/core';
import { type AsyncBackend, AsyncIO } from '@sock/poll';
import { expectSockets, openSockets, type Random, seeded, turns, within } from '@sock/testing';

const runs = 40;
const stepsOfRun = 120;
const sizes = [0, 1, 100, 4_096, 20_000, 300_000] as const;
/** What a request may end with, besides success. */
const allowed = /^(ECANCELED|ABORT_ERR|EPIPE|ECONNRESET|ERR_SOCK_(CLOSED|EOF|BUSY))$/;

/**
 * One direction of a pair, in the order of submission: what was sent, cut to what the kernel took,
 * and what came.
 */
class Way {
  readonly sent: { data: Buffer; taken: number }[] = [];
  readonly received: { chunk: Buffer }[] = [];

  check(): void {
    const all = Buffer.concat(this.sent.map(({ data, taken }) => data.subarray(0, taken)));
    const got = Buffer.concat(this.received.map(({ chunk }) => chunk));
    expect(got.length).toBeLessThanOrEqual(all.length);
    expect(got.equals(all.subarray(0, got.length))).toBe(true);
  }
}

class Trial {
  private readonly random: Random;
  private readonly io: AsyncIO;
  private readonly sockets: Socket[] = [];
  private readonly sending = new Map<Socket, Way>();
  private readonly receiving = new Map<Socket, Way>();
  private readonly ids: number[] = [];
  private readonly iterations = new Map<Socket, AsyncIterableIterator<Buffer>>();
  private readonly controllers: AbortController[] = [];
  private readonly promises: Promise<void>[] = [];
  private submitted = 0;
  private readonly calls = new Map<number, number>();

  constructor(random: Random, backend: AsyncBackend) {
    this.random = random;
    this.io = new AsyncIO({ backend, entries: random.pick([1, 8, 256]) });
    for (let i = 0; i < 3; i++) {
      const [near, far] = Socket.pair();
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        const way = new Way();
        this.sending.set(from, way);
        this.receiving.set(to, way);
      }
      this.sockets.push(near, far);
    }
  }

  async run(): Promise<void> {
    const verbs = ['send', 'send', 'recv', 'recv', 'sendLater', 'recvLater', 'step', 'step'];
    const rare = ['cancel', 'abort', 'leave', 'close', 'process', 'turn', 'turn'];
    for (let i = 0; i < stepsOfRun; i++) {
      const verb = this.random.oneIn(3) ? this.random.pick(rare) : this.random.pick(verbs);
      await this.act(verb, this.random.pick(this.sockets));
    }
    await this.end();
  }

  private async act(verb: string, socket: Socket): Promise<void> {
    const { io, random } = this;
    switch (verb) {
      case 'send':
        return this.submit((call) => this.submitSend(socket, call));
      case 'recv':
        return this.submit((call) => this.submitRecv(socket, call));
      case 'sendLater':
        return this.later(this.sendLater(socket));
      case 'recvLater':
        return this.later(this.recvLater(socket));
      case 'step':
        return this.later(this.step(socket));
      case 'cancel':
        if (this.ids.length > 0) io.cancel(random.pick(this.ids));
        return;
      case 'abort':
        this.controllers.splice(random.integer(0, this.controllers.length), 1)[0]?.abort();
        return;
      case 'leave':
        this.later(Promise.resolve(this.iterations.get(socket)?.return?.()).then(() => {}));
        this.iterations.delete(socket);
        return;
      case 'close':
        if (random.oneIn(4)) socket.close();
        return;
      case 'process':
        io.processCompletions(random.pick([1, 100]));
        return;
      default:
        await turns(random.integer(0, 2));
    }
  }

  /** Counts how often it is called back; a request that was refused is none. */
  private submit(make: (call: () => void) => number): void {
    const token = this.submitted++;
    this.calls.set(token, 0);
    try {
      this.ids.push(make(() => this.calls.set(token, (this.calls.get(token) ?? 0) + 1)));
    } catch (error) {
      this.calls.delete(token);
      expectAllowed(error);
    }
  }

  private message(): Buffer {
    return this.random.bytes(this.random.pick(sizes));
  }

  private submitSend(socket: Socket, call: () => void): number {
    const entry = { data: this.message(), taken: 0 };
    const id = this.io.submitSend(socket, entry.data, (error, sent) => {
      call();
      if (error === null) entry.taken = sent as number;
      else expectAllowed(error);
    });
    this.sending.get(socket)?.sent.push(entry);
    return id;
  }

  private submitRecv(socket: Socket, call: () => void): number {
    const place = this.placeOf(socket);
    return this.io.submitRecv(socket, this.random.pick([1, 1_000, 100_000]), (error, chunk) => {
      call();
      if (error === null) place.chunk = chunk as Buffer;
      else expectAllowed(error);
    });
  }

  private placeOf(socket: Socket): { chunk: Buffer } {
    const place = { chunk: Buffer.alloc(0) };
    this.receiving.get(socket)?.received.push(place);
    return place;
  }

  private signal(): { signal?: AbortSignal } {
    if (this.random.oneIn(2)) return {};
    const controller = new AbortController();
    this.controllers.push(controller);
    return { signal: controller.signal };
  }

  private async sendLater(socket: Socket): Promise<void> {
    const entry = { data: this.message(), taken: 0 };
    const sending = this.io.send(socket, entry.data, this.signal());
    this.sending.get(socket)?.sent.push(entry);
    entry.taken = await sending;
  }

  private async recvLater(socket: Socket): Promise<void> {
    const place = this.placeOf(socket);
    place.chunk = await this.io.recv(socket, 50_000, this.signal());
  }

  private async step(socket: Socket): Promise<void> {
    let iteration = this.iterations.get(socket);
    if (iteration === undefined) {
      iteration = this.io.receives(socket, this.signal());
      this.iterations.set(socket, iteration);
    }
    const place = this.placeOf(socket);
    try {
      const { value, done } = await iteration.next();
      if (done) this.iterations.delete(socket);
      else place.chunk = value;
    } catch (error) {
      this.iterations.delete(socket);
      throw error;
    }
  }

  private later(promise: Promise<void>): void {
    this.promises.push(promise.catch(expectAllowed));
  }

  private async end(): Promise<void> {
    if (this.random.oneIn(2)) this.io.close();
    else for (const socket of this.sockets) socket.close();
    await within(4_000, Promise.all(this.promises), 'settling all promises');
    await within(4_000, this.io[Symbol.asyncDispose](), 'the end of all requests');
    expect(this.io.pending).toBe(0);
    for (const count of this.calls.values()) expect(count).toBe(1);
    for (const way of this.sending.values()) way.check();
    for (const socket of this.sockets) socket.close();
  }
}

function expectAllowed(error: unknown): void {
  const { code, message } = error as { code?: string; message?: string };
  if (code === undefined || !allowed.test(code)) throw new Error(`unexpected: ${code} ${message}`);
}

export function describeTrials(backend: AsyncBackend): void {
  it(
    `calls back once, and loses nothing, whatever is cancelled or closed: ${backend}`,
    seeded(async (random) => {
      const before = openSockets();
      for (let i = 0; i < runs; i++) await new Trial(random, backend).run();
      await expectSockets(before);
    }),
    60_000,
  );
}
