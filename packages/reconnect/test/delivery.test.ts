/** The fate of bytes: what is refused, what waits, what goes where, and what is told of it. */
import { randomBytes } from 'node:crypto';
import type { Socket } from '@sock/core';
import { failureOf, readToEnd, until } from '@sock/testing';
import { closeRigs, makeRig } from './rig.js';

afterEach(closeRigs);

const large = randomBytes(8 * 1024 * 1024);

async function receive(peer: Socket, size: number): Promise<string> {
  return (await peer.recvAll(size)).toString();
}

describe("without a connection, delivery 'fail'", () => {
  const notConnected = { name: 'ReconnectError', code: 'ENOTCONN' };

  it('refuses every verb in every tempo', async () => {
    const { link, trial } = makeRig();
    for (const prepare of [() => {}, () => void link.connect(), () => trial().fail()]) {
      await prepare();
      for (const operation of [
        link.send('x'),
        link.sendAll('x'),
        link.recv(),
        link.recv(Buffer.alloc(1)),
        link.recvAll(1),
      ]) {
        expect(await failureOf(operation)).toMatchObject(notConnected);
      }
      expect(() => link.trySend('x')).toThrow(expect.objectContaining(notConnected));
      expect(() => link.tryRecv()).toThrow(expect.objectContaining(notConnected));
      expect(() => link.sendSync('x')).toThrow(expect.objectContaining(notConnected));
      expect(() => link.sendAllSync('x')).toThrow(expect.objectContaining(notConnected));
      expect(() => link.recvSync()).toThrow(expect.objectContaining(notConnected));
      expect(() => link.recvAllSync(1)).toThrow(expect.objectContaining(notConnected));
    }
  });

  it('says what failed last', async () => {
    const { link, trial } = makeRig();
    link.connect();
    await trial().fail(new Error('the reason'));
    expect(await failureOf(link.send('x'))).toMatchObject({ cause: { message: 'the reason' } });
  });

  it('checks arguments nevertheless', () => {
    const { link } = makeRig();
    expect(() => link.send(1 as never)).toThrow(TypeError);
    expect(() => link.recv(0)).toThrow(RangeError);
    expect(() => link.recvAll(0)).toThrow(RangeError);
    expect(() => link.recv('x' as never)).toThrow(TypeError);
    expect(() => link.chunks({ size: 0 })).toThrow(RangeError);
  });
});

describe('with a connection', () => {
  it('all verbs go to it, in all tempos', async () => {
    const { link, connected } = makeRig();
    const peer = await connected();
    expect(await link.send('a')).toBe(1);
    await link.sendAll('b');
    expect(link.sendSync('c')).toBe(1);
    link.sendAllSync('d');
    expect(link.trySend('e')).toBe(1);
    expect(await receive(peer, 5)).toBe('abcde');
    await peer.sendAll('abcdefghi');
    expect((await link.recv(1)).toString()).toBe('a');
    const view = Buffer.alloc(1);
    expect(await link.recv(view)).toBe(1);
    expect(view.toString()).toBe('b');
    expect((await link.recvAll(2)).toString()).toBe('cd');
    expect(link.recvSync(1).toString()).toBe('e');
    expect(link.recvAllSync(2).toString()).toBe('fg');
    expect(link.tryRecv(1)?.toString()).toBe('h');
    expect(link.tryRecv(view)).toBe(1);
    expect(link.tryRecv()).toBeNull();
  });

  it('a send that is cut off tells how much of it had gone', async () => {
    const { link, connected, events } = makeRig();
    const peer = await connected();
    const sending = failureOf(link.sendAll(large));
    await peer.recvAll(100_000);
    peer.close();
    const error = await sending;
    expect(error).toMatchObject({ name: 'SocketClosedError' });
    const { bytesTransferred } = error as { bytesTransferred: number };
    expect(bytesTransferred).toBeGreaterThanOrEqual(100_000);
    expect(bytesTransferred).toBeLessThan(large.length);
    expect(events.at(-1)).toBe('connected -> backoff');
  });

  it('a time limit or an abort of the caller is no loss', async () => {
    const { link, connected } = makeRig();
    await connected();
    expect(await failureOf(link.recv(1, { timeout: 1 }))).toMatchObject({
      code: 'ERR_SOCK_TIMEOUT',
    });
    const signal = AbortSignal.abort();
    expect(await failureOf(link.send('x', { signal }))).toMatchObject({ name: 'AbortError' });
    expect(link.isConnected).toBe(true);
  });
});

