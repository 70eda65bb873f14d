import { type Checks, failureOf, isPending, readToEnd, thrownBy, tooMuch } from './trial.js';

const endOfStream = { name: 'SocketClosedError', code: 'ERR_SOCK_EOF' };
const reset = { name: 'SocketClosedError', code: 'ECONNRESET' };
const broken = { name: 'SocketClosedError', code: expect.stringMatching(/^(EPIPE|ECONNRESET)$/) };

/** The peer's end of the stream, half-close, orderly ends and resets. */
export const ending: Checks = {
  async 'recv raises the end of the stream, every time'(t) {
    const [near, far] = await t.pair();
    await far.shutdown();
    expect(await failureOf(near.recv())).toMatchObject(endOfStream);
    expect(await failureOf(near.recv())).toMatchObject(endOfStream);
    expect(await failureOf(near.recv(new Uint8Array(1)))).toMatchObject(endOfStream);
    expect(thrownBy(() => near.tryRecv())).toMatchObject(endOfStream);
    expect(thrownBy(() => near.recvSync())).toMatchObject(endOfStream);
    expect(thrownBy(() => near.recvAllSync(1))).toMatchObject(endOfStream);
  },

  async 'the end of the stream reaches every receive that waits'(t) {
    const [near, far] = await t.pair();
    const failures = [
      failureOf(near.recv()),
      failureOf(near.recv(new Uint8Array(1))),
      failureOf(near.recvAll(10)),
    ];
    const step = near.chunks().next();
    await isPending(step);
    await far.shutdown();
    for (const failure of failures) expect(await failure).toMatchObject(endOfStream);
    expect(await step).toEqual({ value: undefined, done: true });
  },

  async 'data and the end in one wake-up both arrive'(t) {
    const [near, far] = await t.pair();
    const first = near.recv();
    await isPending(first);
    expect(far.trySend('data')).toBe(4);
    const shutdown = far.shutdown();
    expect((await first).toString()).toBe('data');
    expect(await failureOf(near.recv())).toMatchObject(endOfStream);
    await shutdown;
  },

  async 'data larger than a chunk and the end in one wake-up both arrive'(t) {
    const [near, far] = await t.pair();
    const sent = t.random.bytes(20_000);
    const first = near.recv(1000);
    await isPending(first);
    far.sendAllSync(sent);
    far.close();
    expect(Buffer.concat([await first, await readToEnd(near)]).equals(sent)).toBe(true);
  },

  async 'an iteration over a stream that has ended ends at once'(t) {
    const [near, far] = await t.pair();
    await far.sendAll('last words');
    await far.shutdown();
    expect((await readToEnd(near)).toString()).toBe('last words');
    expect(await readToEnd(near)).toHaveLength(0);
  },

  async 'recvAll tells what had come when the stream ends before it is full'(t) {
    const [near, far] = await t.pair();
    const failure = failureOf(near.recvAll(10));
    await far.sendAll('abc');
    await far.shutdown();
    const { code, partial } = await failure;
    expect({ code, partial: partial?.toString() }).toEqual({
      code: 'ERR_SOCK_EOF',
      partial: 'abc',
    });
    expect((await failureOf(near.recvAll(10))).partial).toBeUndefined();
  },

  async 'recvAllSync tells what had come when the stream ends before it is full'(t) {
    const [near, far] = await t.pair();
    await far.sendAll('abc');
    await far.shutdown();
    const { code, partial } = thrownBy(() => near.recvAllSync(10));
    expect({ code, partial: partial?.toString() }).toEqual({
      code: 'ERR_SOCK_EOF',
      partial: 'abc',
    });
  },

  async 'after its half-close a side still receives'(t) {
    const [near, far] = await t.pair();
    await near.shutdown('write');
    expect(await failureOf(far.recv())).toMatchObject(endOfStream);
    await far.sendAll('answer');
    expect((await near.recv()).toString()).toBe('answer');
    await far.shutdown('write');
    expect(await failureOf(near.recv())).toMatchObject(endOfStream);
  },

  async 'after its half-close a side sends no more'(t) {
    const [near] = await t.pair();
    await near.shutdown('write');
    expect(await failureOf(near.sendAll('late'))).toMatchObject({
      name: 'SocketClosedError',
      code: 'EPIPE',
      bytesTransferred: 0,
    });
    expect(thrownBy(() => near.trySend('late'))).toMatchObject({ code: 'EPIPE' });
    expect(thrownBy(() => near.sendSync('late'))).toMatchObject({ code: 'EPIPE' });
  },

  async 'a half-close waits for the sends before it'(t) {
    const [near, far] = await t.pair();
    const sent = t.random.bytes(tooMuch);
    const settled: string[] = [];
    const done = Promise.all([
      near.sendAll(sent).then(() => settled.push('send')),
      near.shutdown().then(() => settled.push('shutdown')),
    ]);
    expect(await isPending(done)).toBe(true);
    expect((await readToEnd(far)).equals(sent)).toBe(true);
    await done;
    expect(settled).toEqual(['send', 'shutdown']);
  },

  async 'a half-close follows a burst of small sends'(t) {
    const [near, far] = await t.pair();
    const done = Promise.all([...'abcdef'].map((letter) => near.sendAll(letter)));
    await near.shutdown();
    await done;
    expect((await readToEnd(far)).toString()).toBe('abcdef');
  },

  async 'shutdown of reading ends the receive that waits'(t) {
    const [near] = await t.pair();
    const failure = failureOf(near.recv());
    await isPending(failure);
    await near.shutdown('read');
    expect(await failure).toMatchObject(endOfStream);
    await near.sendAll('the other direction is open');
  },

  async 'shutdown of both directions ends both'(t) {
    const [near, far] = await t.pair();
    await near.shutdown('both');
    expect(await failureOf(near.recv())).toMatchObject(endOfStream);
    expect(await failureOf(far.recv())).toMatchObject(endOfStream);
    expect(await failureOf(near.sendAll('late'))).toMatchObject({ code: 'EPIPE' });
  },

  async 'end sends what is queued, and does not cut off what the peer still sends'(t) {
    const [near, far] = await t.pair();
    const [out, back] = [t.random.bytes(3_000_000), t.random.bytes(3_000_000)];
    const sent = near.sendAll(out);
    const answered = far.sendAll(back).then(() => far.shutdown());
    const ended = near.end();
    expect((await readToEnd(far)).equals(out)).toBe(true);
    await Promise.all([sent, answered, ended]);
    expect(near.fd).toBe(-1);
  },

  async 'end is in order when both sides have ended already'(t) {
    const [near, far] = await t.pair();
    await near.shutdown();
    expect(await failureOf(far.recv())).toMatchObject(endOfStream);
    await far.shutdown();
    expect(await failureOf(near.recv())).toMatchObject(endOfStream);
    await near.shutdown();
    await Promise.all([near.end(), far.end()]);
    expect([near.fd, far.fd]).toEqual([-1, -1]);
  },

  async 'end closes even when the peer does not end in time, and says so'(t) {
    const [near] = await t.pair();
    expect(await failureOf(near.end({ timeout: 10 }))).toMatchObject({ code: 'ERR_SOCK_TIMEOUT' });
    expect(near.fd).toBe(-1);
  },

  async 'end closes when it is aborted, and says so'(t) {
    const [near] = await t.pair();
    const controller = new AbortController();
    const failure = failureOf(near.end({ signal: controller.signal }));
    expect(await isPending(failure)).toBe(true);
    controller.abort();
    expect(await failure).toMatchObject({ code: 'ABORT_ERR' });
    expect(near.fd).toBe(-1);
  },

  async 'asyncDispose ends in order, and is silent on a closed stream'(t) {
    const [near, far] = await t.pair();
    const sent = near.sendAll('farewell');
    const disposed = near[Symbol.asyncDispose]();
    expect((await readToEnd(far)).toString()).toBe('farewell');
    await far.shutdown();
    await Promise.all([sent, disposed]);
    expect(near.fd).toBe(-1);
    await near[Symbol.asyncDispose]();
  },

  async 'a reset reaches the receive that waits, and every later one'(t) {
    const [near, far] = await t.pair();
    const failure = failureOf(near.recv());
    await near.sendAll('never read');
    far.close();
    expect(await failure).toMatchObject(reset);
    expect(await failureOf(near.recv())).toMatchObject(reset);
    expect(thrownBy(() => near.tryRecv())).toMatchObject(reset);
    expect(thrownBy(() => near.recvSync())).toMatchObject(reset);
  },

  async 'an iteration over a stream that was reset rejects rather than ends'(t) {
    const [near, far] = await t.pair();
    const failure = failureOf(readToEnd(near));
    await near.sendAll('never read');
    far.close();
    expect(await failure).toMatchObject(reset);
  },

  async 'bytes that came before a reset are received before it'(t) {
    const [near, far] = await t.pair();
    await near.sendAll('never read');
    await far.sendAll('last words');
    far.close();
    expect((await near.recv()).toString()).toBe('last words');
    expect(await failureOf(near.recv())).toMatchObject(reset);
  },

  async 'a reset fails every send that waits, and tells how far it got'(t) {
    const [near, far] = await t.pair();
    const first = failureOf(near.sendAll(Buffer.alloc(tooMuch)));
    const second = failureOf(near.sendAll('behind'));
    const shutdown = failureOf(near.shutdown());
    await far.recv();
    far.close();
    const { bytesTransferred, ...failure } = await first;
    expect(failure).toMatchObject({ code: broken.code });
    expect(bytesTransferred).toBeGreaterThan(0);
    expect(bytesTransferred).toBeLessThan(tooMuch);
    expect(await second).toMatchObject({ ...broken, bytesTransferred: 0 });
    await shutdown;
  },

  async 'sends to a peer that has closed fail before long'(t) {
    const [near, far] = await t.pair();
    far.close();
    const flood = async () => {
      for (let count = 0; count < 1000; count++) await near.sendAll('anybody?');
    };
    expect(await failureOf(flood())).toMatchObject(broken);
    expect(await failureOf(near.send('again'))).toMatchObject(broken);
  },
};
