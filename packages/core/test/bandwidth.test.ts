/** Sockets with a limit on bytes per second. */
import { createHash } from 'node:crypto';
import { Arena, Socket } from '@sock/core';
import { failureOf, Random, readToEnd, thrownBy, within } from '@sock/testing';

const nobody = Number.POSITIVE_INFINITY;

describe('a socket with a bandwidth', () => {
  let near: Socket;
  let far: Socket;
  beforeEach(() => {
    [near, far] = Socket.pair();
  });
  afterEach(() => {
    near.close();
    far.close();
  });

  /** Uses up what the direction may move at once. */
  async function useUp(direction: 'read' | 'write'): Promise<void> {
    const rate = near.getBandwidth();
    if (direction === 'write') {
      expect(await near.sendLimited(Buffer.alloc(rate))).toBe(rate);
      await far.recvAll(rate);
    } else {
      await far.sendAll(Buffer.alloc(rate));
      for (let left = rate; left > 0; ) left -= (await near.recvLimited(left)).length;
    }
  }

  it('has none at first, and says which it has', () => {
    expect(near.getBandwidth()).toBe(nobody);
    near.setBandwidth(5_000);
    expect(near.getBandwidth()).toBe(5_000);
    near.setBandwidth(nobody);
    expect(near.getBandwidth()).toBe(nobody);
    expect(near.bandwidthWaitMs(2 ** 40)).toBe(0);
  });

  it('sends no faster than that, and loses nothing', async () => {
    const data = new Random(5).bytes(300_000);
    near.setBandwidth(200_000);
    const start = performance.now();
    const receiving = readToEnd(far);
    for (let rest = data; rest.length > 0; ) rest = rest.subarray(await near.sendLimited(rest));
    // All but the first second's.
    expect(performance.now() - start).toBeGreaterThanOrEqual(499);
    await near.shutdown();
    const hash = createHash('sha256').update(data).digest('hex');
    expect(
      createHash('sha256')
        .update(await receiving)
        .digest('hex'),
    ).toBe(hash);
  });

  it('receives no faster than that, and loses nothing', async () => {
    const data = new Random(6).bytes(300_000);
    near.setBandwidth(200_000);
    const start = performance.now();
    const sending = far.sendAll(data).then(() => far.shutdown());
    const parts: Buffer[] = [];
    const view = Buffer.alloc(50_000);
    for (let left = data.length; left > 0; ) {
      if (parts.length % 2 === 0) parts.push(await near.recvLimited(left));
      else parts.push(Buffer.from(view.subarray(0, await near.recvLimited(view))));
      left -= parts.at(-1)?.length ?? 0;
    }
    expect(performance.now() - start).toBeGreaterThanOrEqual(499);
    expect(Buffer.concat(parts).equals(data)).toBe(true);
    await sending;
    expect(await failureOf(near.recvLimited())).toMatchObject({ code: 'ERR_SOCK_EOF' });
  });

  it('counts each direction by itself', async () => {
    near.setBandwidth(1_000);
    // To the last token, however long the machine took for the others.
    while (near.trySendLimited('x'.repeat(1_000)) !== 0);
    expect(near.bandwidthWaitMs(1_000)).toBeGreaterThan(500);
    expect(near.bandwidthWaitMs(1_000, 'read')).toBe(0);
    await far.sendAll(Buffer.alloc(100_000));
    let received = 0;
    let got = near.tryRecvLimited();
    for (; got !== null && got !== 0; got = near.tryRecvLimited()) received += got.length;
    expect(got).toBe(0);
    expect(received).toBeGreaterThanOrEqual(1_000);
    expect(near.bandwidthWaitMs(1_001, 'read')).toBe(nobody);
  });

  it('is charged for what was moved, and not for what was asked', async () => {
    near.setBandwidth(10_000);
    await far.sendAll('abc');
    expect(String(await near.recvLimited(10_000))).toBe('abc');
    expect(near.bandwidthWaitMs(9_990, 'read')).toBe(0);
    expect(near.tryRecvLimited(10_000)).toBeNull();
    expect(near.bandwidthWaitMs(9_990, 'read')).toBe(0);
    expect(near.bandwidthWaitMs(10_000, 'read')).toBeLessThanOrEqual(1);
  });

  it('is not charged for what the kernel does not take', async () => {
    const rate = 1e9;
    near.setBandwidth(rate);
    let sent = 0;
    let last: number | null = 0;
    do {
      last = near.trySendLimited(Buffer.alloc(1_000_000));
      sent += last ?? 0;
    } while (last !== null);
    expect(sent).toBeGreaterThan(0);
    expect(near.bandwidthWaitMs(rate - sent)).toBe(0);
  });

  it('leaves the other methods as fast as they were', async () => {
    near.setBandwidth(1);
    await near.sendAll(Buffer.alloc(50_000));
    await far.sendAll(Buffer.alloc(50_000));
    await Promise.all([near.recvAll(50_000), far.recvAll(50_000)]);
    expect([near.bandwidthWaitMs(1), near.bandwidthWaitMs(1, 'read')]).toEqual([0, 0]);
  });

  it('sends in the order of the calls', async () => {
    near.setBandwidth(2_000);
    const pieces = Array.from({ length: 30 }, (_, index) => String.fromCharCode(65 + index));
    await useUp('write');
    const counts = await Promise.all(pieces.map((piece) => near.sendLimited(piece.repeat(2))));
    expect(new Set(counts)).toEqual(new Set([2]));
    const expected = pieces.map((piece) => piece.repeat(2)).join('');
    expect(String(await far.recvAll(expected.length))).toBe(expected);
  });

  it('gives up when the time is over, and has sent nothing', async () => {
    near.setBandwidth(1);
    await useUp('write');
    const start = performance.now();
    const error = await failureOf(near.sendLimited('x', { timeout: 20 }));
    expect(performance.now() - start).toBeGreaterThanOrEqual(20);
    expect(error).toMatchObject({ name: 'TimeoutError', timeout: 20 });
    expect(far.tryRecv()).toBeNull();
  });

  it('tells the whole time that was allowed, where both waits took a share of it', async () => {
    near.setBandwidth(1_000);
    await useUp('read');
    const error = await failureOf(near.recvLimited(100, { timeout: 150 }));
    expect(error).toMatchObject({ name: 'TimeoutError', timeout: 150 });
  });

  it('loses nothing to a signal', async () => {
    near.setBandwidth(1);
    await useUp('read');
    await far.sendAll('still here');
    const controller = new AbortController();
    const failure = failureOf(near.recvLimited(10, { signal: controller.signal }));
    controller.abort();
    expect(await failure).toMatchObject({ name: 'AbortError' });
    near.setBandwidth(nobody);
    expect(String(await near.recvLimited())).toBe('still here');
  });

  it('lets those go who wait when the limit is lifted', async () => {
    near.setBandwidth(1);
    await useUp('write');
    const sending = near.sendLimited(Buffer.alloc(5_000));
    near.setBandwidth(nobody);
    expect(await within(1_000, sending)).toBe(5_000);
  });

  it('rejects those who wait when it is closed', async () => {
    near.setBandwidth(1);
    await useUp('write');
    await useUp('read');
    const failures = [failureOf(near.sendLimited('x')), failureOf(near.recvLimited())];
    near.close();
    for (const failure of failures) {
      expect(await within(1_000, failure)).toMatchObject({
        name: 'SocketClosedError',
        code: 'ERR_SOCK_CLOSED',
      });
    }
    expect(thrownBy(() => near.setBandwidth(5))).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
  });

  it('rejects those whose memory is gone when their turn comes', async () => {
    near.setBandwidth(1);
    await useUp('write');
    await useUp('read');
    const arena = new Arena();
    const failures = [
      failureOf(near.sendLimited(arena.alloc(5))),
      failureOf(near.recvLimited(arena.alloc(5))),
    ];
    arena.dispose();
    for (const failure of failures) {
      expect(await within(5_000, failure)).toMatchObject({ code: 'ERR_SOCK_BUFFER_DETACHED' });
    }
  });

  it('blocks as long as it takes, in the blocking forms', async () => {
    near.setBandwidth(1_000);
    await useUp('read');
    await far.sendAll('answer');
    // What comes in while the last bytes are read is there already when the send begins.
    const start = performance.now();
    await useUp('write');
    expect(near.sendLimitedSync(Buffer.alloc(50))).toBeGreaterThan(0);
    expect(performance.now() - start).toBeGreaterThanOrEqual(9);
    const answer = near.recvLimitedSync(3);
    expect('answer'.startsWith(String(answer))).toBe(true);
    expect(near.recvLimitedSync(new Uint8Array(1))).toBe(1);
    near.setBandwidth(1);
    while (near.trySendLimited('x') !== 0);
    const error = thrownBy(() => near.sendLimitedSync('x', { timeout: 5 }));
    expect(error).toMatchObject({ name: 'TimeoutError', timeout: 5 });
  });

  it('is busy for the blocking forms while a promise waits', async () => {
    near.setBandwidth(1);
    await useUp('write');
    await useUp('read');
    const failures = [failureOf(near.sendLimited('x')), failureOf(near.recvLimited())];
    const busy = { code: 'ERR_SOCK_BUSY' };
    expect(thrownBy(() => near.sendLimitedSync('x'))).toMatchObject(busy);
    expect(thrownBy(() => near.recvLimitedSync())).toMatchObject(busy);
    expect(thrownBy(() => near.tryRecvLimited())).toMatchObject(busy);
    expect(near.trySendLimited('x')).toBe(0);
    near.close();
    await Promise.all(failures);
  });

  it.each([0, -1, 0.5, Number.NaN, -nobody, '5'])('cannot have one of %p', (rate) => {
    expect(thrownBy(() => near.setBandwidth(rate as number)).message).toContain('"bytesPerSecond"');
    expect(near.getBandwidth()).toBe(nobody);
  });
});
