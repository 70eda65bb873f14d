import type { StreamSocket } from '@sock/core';
import { openDescriptors } from '../descriptors.js';
import { type Checks, failureOf, isPending, readToEnd, thrownBy, tooMuch, turns } from './trial.js';

const closed = { name: 'SocketClosedError', code: 'ERR_SOCK_CLOSED' };

/** Every way to wait on a stream for bytes that do not come. */
const waits: readonly ((stream: StreamSocket) => Promise<unknown>)[] = [
  (stream) => stream.recv(),
  (stream) => stream.recv(new Uint8Array(8)),
  (stream) => stream.recv(1, { timeout: 60_000 }),
  (stream) => stream.recv(1, { signal: new AbortController().signal }),
  (stream) => stream.recvAll(8),
  (stream) => stream.chunks().next(),
  (stream) => stream.chunks({ size: 8, reuse: true }).next(),
  (stream) => stream.end(),
];

/** close() on this side, whatever is under way. */
export const closing: Checks = {
  async 'close rejects whatever waits for bytes'(t) {
    for (const wait of waits) {
      const [near] = await t.pair();
      const failure = failureOf(wait(near));
      expect(await isPending(failure)).toBe(true);
      near.close();
      expect(await failure).toMatchObject(closed);
    }
  },

  async 'close rejects all that are queued, not only the first'(t) {
    const [near] = await t.pair();
    const failures = waits.slice(0, 7).map((wait) => failureOf(wait(near)));
    near.close();
    for (const failure of failures) expect(await failure).toMatchObject(closed);
  },

  async 'close drops the sends that wait, and tells how far each got'(t) {
    const [near, far] = await t.pair();
    const first = failureOf(near.sendAll(Buffer.alloc(tooMuch)));
    const second = failureOf(near.sendAll('behind'));
    const shutdown = failureOf(near.shutdown());
    near.close();
    const { code, bytesTransferred } = await first;
    expect(code).toBe('ERR_SOCK_CLOSED');
    expect(await second).toMatchObject({ ...closed, bytesTransferred: 0 });
    expect(await shutdown).toMatchObject(closed);
    expect(await readToEnd(far)).toHaveLength(bytesTransferred ?? -1);
  },

  async 'close keeps its word about a burst of small sends'(t) {
    const [near, far] = await t.pair();
    const sends = Promise.allSettled([...'abcdef'].map((letter) => near.sendAll(letter)));
    near.close();
    const taken = (await sends).filter(({ status }) => status === 'fulfilled').length;
    expect((await readToEnd(far)).toString()).toBe('abcdef'.slice(0, taken));
  },

  async 'close can be called by whoever is being answered'(t) {
    const [near, far] = await t.pair();
    const first = near.recv(1).then(() => near.close());
    const second = Promise.allSettled([near.recv(1), near.recv(new Uint8Array(1))]);
    await far.sendAll('abc');
    await first;
    for (const { status } of await second) expect(['fulfilled', 'rejected']).toContain(status);
    expect(await failureOf(near.recv())).toMatchObject(closed);
  },

  async 'close twice does nothing more'(t) {
    const [near] = await t.pair();
    const count = openDescriptors().length;
    near.close();
    near.close();
    near[Symbol.dispose]();
    expect(openDescriptors()).toHaveLength(count - 1);
    expect(near.fd).toBe(-1);
    expect(near.isConnected).toBe(false);
  },

  async 'dispose closes'(t) {
    const [near, far] = await t.pair();
    expect(near.fd).toBeGreaterThanOrEqual(0);
    near[Symbol.dispose]();
    expect(near.fd).toBe(-1);
    expect(await failureOf(far.recv())).toMatchObject({ code: 'ERR_SOCK_EOF' });
  },

  async 'a closed stream refuses every verb'(t) {
    const [near] = await t.pair();
    near.close();
    const promises = [
      ...waits.map((wait) => wait(near)),
      near.send('x'),
      near.sendAll('x'),
      near.shutdown(),
    ];
    for (const promise of promises.map(failureOf)) expect(await promise).toMatchObject(closed);
    const calls = [
      () => near.tryRecv(),
      () => near.recvSync(),
      () => near.recvAllSync(1),
      () => near.trySend('x'),
      () => near.sendSync('x'),
      () => near.sendAllSync('x'),
    ];
    for (const call of calls) expect(thrownBy(call)).toMatchObject(closed);
  },

  async 'who takes over a descriptor hears nothing of the one before'(t) {
    for (let round = 0; round < 20; round++) {
      const [old, oldPeer] = await t.pair();
      const failure = failureOf(old.recv());
      const sent = failureOf(old.sendAll(Buffer.alloc(tooMuch)));
      await oldPeer.sendAll('for the old one');
      old.close();
      const [near, far] = await t.pair();
      const received = near.recv();
      oldPeer.close();
      expect(await isPending(received)).toBe(true);
      await far.sendAll('for the new one');
      expect((await received).toString()).toBe('for the new one');
      expect(await failure).toMatchObject(closed);
      expect(await sent).toMatchObject(closed);
      near.close();
      far.close();
    }
  },

  async 'closing many in one turn answers each'(t) {
    const pairs = await Promise.all(Array.from({ length: 30 }, () => t.pair()));
    const failures = pairs.map(([near]) => failureOf(near.recv()));
    await turns(2);
    for (const [near, far] of pairs) {
      far.trySend('too late for some');
      near.close();
    }
    for (const failure of failures) expect(await failure).toMatchObject(closed);
  },
};
