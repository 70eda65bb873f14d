import { type Checks, failureOf, isPending, readToEnd, thrownBy, tooMuch } from './trial.js';

const busy = { code: 'ERR_SOCK_BUSY' };

/** The forms that block and the forms that only try, alone and mixed with promises. */
export const tempos: Checks = {
  async 'tryRecv gives null while nothing has come, then the bytes'(t) {
    const [near, far] = await t.pair();
    const view = Buffer.alloc(4, '.');
    expect(near.tryRecv()).toBeNull();
    expect(near.tryRecv(view)).toBeNull();
    far.sendAllSync('abcdef');
    expect(near.tryRecv(2)?.toString()).toBe('ab');
    expect(near.tryRecv(view.subarray(1))).toBe(3);
    expect(view.toString()).toBe('.cde');
    expect(near.tryRecv()?.toString()).toBe('f');
    expect(near.tryRecv()).toBeNull();
  },

  async 'the blocking forms return at once what is there'(t) {
    const [near, far] = await t.pair();
    const view = Buffer.alloc(2);
    far.sendAllSync('abcdefgh');
    expect(near.recvSync(1).toString()).toBe('a');
    expect(near.recvSync(view)).toBe(2);
    expect(view.toString()).toBe('bc');
    expect(near.recvAllSync(3).toString()).toBe('def');
    expect(near.recvSync().toString()).toBe('gh');
  },

  async 'trySend sends what fits, and null once nothing does'(t) {
    const [near, far] = await t.pair();
    const sent = near.trySend(Buffer.alloc(tooMuch)) ?? 0;
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(tooMuch);
    let more: number | null = 0;
    let total = sent;
    while (more !== null) {
      total += more;
      more = near.trySend(Buffer.alloc(64 * 1024));
    }
    await far.recvAll(total);
    await near.sendAll('!');
    expect((await far.recv()).toString()).toBe('!');
  },

  async 'trySend gives null while sends are queued'(t) {
    const [near, far] = await t.pair();
    const queued = near.sendAll(Buffer.alloc(tooMuch));
    expect(near.trySend('out of turn')).toBeNull();
    await far.recvAll(tooMuch);
    await queued;
    expect(near.trySend('in turn')).toBe(7);
    expect((await far.recv()).toString()).toBe('in turn');
  },

  async 'sendSync first sends what is queued'(t) {
    const [near, far] = await t.pair();
    const sent = Buffer.alloc(tooMuch, 'q');
    const queued = near.sendAll(sent);
    const parts: Buffer[] = [];
    // One thread plays both sides: whenever sending would block, the peer reads what is there.
    for (;;) {
      try {
        near.sendAllSync('!', { timeout: 0 });
        break;
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_SOCK_TIMEOUT', bytesTransferred: 0 });
        for (let part = far.tryRecv(); part !== null; part = far.tryRecv()) parts.push(part);
      }
    }
    await queued;
    await near.shutdown();
    const received = Buffer.concat([...parts, await readToEnd(far)]);
    expect(received).toHaveLength(tooMuch + 1);
    expect(received.subarray(0, -1).equals(sent)).toBe(true);
    expect(received.subarray(-1).toString()).toBe('!');
  },

  async 'the other tempos of receiving are refused while one waits'(t) {
    const [near, far] = await t.pair();
    const waits = [() => near.recv(1), () => near.chunks({ size: 1 }).next()];
    for (const wait of waits) {
      const waiting = wait();
      expect(thrownBy(() => near.tryRecv())).toMatchObject(busy);
      expect(thrownBy(() => near.tryRecv(new Uint8Array(1)))).toMatchObject(busy);
      expect(thrownBy(() => near.recvSync())).toMatchObject(busy);
      expect(thrownBy(() => near.recvAllSync(1))).toMatchObject(busy);
      await far.sendAll('a');
      await waiting;
      expect(near.tryRecv()).toBeNull();
    }
  },

  async 'all tempos of receiving follow each other on one stream'(t) {
    const [near, far] = await t.pair();
    for (let round = 0; round < 50; round++) {
      await far.sendAll('abcd');
      expect((await near.recv(1)).toString()).toBe('a');
      expect(near.tryRecv(1)?.toString()).toBe('b');
      expect(near.recvSync(1).toString()).toBe('c');
      expect((await near.recvAll(1)).toString()).toBe('d');
    }
  },

  async 'a promise sees what came while only tries were made'(t) {
    const [near, far] = await t.pair();
    const first = near.recv();
    await far.sendAll('a');
    await first;
    expect(near.tryRecv()).toBeNull();
    far.sendAllSync('b');
    expect(near.tryRecv()?.toString()).toBe('b');
    const next = near.recv();
    expect(await isPending(next)).toBe(true);
    far.sendAllSync('c');
    expect((await next).toString()).toBe('c');
  },

  async 'tryRecv never misses what the peer has sent'(t) {
    const [near, far] = await t.pair();
    for (let round = 0; round < 200; round++) {
      const waiting = near.recv(1);
      far.sendAllSync('ab');
      await waiting;
      expect(near.tryRecv()?.toString()).toBe('b');
      expect(near.tryRecv()).toBeNull();
    }
  },

  async 'fd names the open descriptor, and isConnected says so'(t) {
    const [near, far] = await t.pair();
    expect(near.fd).toBeGreaterThan(2);
    expect(far.fd).not.toBe(near.fd);
    expect([near.isConnected, far.isConnected]).toEqual([true, true]);
  },

  async 'ref and unref return the stream, and what waits is still answered'(t) {
    const [near, far] = await t.pair();
    const waiting = near.unref().recv();
    expect(near.ref()).toBe(near);
    expect(near.unref()).toBe(near);
    expect(await isPending(waiting)).toBe(true);
    far.sendAllSync('x');
    // The test's own timer keeps the loop alive meanwhile.
    expect((await waiting).toString()).toBe('x');
    near.close();
    expect(await failureOf(near.recv())).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
  },
};
