import { type Checks, detach, failureOf, isPending, readToEnd, shrinkable } from './trial.js';

/** Receiving, in promises and iterations. */
export const receiving: Checks = {
  async 'recv resolves with the bytes that were sent'(t) {
    const [near, far] = await t.pair();
    const sent = t.random.bytes(1000);
    await far.sendAll(sent);
    expect(await near.recv()).toEqual(sent);
  },

  async 'recv waits for bytes that come later'(t) {
    const [near, far] = await t.pair();
    const received = near.recv();
    expect(await isPending(received)).toBe(true);
    await far.sendAll('late');
    expect((await received).toString()).toBe('late');
  },

  async 'recv takes no more than it was asked for and leaves the rest'(t) {
    const [near, far] = await t.pair();
    await far.sendAll('abcdef');
    expect((await near.recv(2)).toString()).toBe('ab');
    expect((await near.recv(1)).toString()).toBe('c');
    expect((await near.recv()).toString()).toBe('def');
  },

  async 'recv into a view fills its front and resolves with the count'(t) {
    const [near, far] = await t.pair();
    const memory = Buffer.alloc(12, '.');
    const received = near.recv(memory.subarray(2, 10));
    await far.sendAll('abc');
    expect(await received).toBe(3);
    expect(memory.toString()).toBe('..abc.......');
  },

  async 'recv never writes beyond its view'(t) {
    const [near, far] = await t.pair();
    const memory = Buffer.alloc(12, '.');
    await far.sendAll('abcdefghijkl');
    expect(await near.recv(memory.subarray(4, 7))).toBe(3);
    expect(memory.toString()).toBe('....abc.....');
    expect((await near.recv()).toString()).toBe('defghijkl');
  },

  async 'recvAll resolves with exactly so many bytes, from however many sends'(t) {
    const [near, far] = await t.pair();
    const received = near.recvAll(6);
    for (const part of ['a', 'bc', 'd', 'efgh']) {
      await far.sendAll(part);
      await isPending(received);
    }
    expect((await received).toString()).toBe('abcdef');
    expect((await near.recv()).toString()).toBe('gh');
  },

  async 'iteration gives every byte in order and ends at the end of the stream'(t) {
    const [near, far] = await t.pair();
    const sent = t.random.bytes(300_000);
    const received = readToEnd(near);
    for (let at = 0; at < sent.length; ) {
      const end = Math.min(sent.length, at + t.random.integer(1, 60_000));
      await far.sendAll(sent.subarray(at, end));
      at = end;
    }
    await far.shutdown();
    expect((await received).equals(sent)).toBe(true);
  },

  async 'chunks of a size are never larger'(t) {
    const [near, far] = await t.pair();
    const sent = t.random.bytes(10_000);
    await far.sendAll(sent);
    await far.shutdown();
    const parts: Buffer[] = [];
    for await (const chunk of near.chunks({ size: 777 })) parts.push(chunk);
    expect(Math.max(...parts.map(({ length }) => length))).toBeLessThanOrEqual(777);
    expect(Buffer.concat(parts)).toEqual(sent);
  },

  async 'chunks that reuse share one memory, each good until the next'(t) {
    const [near, far] = await t.pair();
    const sent = t.random.bytes(50_000);
    const memories = new Set<ArrayBufferLike>();
    const copies: Buffer[] = [];
    const reader = (async () => {
      for await (const chunk of near.chunks({ size: 4096, reuse: true })) {
        memories.add(chunk.buffer);
        copies.push(Buffer.from(chunk));
      }
    })();
    await far.sendAll(sent);
    await far.shutdown();
    await reader;
    expect(memories.size).toBe(1);
    expect(Buffer.concat(copies)).toEqual(sent);
  },

  async 'iterations that reuse take turns, each in memory of its own'(t) {
    const [near, far] = await t.pair();
    const iterations = [1, 2, 3].map(() => near.chunks({ size: 1, reuse: true }));
    const memories = new Set<ArrayBufferLike>();
    for (let round = 0; round < 5; round++) {
      const steps = iterations.map((iteration) => iteration.next());
      await far.sendAll('abc');
      const chunks = (await Promise.all(steps)).map(({ value }) => value as Buffer);
      for (const { buffer } of chunks) memories.add(buffer);
      expect(chunks.map((chunk) => chunk.toString()).join('')).toBe('abc');
    }
    expect(memories.size).toBe(3);
  },

  async 'chunks that reuse fill no more than their size, and the rest stays'(t) {
    const [near, far] = await t.pair();
    const step = near.chunks({ size: 3, reuse: true }).next();
    await far.sendAll('abcdef');
    expect(String((await step).value)).toBe('abc');
    expect((await near.recv()).toString()).toBe('def');
  },

  async 'memory that is detached while a chunk waits for it is an error, and the bytes stay'(t) {
    const [near, far] = await t.pair();
    const chunks = near.chunks({ size: 8, reuse: true });
    await far.sendAll('one');
    const { value } = await chunks.next();
    const failure = failureOf(chunks.next());
    const next = near.recv();
    detach(value as Buffer);
    await far.sendAll('kept');
    expect(await failure).toMatchObject({ code: 'ERR_SOCK_BUFFER_DETACHED' });
    expect((await next).toString()).toBe('kept');
  },

  async 'chunks that were handed out stay as they were'(t) {
    const [near, far] = await t.pair();
    const sent = Array.from({ length: 200 }, () => t.random.bytes(t.random.integer(1, 12_000)));
    const received: Buffer[] = [];
    for (const part of sent) {
      await far.sendAll(part);
      for (let left = part.length; left > 0; ) {
        const chunk = await near.recv(left);
        received.push(chunk);
        left -= chunk.length;
      }
    }
    expect(Buffer.concat(received).equals(Buffer.concat(sent))).toBe(true);
  },

  async 'leaving an iteration closes nothing and loses nothing'(t) {
    const [near, far] = await t.pair();
    await far.sendAll('abc');
    for await (const chunk of near.chunks({ size: 1 })) {
      expect(chunk.toString()).toBe('a');
      break;
    }
    expect((await near.recv(1)).toString()).toBe('b');
    await near.sendAll('still open');
    expect((await far.recv()).toString()).toBe('still open');
    for await (const chunk of near) {
      expect(chunk.toString()).toBe('c');
      break;
    }
  },

  async 'concurrent receives are served in the order of the calls'(t) {
    const [near, far] = await t.pair();
    const view = Buffer.alloc(2);
    const iterator = near.chunks({ size: 1 });
    const answers = Promise.all([
      near.recv(1),
      near.recv(view),
      near.recvAll(3),
      iterator.next(),
      near.recv(),
    ]);
    await far.sendAll('abbcccdee');
    const [a, count, c, d, e] = await answers;
    expect([a.toString(), count, view.toString(), c.toString()]).toEqual(['a', 2, 'bb', 'ccc']);
    expect([d.value?.toString(), e.toString()]).toEqual(['d', 'ee']);
  },

  async 'a hundred receives that wait are served by one send'(t) {
    const [near, far] = await t.pair();
    const answers = Promise.all(Array.from({ length: 100 }, () => near.recv(1)));
    const sent = t.random.bytes(100);
    await far.sendAll(sent);
    expect(Buffer.concat(await answers)).toEqual(sent);
  },

  async 'both directions carry bytes at the same time'(t) {
    const [near, far] = await t.pair();
    const [out, back] = [t.random.bytes(2_000_000), t.random.bytes(2_000_000)];
    const [atFar, atNear] = await Promise.all([
      far.recvAll(out.length),
      near.recvAll(back.length),
      near.sendAll(out),
      far.sendAll(back),
    ]);
    expect(atFar.equals(out)).toBe(true);
    expect(atNear.equals(back)).toBe(true);
  },

  async 'a view that is detached while recv waits is an error, and the bytes stay'(t) {
    const [near, far] = await t.pair();
    const view = new Uint8Array(8);
    const failure = failureOf(near.recv(view));
    const next = near.recv();
    detach(view);
    await far.sendAll('kept');
    expect(await failure).toMatchObject({ code: 'ERR_SOCK_BUFFER_DETACHED' });
    expect((await next).toString()).toBe('kept');
  },

  async 'a view that shrinks while recv waits is an error, and the bytes stay'(t) {
    const [near, far] = await t.pair();
    const { view, shrink } = shrinkable(8);
    const failure = failureOf(near.recv(view));
    shrink();
    await far.sendAll('kept');
    expect(await failure).toMatchObject({ code: 'ERR_SOCK_BUFFER_DETACHED' });
    expect((await near.recv()).toString()).toBe('kept');
  },
};