describe("without a connection, delivery 'buffer'", () => {
  const policy = { delivery: 'buffer' } as const;

  it('keeps sends until there is one, in their order', async () => {
    const { link, trial } = makeRig(policy);
    link.connect();
    const sends = [link.send('one'), link.sendAll('two'), link.send(Buffer.from('three'))];
    expect(link.bufferedBytes).toBe(11);
    expect(link.trySend('four')).toBeNull();
    const peer = await trial().succeed();
    expect(await Promise.all(sends)).toEqual([3, undefined, 5]);
    expect(await receive(peer, 11)).toBe('onetwothree');
    expect(link.bufferedBytes).toBe(0);
  });

  it('lets what a listener of connected sends to the socket go first', async () => {
    const { link, trial } = makeRig(policy);
    link.on('connected', (socket) => {
      void socket.sendAll('hello ');
      void link.sendAll('behind');
    });
    link.connect();
    const sent = link.sendAll('buffered ');
    const peer = await trial().succeed();
    await sent;
    expect(await receive(peer, 21)).toBe('hello buffered behind');
  });

  it('keeps a receive, too', async () => {
    const { link, trial } = makeRig(policy);
    link.connect();
    const receiving = link.recv();
    const all = link.recvAll(2);
    const peer = await trial().succeed();
    await peer.sendAll('abc');
    expect((await receiving).toString()).toBe('a'.concat('bc').slice(0, (await receiving).length));
    await peer.sendAll('de');
    expect((await all).length).toBe(2);
  });

  it('refuses what nobody would ever send', async () => {
    const { link } = makeRig(policy);
    expect(await failureOf(link.send('x'))).toMatchObject({ code: 'ENOTCONN' });
    expect(await failureOf(link.recv())).toMatchObject({ code: 'ENOTCONN' });
    expect(() => link.trySend('x')).toThrow(expect.objectContaining({ code: 'ENOTCONN' }));
  });

  it('is bounded', async () => {
    const { link, trial } = makeRig({ ...policy, bufferMax: 10 });
    link.connect();
    const kept = link.sendAll('0123456789');
    expect(await failureOf(link.sendAll('x'))).toMatchObject({
      code: 'ERR_SOCK_QUEUE_FULL',
      bytesTransferred: 0,
      retryable: true,
    });
    const peer = await trial().succeed();
    await kept;
    expect(await receive(peer, 10)).toBe('0123456789');
  });

  it('rejects what waits when it gives up, and when it is told to stop', async () => {
    const { link, trial } = makeRig({ ...policy, maxAttempts: 1 });
    link.connect();
    const first = failureOf(link.send('x'));
    await trial().fail();
    expect(await first).toMatchObject({
      code: 'ERR_SOCK_RECONNECT_EXHAUSTED',
      bytesTransferred: 0,
    });
    link.connect();
    const second = failureOf(link.send('x'));
    const receiving = failureOf(link.recv());
    link.disconnect();
    expect(await second).toMatchObject({ code: 'ERR_SOCK_CLOSED', bytesTransferred: 0 });
    expect(await receiving).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    expect(link.bufferedBytes).toBe(0);
  });

  it('counts the wait into the limits of a send', async () => {
    const { link, clock, trial } = makeRig(policy);
    link.connect();
    const late = failureOf(link.send('late', { timeout: 10 }));
    const controller = new AbortController();
    const aborted = failureOf(link.send('aborted', { signal: controller.signal }));
    const { signal } = new AbortController();
    const sent = link.send('kept', { timeout: 1_000, signal });
    await clock.advance(10);
    expect(await late).toMatchObject({ code: 'ERR_SOCK_TIMEOUT', bytesTransferred: 0 });
    controller.abort();
    expect(await aborted).toMatchObject({ name: 'AbortError', bytesTransferred: 0 });
    const peer = await trial().succeed();
    await sent;
    expect(await receive(peer, 4)).toBe('kept');
  });
});

