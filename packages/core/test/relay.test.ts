/** Two streams joined: the bytes, the ends, and what can go wrong. */
import { createHash, randomBytes } from 'node:crypto';
import { relay, Socket, type StreamSocket } from '@sock/core';
import {
  describeWithPeers,
  expectSockets,
  failureOf,
  openSockets,
  runScript,
  thrownBy,
  turns,
  until,
  within,
} from '@sock/testing';
import { Cleanup, connectedPair, type Family } from './support/states.js';

const sum = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

let cleanup: Cleanup;
beforeEach(() => {
  cleanup = new Cleanup();
});
afterEach(() => cleanup.close());

async function readToEnd(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** A stream of somebody else's, as far as can be seen: not a socket of this package. */
function foreign(socket: Socket): StreamSocket {
  return new Proxy(Object.create(null) as StreamSocket, {
    get: (_, name) => {
      const value: unknown = Reflect.get(socket, name);
      return typeof value === 'function' ? value.bind(socket) : value;
    },
  });
}

/** Two conversations; the relay gets the inner ends. */
async function make(family: Family = 'ipv4') {
  const [left, a] = await connectedPair(cleanup, family);
  const [right, b] = await connectedPair(cleanup, family);
  return { left, a, b, right };
}

describe.each<[string, Family, (socket: Socket) => StreamSocket]>([
  ['TCP sockets', 'ipv4', (socket) => socket],
  ['Unix sockets', 'unix', (socket) => socket],
  ['streams of others', 'ipv4', foreign],
])('a relay of %s', (_, family, wrap) => {
  it('carries both ways at once, and counts', async () => {
    const { left, a, b, right } = await make(family);
    const relayed = relay(wrap(a), wrap(b));
    const [there, back] = [randomBytes(5_000_003), randomBytes(3_000_001)];
    const received = Promise.all([readToEnd(right), readToEnd(left)]);
    await Promise.all([left.sendAll(there), right.sendAll(back)]);
    await Promise.all([left.shutdown(), right.shutdown()]);
    const [atRight, atLeft] = await received;
    expect(sum(atRight)).toBe(sum(there));
    expect(sum(atLeft)).toBe(sum(back));
    expect(await relayed).toEqual({ aToB: there.length, bToA: back.length });
    expect([a.fd, b.fd]).toEqual([-1, -1]);
  });

  it('passes the end of one direction on, and leaves the other open', async () => {
    const { left, a, b, right } = await make(family);
    const relayed = relay(wrap(a), wrap(b));
    await left.sendAll('question');
    await left.shutdown();
    expect((await readToEnd(right)).toString()).toBe('question');
    await right.sendAll('answer');
    expect(`${await left.recv()}`).toBe('answer');
    await right.shutdown();
    expect(await relayed).toEqual({ aToB: 8, bToA: 6 });
  });

  it('begins with what was received before, behind what was queued', async () => {
    const { left, a, b, right } = await make(family);
    await left.sendAll('abcdef');
    expect(`${await a.recvAll(2)}`).toBe('ab');
    // A wait that is cut short puts back what it had.
    expect(await failureOf(a.recvAll(100, { timeout: 20 }))).toMatchObject({
      code: 'ERR_SOCK_TIMEOUT',
    });
    const queued = randomBytes(10_000_000);
    const before = b.sendAll(queued);
    const relayed = relay(wrap(a), wrap(b));
    // The other direction does not wait for that.
    await right.sendAll('meanwhile');
    expect(`${await left.recvAll(9)}`).toBe('meanwhile');
    await left.sendAll('ghi');
    const [received] = await Promise.all([readToEnd(right), left.shutdown(), before]);
    expect(sum(received)).toBe(sum(Buffer.concat([queued, Buffer.from('cdefghi')])));
    await right.shutdown();
    expect(await relayed).toEqual({ aToB: 7, bToA: 9 });
  });

  it('holds up a writer whose reader is slow', async () => {
    const { left, a, b, right } = await make(family);
    const relayed = failureOf(relay(wrap(a), wrap(b)));
    const sent = failureOf(left.sendAll(Buffer.alloc(100_000_000), { timeout: 400 }));
    const { bytesTransferred } = (await sent) as unknown as { bytesTransferred: number };
    expect(bytesTransferred).toBeLessThan(60_000_000);
    right.close();
    expect(await within(5_000, relayed)).toMatchObject({
      code: expect.stringMatching(/^(EPIPE|ECONNRESET)$/),
    });
  });

  it('by its signal ends, and closes both', async () => {
    const before = openSockets();
    const { left, a, b, right } = await make(family);
    const controller = new AbortController();
    const relayed = failureOf(relay(wrap(a), wrap(b), { signal: controller.signal }));
    await left.sendAll('on its way');
    expect(`${await right.recvAll(10)}`).toBe('on its way');
    controller.abort();
    expect(await relayed).toMatchObject({ code: 'ABORT_ERR' });
    expect([a.fd, b.fd]).toEqual([-1, -1]);
    cleanup.close();
    await expectSockets(before);
  });

  it('ends when one of them is closed, and closes the other', async () => {
    const { a, b } = await make(family);
    const relayed = failureOf(relay(wrap(a), wrap(b)));
    await turns(2);
    b.close();
    expect(await within(5_000, relayed)).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    expect(a.fd).toBe(-1);
  });
});

describe('a relay', () => {
  it('that breaks resets the other connection, so that no peer sees an orderly end', async () => {
    const { left, a, b, right } = await make();
    const relayed = failureOf(relay(a, b));
    // Closing with unread bytes is a reset.
    await right.sendAll('to left');
    await left.recvAll(7);
    await left.sendAll('unread');
    await until(5_000, () => right.tryRecv(1) !== null);
    right.close();
    expect(await within(5_000, relayed)).toMatchObject({ code: 'ECONNRESET' });
    expect(await failureOf(left.recv())).toMatchObject({ code: 'ECONNRESET' });
  });

  it('has the I/O of both for itself', async () => {
    const { a, b } = await make();
    const relayed = failureOf(relay(a, b));
    for (const socket of [a, b]) {
      expect(await failureOf(socket.recv())).toMatchObject({ code: 'ERR_SOCK_BUSY' });
      expect(await failureOf(socket.sendAll('x'))).toMatchObject({ code: 'ERR_SOCK_BUSY' });
      expect(thrownBy(() => socket.trySend('x'))).toMatchObject({ code: 'ERR_SOCK_BUSY' });
    }
    expect(await failureOf(relay(a, b))).toMatchObject({ code: 'ERR_SOCK_BUSY' });
    a.close();
    await relayed;
  });

  it('that cannot begin leaves both as they are', async () => {
    const { left, a, b, right } = await make();
    const waiting = b.recv();
    expect(await failureOf(relay(a, b))).toMatchObject({ code: 'ERR_SOCK_BUSY' });
    const signal = AbortSignal.abort();
    expect(await failureOf(relay(a, b, { signal }))).toMatchObject({ code: 'ABORT_ERR' });
    const fresh = cleanup.add(new Socket({ family: 'ipv4' }));
    expect(await failureOf(relay(a, fresh))).toMatchObject({ code: 'ENOTCONN' });
    await Promise.all([left.sendAll('to a'), right.sendAll('to b')]);
    expect(`${await a.recv()} ${await waiting}`).toBe('to a to b');
  });

  it('refuses what is no stream of bytes, and one stream twice', () => {
    const [near, far] = Socket.pair('seqpacket');
    cleanup.add(near);
    cleanup.add(far);
    expect(() => relay(near, far)).toThrow(TypeError);
    const [one, other] = Socket.pair();
    cleanup.add(one);
    cleanup.add(other);
    expect(() => relay(one, one)).toThrow(TypeError);
    expect(() => relay(one, null as never)).toThrow(TypeError);
  });
});

describeWithPeers(['strace that may trace'], 'a relay, where the system', () => {
  const script = `
    const { createHash, randomBytes } = require('node:crypto');
    const { relay, Socket } = require('@sock/core');
    const [left, a] = Socket.pair();
    const [right, b] = Socket.pair();
    const relayed = relay(a, b);
    const bytes = randomBytes(1_000_003);
    const received = (async () => {
      const hash = createHash('sha256');
      for await (const chunk of right) hash.update(chunk);
      return hash.digest('hex');
    })();
    await left.sendAll(bytes);
    await left.shutdown();
    const same = (await received) === createHash('sha256').update(bytes).digest('hex');
    right.close();
    console.log(JSON.stringify({ same, ...(await relayed) }));
    left.close();
  `;

  async function carryUnder(inject: readonly string[]): Promise<(name: string) => number> {
    const { code, stdout, stderr, trace } = await runScript(script, { inject, limitMs: 30_000 });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({ same: true, aToB: 1_000_003, bToA: 0 });
    const worked = trace.split('\n').filter((line) => / = [1-9]\d*$/.test(line));
    return (name) => worked.filter((line) => line.includes(` ${name}(`)).length;
  }

  it('can splice, moves the bytes within the kernel', async () => {
    const count = await carryUnder(['splice:error=EINTR:when=60000']);
    expect(count('splice')).toBeGreaterThan(3);
  });

  it.each(['EINVAL', 'ENOSYS'])('refuses splice with %s, copies', async (error) => {
    const count = await carryUnder([`splice:error=${error}`, 'sendto:error=EINTR:when=60000']);
    expect(count('splice')).toBe(0);
    expect(count('sendto')).toBeGreaterThan(1_000_003 / 65_536);
  });

  it('takes into a pipe and refuses to give out of it, copies from there on', async () => {
    const count = await carryUnder([
      'splice:error=EINVAL:when=2+',
      'sendto:error=EINTR:when=60000',
    ]);
    expect(count('splice')).toBe(1);
    expect(count('sendto')).toBeGreaterThan(2);
  });
});
