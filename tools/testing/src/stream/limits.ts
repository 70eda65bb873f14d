import { getEventListeners } from 'node:events';
import { type Checks, failureOf, isPending, readToEnd, thrownBy, tooMuch } from './trial.js';

const timedOut = { name: 'TimeoutError', code: 'ERR_SOCK_TIMEOUT' };
const abandoned = { code: 'ERR_SOCK_SEND_ABANDONED', bytesTransferred: 0 };

/** How long the promise took, and how it failed. */
async function timed(start: () => Promise<unknown>) {
  const startMs = performance.now();
  const failure = await failureOf(start());
  return { failure, tookMs: performance.now() - startMs };
}

/** Timeouts and signals. */
export const limits: Checks = {
  async 'a receive times out, never early, and loses nothing'(t) {
    const [near, far] = await t.pair();
    for (const timeout of [1, 7.5, 20]) {
      const { failure, tookMs } = await timed(() => near.recv(1, { timeout }));
      expect(failure).toMatchObject({ ...timedOut, timeout });
      expect('errno' in failure).toBe(false);
      expect(tookMs).toBeGreaterThanOrEqual(timeout);
    }
    await far.sendAll('here');
    expect((await near.recv(64, { timeout: 1000 })).toString()).toBe('here');
  },

  async 'a timeout of 0 looks once'(t) {
    const [near, far] = await t.pair();
    expect(await failureOf(near.recv(1, { timeout: 0 }))).toMatchObject({
      ...timedOut,
      timeout: 0,
    });
    for (const letter of 'abc') {
      far.sendAllSync(letter);
      expect((await near.recv(8, { timeout: 0 })).toString()).toBe(letter);
    }
    far.sendAllSync('d');
    expect(await near.recv(new Uint8Array(8), { timeout: 0 })).toBe(1);
    far.sendAllSync('ef');
    expect((await near.recvAll(2, { timeout: 0 })).toString()).toBe('ef');
  },

  async 'timeouts of the blocking forms are kept too'(t) {
    const [near, far] = await t.pair();
    const startMs = performance.now();
    expect(thrownBy(() => near.recvSync(1, { timeout: 10 }))).toMatchObject(timedOut);
    expect(thrownBy(() => near.recvSync(new Uint8Array(1), { timeout: 10 }))).toMatchObject(
      timedOut,
    );
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(20);
    expect(thrownBy(() => near.recvSync(1, { timeout: 0 }))).toMatchObject(timedOut);
    far.sendAllSync('abc');
    expect(thrownBy(() => near.recvAllSync(4, { timeout: 5 }))).toMatchObject(timedOut);
    expect(near.recvSync().toString()).toBe('abc');
  },

  async 'sendAllSync times out and tells how far it got'(t) {
    const [near, far] = await t.pair();
    const data = t.random.bytes(tooMuch);
    const { bytesTransferred = 0, ...failure } = thrownBy(() => {
      near.sendAllSync(data, { timeout: 5 });
    });
    expect(failure).toMatchObject({ code: 'ERR_SOCK_TIMEOUT' });
    expect(bytesTransferred).toBeGreaterThan(0);
    await near.shutdown();
    expect((await readToEnd(far)).equals(data.subarray(0, bytesTransferred))).toBe(true);
  },

  async 'timeouts of several receives are kept one by one'(t) {
    const [near, far] = await t.pair();
    const last = near.recv();
    const waits = [30, 5, 15].map((timeout) => timed(() => near.recv(1, { timeout })));
    for (const { failure, tookMs } of await Promise.all(waits)) {
      expect(failure).toMatchObject(timedOut);
      expect(tookMs).toBeGreaterThanOrEqual(failure.timeout ?? Number.POSITIVE_INFINITY);
    }
    await far.sendAll('for who is left');
    expect((await last).toString()).toBe('for who is left');
  },

  async 'recvAll that is cut short gives its bytes back'(t) {
    const [near, far] = await t.pair();
    const controller = new AbortController();
    await far.sendAll('abc');
    expect(await failureOf(near.recvAll(10, { timeout: 5 }))).toMatchObject(timedOut);
    const aborted = failureOf(near.recvAll(10, { signal: controller.signal }));
    await isPending(aborted);
    controller.abort();
    expect(await aborted).toMatchObject({ code: 'ABORT_ERR' });
    const next = near.recvAll(6);
    await far.sendAll('def');
    expect((await next).toString()).toBe('abcdef');
  },

  async 'bytes that were given back come first in every form'(t) {
    const [near, far] = await t.pair();
    const giveBack = async () => {
      far.sendAllSync('abc');
      expect(await failureOf(near.recvAll(4, { timeout: 1 }))).toMatchObject(timedOut);
      far.sendAllSync('d');
    };
    const view = Buffer.alloc(3);
    await giveBack();
    expect(near.recvAllSync(4).toString()).toBe('abcd');
    await giveBack();
    expect(near.tryRecv(view)).toBe(3);
    expect(view.toString()).toBe('abc');
    expect(near.recvSync().toString()).toBe('d');
    await giveBack();
    expect((await near.chunks({ size: 2 }).next()).value?.toString()).toBe('ab');
    expect((await near.recvAll(2)).toString()).toBe('cd');
    await giveBack();
    await far.shutdown();
    expect((await readToEnd(near)).toString()).toBe('abcd');
  },

  async 'an aborted signal refuses at once, and takes nothing'(t) {
    const [near, far] = await t.pair();
    const reason = new Error('not today');
    const signal = AbortSignal.abort(reason);
    far.sendAllSync('kept');
    const failures = [
      near.recv(1, { signal }),
      near.recvAll(1, { signal }),
      near.send('x', { signal }),
      near.sendAll('x', { signal }),
      near.shutdown('write', { signal }),
    ].map(failureOf);
    for (const failure of failures) {
      expect(await failure).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' });
      expect((await failure).cause).toBe(reason);
    }
    expect((await near.recv()).toString()).toBe('kept');
    expect(far.tryRecv()).toBeNull();
  },

  async 'an abort ends the receive that waits, and only that one'(t) {
    const [near, far] = await t.pair();
    const controller = new AbortController();
    const first = near.recv(1);
    const second = failureOf(near.recv(1, { signal: controller.signal }));
    const third = near.recv(1);
    await isPending(first);
    controller.abort(new Error('enough'));
    expect(await second).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' });
    expect((await second).cause).toMatchObject({ message: 'enough' });
    await far.sendAll('ab');
    expect([(await first).toString(), (await third).toString()]).toEqual(['a', 'b']);
  },

  async 'bytes that arrive together with the abort go to the next receive'(t) {
    const [near, far] = await t.pair();
    for (let round = 0; round < 20; round++) {
      const controller = new AbortController();
      const aborted = failureOf(near.recv(8, { signal: controller.signal }));
      await isPending(aborted);
      far.sendAllSync('kept');
      controller.abort();
      expect(await aborted).toMatchObject({ code: 'ABORT_ERR' });
      expect((await near.recv()).toString()).toBe('kept');
    }
  },

  async 'a signal is let go of when the operation is over'(t) {
    const [near, far] = await t.pair();
    const { signal } = new AbortController();
    for (let round = 0; round < 3; round++) {
      const received = near.recv(1, { signal });
      await far.sendAll('a', { signal });
      await received;
    }
    await failureOf(near.recv(1, { signal, timeout: 1 }));
    const closed = failureOf(near.recv(1, { signal }));
    near.close();
    await closed;
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  },

  async 'a send cut short half-way tells how far it got, and takes those behind along'(t) {
    for (const cut of ['timeout', 'abort'] as const) {
      const [near, far] = await t.pair();
      const controller = new AbortController();
      const data = t.random.bytes(tooMuch);
      const options = cut === 'timeout' ? { timeout: 5 } : { signal: controller.signal };
      const first = failureOf(near.sendAll(data, options));
      const second = failureOf(near.sendAll('behind'));
      const third = failureOf(near.send('behind'));
      const shutdown = failureOf(near.shutdown());
      await isPending(first);
      if (cut === 'abort') controller.abort();
      const { code, bytesTransferred = 0 } = await first;
      expect(code).toBe(cut === 'timeout' ? 'ERR_SOCK_TIMEOUT' : 'ABORT_ERR');
      expect(bytesTransferred).toBeGreaterThan(0);
      expect(await second).toMatchObject(abandoned);
      expect(await third).toMatchObject(abandoned);
      expect(await shutdown).toMatchObject({ code: 'ERR_SOCK_SEND_ABANDONED' });
      const later = near.sendAll('later').then(() => near.shutdown());
      const received = await readToEnd(far);
      await later;
      expect(
        received.subarray(0, bytesTransferred).equals(data.subarray(0, bytesTransferred)),
      ).toBe(true);
      expect(received.subarray(bytesTransferred).toString()).toBe('later');
    }
  },

  async 'a send cut short before its first byte leaves the others alone'(t) {
    const [near, far] = await t.pair();
    const controller = new AbortController();
    const ahead = near.sendAll(Buffer.alloc(tooMuch));
    const aborted = failureOf(near.sendAll('nothing of it', { signal: controller.signal }));
    const late = failureOf(near.sendAll('nor of it', { timeout: 3 }));
    const behind = near.sendAll('behind');
    await isPending(behind);
    controller.abort();
    expect(await aborted).toMatchObject({ code: 'ABORT_ERR', bytesTransferred: 0 });
    expect(await late).toMatchObject({ ...timedOut, bytesTransferred: 0 });
    await far.recvAll(tooMuch);
    await ahead;
    await behind;
    expect((await far.recv()).toString()).toBe('behind');
  },

  async 'a half-close that waits can be given up'(t) {
    const [near, far] = await t.pair();
    const ahead = near.sendAll(Buffer.alloc(tooMuch));
    expect(await failureOf(near.shutdown('write', { timeout: 5 }))).toMatchObject(timedOut);
    const later = near.sendAll('still open');
    await far.recvAll(tooMuch);
    await Promise.all([ahead, later]);
    expect((await far.recv()).toString()).toBe('still open');
  },

  async 'many operations with limits on one stream disturb nobody'(t) {
    const [near, far] = await t.pair();
    const sent = t.random.bytes(20_000);
    const parts: Buffer[] = [];
    let length = 0;
    const sending = (async () => {
      for (let at = 0; at < sent.length; ) {
        const end = Math.min(sent.length, at + t.random.integer(1, 2_000));
        await far.sendAll(sent.subarray(at, end), { timeout: 5_000 });
        at = end;
        if (t.random.oneIn(3)) await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })();
    while (length < sent.length) {
      try {
        const timeout = t.random.integer(0, 2);
        const wanted = Math.min(sent.length - length, t.random.integer(1, 3_000));
        const part = t.random.oneIn(2)
          ? await near.recv(wanted, { timeout })
          : await near.recvAll(wanted, { timeout });
        parts.push(part);
        length += part.length;
      } catch (error) {
        expect(error).toMatchObject(timedOut);
      }
    }
    await sending;
    expect(Buffer.concat(parts).equals(sent)).toBe(true);
  },
};