describe("a connection that is lost, delivery 'buffer'", () => {
  const policy = { delivery: 'buffer', bufferMax: 64 * 1024 * 1024 } as const;

  it('sends again what the kernel had not begun with, and nothing else', async () => {
    const { link, connected, clock, trial } = makeRig(policy);
    const first = await connected();
    await link.sendAll('gone ');
    const cut = failureOf(link.sendAll(large));
    const kept = [link.sendAll('kept '), link.sendAll('whole')];
    expect(await receive(first, 5)).toBe('gone ');
    await first.recvAll(1_000);
    first.close();
    const error = (await cut) as { bytesTransferred: number };
    expect(error.bytesTransferred).toBeGreaterThan(0);
    await until(1_000, () => link.state === 'backoff');
    const later = link.sendAll(' and later');
    await clock.advance(100);
    const second = await trial().succeed();
    await Promise.all([...kept, later]);
    link.close();
    expect((await readToEnd(second)).toString()).toBe('kept whole and later');
  });

  it('has no part in the next one when it was ended from this side', async () => {
    const { link, connected, trial } = makeRig(policy);
    await connected();
    const cut = failureOf(link.sendAll(large));
    const behind = failureOf(link.sendAll('behind'));
    link.disconnect();
    link.connect();
    const next = link.sendAll('next');
    expect(await cut).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    expect(await behind).toMatchObject({ code: 'ERR_SOCK_CLOSED', bytesTransferred: 0 });
    const second = await trial().succeed();
    await next;
    expect(await receive(second, 4)).toBe('next');
  });

  it('lets those go that no longer fit, the last first', async () => {
    const rig = makeRig({ ...policy, bufferMax: large.length + 10 });
    const { link, connected, clock, trial } = rig;
    const first = await connected();
    const cut = failureOf(link.sendAll(Buffer.concat([large, Buffer.alloc(100)])));
    const over = failureOf(link.sendAll('0123456789a'));
    expect(await over).toMatchObject({ code: 'ERR_SOCK_QUEUE_FULL' });
    first.close();
    await cut;
    const kept = link.sendAll('kept');
    await clock.advance(100);
    const second = await trial().succeed();
    await kept;
    expect(await receive(second, 4)).toBe('kept');
  });
});

describe('an iteration', () => {
  it('goes on from connection to connection, and ends with disconnect()', async () => {
    const { link, connected, clock, trial, events } = makeRig();
    const first = await connected();
    const seen: string[] = [];
    const iterating = (async () => {
      for await (const chunk of link) {
        seen.push(chunk.toString());
        events.push(`chunk ${chunk}`);
      }
    })();
    await first.sendAll('one');
    await until(1_000, () => seen.length === 1);
    await first.end();
    await until(1_000, () => link.state === 'backoff');
    await clock.advance(100);
    const second = await trial().succeed();
    await second.sendAll('two');
    await until(1_000, () => seen.length === 2);
    link.disconnect();
    await iterating;
    expect(seen).toEqual(['one', 'two']);
    const order = events.filter((event) => /^(chunk|lost|connected$)/.test(event));
    expect(order).toEqual([
      'connected',
      'chunk one',
      'lost ERR_SOCK_EOF',
      'connected',
      'chunk two',
    ]);
  });

  it('fails when it gives up, and when nobody has begun', async () => {
    const { link, trial } = makeRig({ maxAttempts: 1 });
    const read = async () => {
      for await (const _ of link.chunks({ size: 1, reuse: true }));
    };
    expect(await failureOf(read())).toMatchObject({ code: 'ENOTCONN' });
    link.connect();
    const reading = failureOf(read());
    await trial().fail();
    expect(await reading).toMatchObject({ code: 'ERR_SOCK_RECONNECT_EXHAUSTED' });
  });
});

describe('end()', () => {
  it('sends what is buffered, with the next connection if need be, and says goodbye', async () => {
    const { link, trial } = makeRig({ delivery: 'buffer' });
    link.connect();
    const sent = link.sendAll('the last');
    const ending = link.end();
    const peer = await trial().succeed();
    await sent;
    expect((await readToEnd(peer)).toString()).toBe('the last');
    peer.close();
    await ending;
    expect(link.state).toBe('disconnected');
    expect(await failureOf(link.end())).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
  });

  it('closes when its time is over', async () => {
    const { link, clock } = makeRig({ delivery: 'buffer' });
    link.connect();
    const sent = failureOf(link.sendAll('never'));
    const ending = failureOf(link.end({ timeout: 10 }));
    await clock.advance(10);
    expect(await ending).toMatchObject({ code: 'ERR_SOCK_TIMEOUT' });
    expect(await sent).toMatchObject({ code: 'ERR_SOCK_CLOSED', bytesTransferred: 0 });
  });
});
