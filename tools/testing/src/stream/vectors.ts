import {
  type Checks,
  detach,
  failureOf,
  isPending,
  readToEnd,
  shrinkable,
  thrownBy,
  tooMuch,
} from './trial.js';

const timedOut = { code: 'ERR_SOCK_TIMEOUT' };
const detached = { code: 'ERR_SOCK_BUFFER_DETACHED' };
const busy = { code: 'ERR_SOCK_BUSY' };

const text = (...views: Uint8Array[]): string => Buffer.concat(views).toString();

/** Sending from several places, and receiving into them. */
export const vectors: Checks = {
  async 'sendv resolves with the count of bytes taken from all places'(t) {
    const [near, far] = await t.pair();
    expect(await near.sendv(['grüße, ', Buffer.from('world'), '', new Uint8Array(0), '!'])).toBe(
      Buffer.byteLength('grüße, world!'),
    );
    expect((await far.recvAll(15)).toString()).toBe('grüße, world!');
  },

  async 'sendvAll sends what lies in several places as one'(t) {
    const [near, far] = await t.pair();
    for (const size of [3, 1000, 2000, 30_000, 500_000]) {
      const parts = [t.random.bytes(size), t.random.bytes(1), t.random.bytes(size)];
      const received = far.recvAll(2 * size + 1);
      await near.sendvAll(parts);
      expect((await received).equals(Buffer.concat(parts))).toBe(true);
    }
  },

  async 'sendvAll carries on inside a view where the kernel stopped'(t) {
    const [near, far] = await t.pair();
    const parts = Array.from({ length: 1024 }, () => t.random.bytes(t.random.integer(0, 9_000)));
    const sent = Buffer.concat(parts);
    const sending = near.sendvAll(parts).then(() => near.shutdown());
    const received: Buffer[] = [];
    for await (const chunk of far.chunks({ size: t.random.integer(1_000, 90_000) })) {
      received.push(chunk);
      if (t.random.oneIn(5)) await isPending(sending);
    }
    await sending;
    expect(Buffer.concat(received).equals(sent)).toBe(true);
  },

  async 'sends of every form leave in the order of the calls'(t) {
    const [near, far] = await t.pair();
    const some = () => t.random.bytes(t.random.oneIn(8) ? 200_000 : t.random.integer(0, 50));
    const parts = Array.from({ length: 100 }, () => [some(), some(), some()]);
    const sends = Promise.all(
      parts.map((part) =>
        t.random.oneIn(3) ? near.sendAll(Buffer.concat(part)) : near.sendvAll(part),
      ),
    );
    const shutdown = near.shutdown();
    const received = await readToEnd(far);
    await Promise.all([sends, shutdown]);
    expect(received.equals(Buffer.concat(parts.flat()))).toBe(true);
  },

  async 'the array is read at the call, and left as it was'(t) {
    const [near, far] = await t.pair();
    const views = [Buffer.alloc(3), Buffer.alloc(3)];
    const [first, second] = views as [Buffer, Buffer];
    const receiving = near.recvvAll(views);
    expect(views).toEqual([first, second]);
    views.length = 0;
    const data = ['abc', Buffer.from('def')];
    const sending = far.sendvAll(data);
    expect(data).toEqual(['abc', Buffer.from('def')]);
    data.length = 0;
    await Promise.all([sending, receiving]);
    expect(text(first, second)).toBe('abcdef');
  },

  async 'vectors of nothing send nothing'(t) {
    const [near, far] = await t.pair();
    expect(await near.sendv(['', new Uint8Array(0)])).toBe(0);
    expect(near.sendvSync([''])).toBe(0);
    expect(near.trySendv([''])).toBe(0);
    await near.sendvAll(['']);
    near.sendvAllSync(['']);
    expect(far.tryRecv()).toBeNull();
  },

  async 'recvv fills the views in order and resolves with the count'(t) {
    const [near, far] = await t.pair();
    const memory = Buffer.alloc(12, '.');
    const [first, none, second] = [
      memory.subarray(1, 3),
      new Uint8Array(0),
      memory.subarray(4, 10),
    ] as const;
    const received = near.recvv([first, none, second]);
    expect(await isPending(received)).toBe(true);
    await far.sendAll('abcde');
    expect(await received).toBe(5);
    expect(memory.toString()).toBe('.ab.cde.....');
    await far.sendAll('f');
    expect(await near.recvv([second, first])).toBe(1);
    expect(memory.toString()).toBe('.ab.fde.....');
  },

  async 'recvvAll waits until every view is full, and takes no more'(t) {
    const [near, far] = await t.pair();
    const views = [Buffer.alloc(2), Buffer.alloc(1), Buffer.alloc(4)] as const;
    const received = near.recvvAll(views);
    for (const part of ['a', 'bc', 'd', 'efgh']) {
      await far.sendAll(part);
      await isPending(received);
    }
    expect(await received).toBe(7);
    expect(text(...views)).toBe('abcdefg');
    expect((await near.recv()).toString()).toBe('h');
  },

  async 'large vectors on both sides carry every byte'(t) {
    const [near, far] = await t.pair();
    const parts = Array.from({ length: 300 }, () => t.random.bytes(t.random.integer(0, 20_000)));
    const sent = Buffer.concat(parts);
    const memory = Buffer.alloc(sent.length);
    const views: Buffer[] = [];
    for (let at = 0; at < sent.length; ) {
      const end = Math.min(sent.length, at + t.random.integer(4_000, 40_000));
      views.push(memory.subarray(at, end));
      at = end;
    }
    const [count] = await Promise.all([near.recvvAll(views), far.sendvAll(parts)]);
    expect(count).toBe(sent.length);
    expect(memory.equals(sent)).toBe(true);
  },

  async 'receives into vectors queue with the others'(t) {
    const [near, far] = await t.pair();
    const [two, three] = [
      [Buffer.alloc(1), Buffer.alloc(1)] as const,
      [Buffer.alloc(2), Buffer.alloc(1)] as const,
    ];
    const answers = Promise.all([near.recv(1), near.recvv(two), near.recvvAll(three), near.recv()]);
    await far.sendAll('abbcccd');
    const [a, bb, ccc, d] = await answers;
    expect([a.toString(), bb, ccc, d.toString()]).toEqual(['a', 2, 3, 'd']);
    expect([text(...two), text(...three)]).toEqual(['bb', 'ccc']);
  },

  async 'vectors have all tempos'(t) {
    const [near, far] = await t.pair();
    const views = [Buffer.alloc(1), Buffer.alloc(2)] as const;
    expect(near.tryRecvv(views)).toBeNull();
    expect(far.trySendv(['a', 'b'])).toBe(2);
    expect(near.tryRecvv(views)).toBe(2);
    expect(far.sendvSync(['c', 'd'])).toBe(2);
    expect(near.recvvSync(views)).toBe(2);
    expect(text(...views)).toBe('cd\0');
    far.sendvAllSync(['e', 'fgh']);
    expect(near.recvvAllSync(views)).toBe(3);
    expect(text(...views)).toBe('efg');
    expect((await near.recv()).toString()).toBe('h');
  },

  async 'large vectors have all tempos'(t) {
    const [near, far] = await t.pair();
    const parts = [t.random.bytes(9_000), t.random.bytes(9_000)];
    const views = [Buffer.alloc(10_000), Buffer.alloc(8_000)] as const;
    const sends: readonly (() => number)[] = [
      () => far.trySendv(parts) ?? 0,
      () => far.sendvSync(parts),
      () => {
        far.sendvAllSync(parts);
        return 18_000;
      },
    ];
    for (const send of sends) {
      expect(send()).toBe(18_000);
      expect(near.recvvAllSync(views)).toBe(18_000);
      expect(Buffer.concat(views).equals(Buffer.concat(parts))).toBe(true);
    }
  },

  async 'trySendv takes what fits, and null while sends are queued'(t) {
    const [near, far] = await t.pair();
    const parts = [Buffer.alloc(tooMuch / 2), Buffer.alloc(tooMuch / 2)];
    const sent = near.trySendv(parts) ?? 0;
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(tooMuch);
    const queued = near.sendvAll(parts);
    expect(near.trySendv(['out of turn'])).toBeNull();
    await far.recvAll(sent + tooMuch);
    await queued;
    expect(near.trySendv(['in ', 'turn'])).toBe(7);
    expect((await far.recvAll(7)).toString()).toBe('in turn');
  },

  async 'a vector waits behind others, is counted, and is refused by a full queue'(t) {
    const [near, far, filler] = await t.cloggedPair();
    const parts = [t.random.bytes(600_000), t.random.bytes(600_000)];
    const first = near.sendvAll(parts);
    const small = near.sendvAll(['a', 'b', 'c']);
    expect(near.sendQueueBytes).toBeGreaterThan(3);
    near.sendQueueMax = 1000;
    const refused = { code: 'ERR_SOCK_QUEUE_FULL', bytesTransferred: 0 };
    expect(await failureOf(near.sendvAll(['re', 'fused']))).toMatchObject(refused);
    expect(await failureOf(near.sendvAll(parts))).toMatchObject(refused);
    expect(await failureOf(near.sendv(parts))).toMatchObject(refused);
    await far.recvAll(filler);
    expect((await far.recvAll(1_200_000)).equals(Buffer.concat(parts))).toBe(true);
    expect((await far.recvAll(3)).toString()).toBe('abc');
    await Promise.all([first, small]);
    expect(near.sendQueueBytes).toBe(0);
  },

  async 'a vector cut short half-way tells how far it got, and takes those behind along'(t) {
    for (const cut of ['timeout', 'abort'] as const) {
      const [near, far] = await t.pair();
      const controller = new AbortController();
      const parts = [t.random.bytes(100), t.random.bytes(tooMuch)];
      const options = cut === 'timeout' ? { timeout: 5 } : { signal: controller.signal };
      const first = failureOf(near.sendvAll(parts, options));
      const behind = failureOf(near.sendvAll(['be', 'hind']));
      await isPending(first);
      if (cut === 'abort') controller.abort();
      const { code, bytesTransferred = 0 } = await first;
      expect(code).toBe(cut === 'timeout' ? 'ERR_SOCK_TIMEOUT' : 'ABORT_ERR');
      expect(bytesTransferred).toBeGreaterThan(100);
      expect(await behind).toMatchObject({ code: 'ERR_SOCK_SEND_ABANDONED', bytesTransferred: 0 });
      const later = near.sendvAll(['la', 'ter']).then(() => near.shutdown());
      const received = await readToEnd(far);
      await later;
      const sent = Buffer.concat(parts).subarray(0, bytesTransferred);
      expect(received.equals(Buffer.concat([sent, Buffer.from('later')]))).toBe(true);
    }
  },

  async 'sendvAllSync that runs out of time tells how far it got'(t) {
    const [near, far] = await t.pair();
    const parts = [t.random.bytes(1_000), t.random.bytes(tooMuch)];
    const failure = thrownBy(() => near.sendvAllSync(parts, { timeout: 5 }));
    expect(failure).toMatchObject(timedOut);
    const { bytesTransferred = 0 } = failure;
    expect(bytesTransferred).toBeGreaterThan(1_000);
    const received = await far.recvAll(bytesTransferred);
    expect(received.equals(Buffer.concat(parts).subarray(0, bytesTransferred))).toBe(true);
  },

  async 'recvvAll that is cut short gives its bytes back'(t) {
    const [near, far] = await t.pair();
    const controller = new AbortController();
    const views = [Buffer.alloc(2), Buffer.alloc(8)] as const;
    await far.sendAll('abc');
    expect(await failureOf(near.recvvAll(views, { timeout: 5 }))).toMatchObject(timedOut);
    const aborted = failureOf(near.recvvAll(views, { signal: controller.signal }));
    await isPending(aborted);
    controller.abort();
    expect(await aborted).toMatchObject({ code: 'ABORT_ERR' });
    expect(thrownBy(() => near.recvvAllSync(views, { timeout: 1 }))).toMatchObject(timedOut);
    await far.sendAll('def');
    const [first, second] = [Buffer.alloc(2), Buffer.alloc(4)];
    expect(await near.recvvAll([first, second])).toBe(6);
    expect(text(first, second)).toBe('abcdef');
  },

  async 'bytes that were given back fill vectors first'(t) {
    const [near, far] = await t.pair();
    const giveBack = async () => {
      far.sendAllSync('abcd');
      expect(await failureOf(near.recvAll(5, { timeout: 1 }))).toMatchObject(timedOut);
    };
    const views = [Buffer.alloc(1), Buffer.alloc(2)] as const;
    const receives = [
      () => near.recvv(views),
      () => near.recvvAll(views),
      async () => near.tryRecvv(views),
      async () => near.recvvSync(views),
      async () => near.recvvAllSync(views),
    ];
    for (const receive of receives) {
      await giveBack();
      expect(await receive()).toBe(3);
      expect(text(...views)).toBe('abc');
      expect((await near.recv()).toString()).toBe('d');
    }
  },

  async 'a vector that the end of the stream cuts short tells what had come'(t) {
    const end = { code: 'ERR_SOCK_EOF' };
    for (const blocking of [false, true]) {
      const [near, far] = await t.pair();
      const views = [Buffer.alloc(2), Buffer.alloc(8)] as const;
      await far.sendAll('abc');
      await far.shutdown();
      const failure = blocking
        ? thrownBy(() => near.recvvAllSync(views))
        : await failureOf(near.recvvAll(views));
      expect(failure).toMatchObject(end);
      expect(failure.partial?.toString()).toBe('abc');
      expect(await failureOf(near.recvv(views))).toMatchObject(end);
      expect(thrownBy(() => near.tryRecvv(views))).toMatchObject(end);
    }
  },

  async 'a place that is detached while a send waits is an error, and nothing is sent'(t) {
    const [near, far] = await t.pair();
    const ahead = near.sendAll(Buffer.alloc(tooMuch));
    const doomed = new Uint8Array(10_000);
    const failure = failureOf(near.sendvAll([Buffer.alloc(10_000), doomed]));
    const behind = near.sendAll('next');
    detach(doomed);
    await far.recvAll(tooMuch);
    await ahead;
    expect(await failure).toMatchObject({ ...detached, bytesTransferred: 0 });
    await behind;
    expect((await far.recv()).toString()).toBe('next');
  },

  async 'a view that is taken away while recvv waits is an error, and the bytes stay'(t) {
    const [near, far] = await t.pair();
    const { view, shrink } = shrinkable(8);
    const doomed = new Uint8Array(8);
    const failures = [
      failureOf(near.recvv([Buffer.alloc(2), doomed])),
      failureOf(near.recvvAll([Buffer.alloc(2), view])),
    ];
    const next = near.recv();
    detach(doomed);
    shrink();
    await far.sendAll('kept');
    for (const failure of failures) expect(await failure).toMatchObject(detached);
    expect((await next).toString()).toBe('kept');
  },

  async 'a view that is taken away half-way gives back what the others hold'(t) {
    const [near, far] = await t.pair();
    const doomed = new Uint8Array(8);
    const failure = failureOf(near.recvvAll([Buffer.alloc(4), doomed]));
    await far.sendAll('kept');
    await isPending(failure);
    detach(doomed);
    await far.sendAll('!');
    expect(await failure).toMatchObject(detached);
    expect((await near.recvAll(5)).toString()).toBe('kept!');
  },

  async 'the blocking forms are refused while a vector waits, and the other way round'(t) {
    const [near, far] = await t.pair();
    const views = [Buffer.alloc(1)];
    const waiting = near.recvvAll(views);
    expect(thrownBy(() => near.tryRecv())).toMatchObject(busy);
    expect(thrownBy(() => near.tryRecvv(views))).toMatchObject(busy);
    expect(thrownBy(() => near.recvvSync(views))).toMatchObject(busy);
    expect(thrownBy(() => near.recvvAllSync(views))).toMatchObject(busy);
    await far.sendAll('a');
    await waiting;
    expect(near.tryRecvv(views)).toBeNull();
  },

  async 'closing rejects the vectors that wait'(t) {
    const [near] = await t.pair();
    const closed = { code: 'ERR_SOCK_CLOSED' };
    const failures = [
      failureOf(near.sendvAll([Buffer.alloc(tooMuch), 'x'])),
      failureOf(near.sendv([Buffer.alloc(9_000), 'x'])),
      failureOf(near.recvv([Buffer.alloc(1)])),
      failureOf(near.recvvAll([Buffer.alloc(1)])),
    ];
    near.close();
    const [first, ...others] = await Promise.all(failures);
    expect(first).toMatchObject(closed);
    expect(first?.bytesTransferred).toBeGreaterThan(0);
    for (const failure of others) expect(failure).toMatchObject(closed);
    expect(thrownBy(() => near.trySendv(['x']))).toMatchObject(closed);
    expect(thrownBy(() => near.recvvSync([Buffer.alloc(1)]))).toMatchObject(closed);
  },

  async 'a vector must be an array of 1 to 1024 elements'(t) {
    const [near] = await t.pair();
    const wrong = [[], new Array(1025).fill('x')];
    for (const list of wrong) {
      const named = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' };
      expect(thrownBy(() => near.sendv(list))).toMatchObject(named);
      expect(thrownBy(() => near.sendvAllSync(list))).toMatchObject(named);
      expect(thrownBy(() => near.recvv(list))).toMatchObject(named);
      expect(thrownBy(() => near.sendv(list)).message).toContain('"data"');
      expect(thrownBy(() => near.recvv(list)).message).toContain('"views"');
    }
    expect(thrownBy(() => near.recvv([new Uint8Array(0)]))).toMatchObject({ name: 'RangeError' });
    expect(thrownBy(() => near.sendv('text' as never))).toMatchObject({ name: 'TypeError' });
    expect(thrownBy(() => near.sendv(['fine', 1] as never)).message).toContain('"data[1]"');
    expect(thrownBy(() => near.recvv(['x'] as never)).message).toContain('"views[0]"');
  },

  async 'a vector of 1024 elements is not too long'(t) {
    const [near, far] = await t.pair();
    const large = new Array(1024).fill('x'.repeat(10)) as string[];
    const views = large.map(() => Buffer.alloc(10));
    await near.sendvAll(large);
    expect(await far.recvvAll(views)).toBe(10_240);
    expect(text(...views)).toBe(large.join(''));
  },
};
