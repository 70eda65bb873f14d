import { type Checks, detach, failureOf, isPending, readToEnd, tooMuch, turns } from './trial.js';

/** Sending, in promises: order, bursts, slow readers, the queue. */
export const sending: Checks = {
  async 'send resolves with the count of bytes taken'(t) {
    const [near, far] = await t.pair();
    expect(await near.send('hello')).toBe(5);
    expect((await far.recvAll(5)).toString()).toBe('hello');
  },

  async 'send takes at least one byte and leaves the rest to the caller'(t) {
    const [near, far] = await t.pair();
    const sent = await near.send(Buffer.alloc(tooMuch));
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(tooMuch);
    await far.recvAll(sent);
    await near.sendAll('!');
    expect((await far.recv()).toString()).toBe('!');
  },

  async 'strings leave as UTF-8'(t) {
    const [near, far] = await t.pair();
    const text = 'grüße, 世界 🌍';
    expect(await near.send(text)).toBe(Buffer.byteLength(text));
    await near.sendAll(text);
    expect((await far.recvAll(2 * Buffer.byteLength(text))).toString()).toBe(text + text);
  },

  async 'empty sends succeed and send nothing'(t) {
    const [near, far] = await t.pair();
    expect(await near.send('')).toBe(0);
    expect(await near.send(new Uint8Array(0))).toBe(0);
    await near.sendAll('');
    expect(near.trySend('')).toBe(0);
    expect(near.sendSync('')).toBe(0);
    near.sendAllSync('');
    expect(far.tryRecv()).toBeNull();
    await near.sendAll('first');
    expect((await far.recv()).toString()).toBe('first');
  },

  async 'only the bytes of a view leave, not its neighbours'(t) {
    const [near, far] = await t.pair();
    await near.sendAll(Buffer.from('0123456789').subarray(3, 6));
    await near.shutdown();
    expect((await readToEnd(far)).toString()).toBe('345');
  },

  async 'concurrent sends leave in the order of the calls, whatever their size'(t) {
    const [near, far] = await t.pair();
    const parts = Array.from({ length: 120 }, () =>
      t.random.bytes(t.random.oneIn(6) ? t.random.integer(1, 400_000) : t.random.integer(0, 60)),
    );
    const sends = Promise.all(parts.map((part) => near.sendAll(part)));
    const shutdown = near.shutdown();
    const received = await readToEnd(far);
    await Promise.all([sends, shutdown]);
    expect(received.equals(Buffer.concat(parts))).toBe(true);
  },

  async 'all tempos of send keep the order of the calls'(t) {
    const [near, far] = await t.pair();
    const sends = Promise.all([near.sendAll('a'), near.sendAll('b'), near.send('c')]);
    expect(near.trySend('d')).toBe(1);
    const more = Promise.all([near.sendAll('e'), near.sendAll('f')]);
    expect(near.sendSync('g')).toBe(1);
    const last = near.sendAll('h');
    near.sendAllSync('i');
    await Promise.all([sends, more, last, near.sendAll('j'), near.shutdown()]);
    expect((await readToEnd(far)).toString()).toBe('abcdefghij');
  },

  async 'a burst of small sends arrives in order and settles together'(t) {
    const [near, far] = await t.pair();
    const lines = Array.from({ length: 5_000 }, (_, index) => `line ${index}\n`);
    for (let round = 0; round < 3; round++) {
      let settled = 0;
      const sends = lines.map((line) => near.sendAll(line).then(() => settled++));
      const received = far.recvAll(Buffer.byteLength(lines.join('')));
      await sends.at(-1);
      await turns(1);
      expect(settled).toBe(lines.length);
      expect((await received).toString()).toBe(lines.join(''));
    }
  },

  async 'small sends behind a full kernel wait their turn'(t) {
    const [near, far, filler] = await t.cloggedPair();
    const big = t.random.bytes(200_000);
    const sends = [near.sendAll(big), ...[...'abc'].map((letter) => near.sendAll(letter))];
    const rest = Promise.all(sends);
    await far.recvAll(filler);
    expect((await far.recvAll(big.length)).equals(big)).toBe(true);
    expect((await far.recvAll(3)).toString()).toBe('abc');
    await rest;
  },

  async 'a large transfer reaches a slow reader whole'(t) {
    const [near, far] = await t.pair();
    const sent = t.random.bytes(6_000_000);
    const transfer = near.sendAll(sent).then(() => near.shutdown());
    const parts: Buffer[] = [];
    for await (const chunk of far.chunks({ size: 150_000 })) {
      parts.push(chunk);
      if (t.random.oneIn(8)) await turns(t.random.integer(1, 4));
    }
    await transfer;
    expect(Buffer.concat(parts).equals(sent)).toBe(true);
  },

  async 'sendAll waits while the kernel is full and nobody reads'(t) {
    const [near, far] = await t.pair();
    const transfer = near.sendAll(Buffer.alloc(tooMuch));
    expect(await isPending(transfer)).toBe(true);
    await far.recvAll(tooMuch);
    await transfer;
  },

  async 'sendQueueBytes counts what waits, and is 0 once all is gone'(t) {
    const [near, far] = await t.pair();
    expect(near.sendQueueBytes).toBe(0);
    const sends = [near.sendAll(Buffer.alloc(tooMuch)), near.sendAll(Buffer.alloc(1000))];
    const waiting = near.sendQueueBytes;
    expect(waiting).toBeGreaterThan(1000);
    expect(waiting).toBeLessThan(tooMuch + 1000);
    await far.recvAll(tooMuch + 1000);
    await Promise.all(sends);
    expect(near.sendQueueBytes).toBe(0);
  },

  async 'a queue that is full refuses more, and takes it again later'(t) {
    const [near, far] = await t.pair();
    near.sendQueueMax = 1000;
    const first = near.sendAll(Buffer.alloc(tooMuch));
    expect(await failureOf(near.sendAll('refused'))).toMatchObject({
      code: 'ERR_SOCK_QUEUE_FULL',
      bytesTransferred: 0,
    });
    expect(await failureOf(near.send('refused'))).toMatchObject({ code: 'ERR_SOCK_QUEUE_FULL' });
    await far.recvAll(tooMuch);
    await first;
    await near.sendAll('accepted');
    expect((await far.recv()).toString()).toBe('accepted');
  },

  async 'bytes detached before any left are an error, and nothing of them is sent'(t) {
    const [near, far] = await t.pair();
    const ahead = near.sendAll(Buffer.alloc(tooMuch));
    const doomed = new Uint8Array(10_000);
    const failure = failureOf(near.sendAll(doomed));
    const behind = near.sendAll('next');
    detach(doomed);
    await far.recvAll(tooMuch);
    await ahead;
    expect(await failure).toMatchObject({ code: 'ERR_SOCK_BUFFER_DETACHED', bytesTransferred: 0 });
    await behind;
    expect((await far.recv()).toString()).toBe('next');
  },

  async 'bytes detached half-way take the sends behind them along'(t) {
    const [near, far] = await t.pair();
    const doomed = new Uint8Array(tooMuch);
    const failure = failureOf(near.sendAll(doomed));
    const behind = failureOf(near.sendAll('out of step'));
    detach(doomed);
    const received = readToEnd(far);
    const { code, bytesTransferred = 0 } = await failure;
    expect(code).toBe('ERR_SOCK_BUFFER_DETACHED');
    expect(bytesTransferred).toBeGreaterThan(0);
    expect(await behind).toMatchObject({ code: 'ERR_SOCK_SEND_ABANDONED', bytesTransferred: 0 });
    await near.sendAll('anew');
    await near.shutdown();
    expect((await received).subarray(bytesTransferred).toString()).toBe('anew');
  },
};
