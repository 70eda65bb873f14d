/** Memory that is taken away, used twice, or made by the datagrams themselves while it is read. */
import { DatagramBatch, DatagramSocket } from '@sock/dgram';
import { Cleanup, failureOf, thrownBy } from '@sock/testing';
import { bound, connectedPair, portOf, texts } from './support.js';

const detached = { code: 'ERR_SOCK_BUFFER_DETACHED' };
const closed = { code: 'ERR_SOCK_CLOSED' };

let cleanup: Cleanup;
beforeEach(() => {
  cleanup = new Cleanup();
});
afterEach(() => cleanup.run());

function transfer({ buffer }: Uint8Array): void {
  structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
}

function pair(): [DatagramSocket, DatagramSocket] {
  const [near, far] = DatagramSocket.pair();
  return [cleanup.add(near), cleanup.add(far)];
}

/** A pair whose far end has so much unread that a send has to wait; how many that is. */
function fullPair(): [DatagramSocket, DatagramSocket, number] {
  const [near, far] = pair();
  let count = 0;
  while (near.trySend('full') !== null) count++;
  return [near, far, count];
}

/** A socket that has received several datagrams, and given only the first away. */
async function withUnread(): Promise<DatagramSocket | null> {
  const [near, far] = connectedPair(cleanup);
  if (!far.setRecvOffload(true)) return null;
  await near.sendSegments('abcdef', 2);
  expect(String(await far.recv())).toBe('ab');
  return far;
}

describe('memory that was taken away', () => {
  it('fails a send that waits for room, and no byte of it goes', async () => {
    const [near, far, count] = fullPair();
    const [alone, together] = [new Uint8Array(8), new DatagramBatch({ max: 1 })];
    far.trySend('taken');
    near.tryRecvBatchInto(together);
    const waiting = [near.send(alone), near.sendBatch(together)].map(failureOf);
    const later = near.send('later');
    transfer(alone);
    transfer(together.buffer);
    for (let i = 0; i < count; i++) await far.recv();
    const [first, second] = await Promise.all(waiting);
    expect(first).toMatchObject(detached);
    expect(second).toMatchObject(detached);
    expect(await later).toBe(5);
    expect(String(await far.recv())).toBe('later');
    expect(far.tryRecv()).toBeNull();
  });

  it('fails a send whose host name is being looked up, and no datagram goes', async () => {
    const [near, far] = [bound(cleanup), bound(cleanup)];
    const [alone, cut] = [new Uint8Array(8), new Uint8Array(8)];
    const waiting = [
      failureOf(near.sendTo(alone, 'localhost', portOf(far))),
      failureOf(near.sendSegments(cut, 4, 'localhost', portOf(far))),
    ];
    transfer(alone);
    transfer(cut);
    for (const failure of await Promise.all(waiting)) expect(failure).toMatchObject(detached);
    await near.sendTo('later', '127.0.0.1', portOf(far));
    expect(String(await far.recv())).toBe('later');
  });

  it('fails a receive into it, and loses nothing', async () => {
    const [near, far] = connectedPair(cleanup);
    const [view, batch, empty] = [
      new Uint8Array(8),
      new DatagramBatch(),
      new DatagramBatch({ size: 0 }),
    ];
    const waiting = [
      far.recv(view),
      far.recvv([new Uint8Array(1), view]),
      far.recvBatchInto(batch),
      far.recvBatchInto(empty),
    ].map(failureOf);
    for (const memory of [view, batch.buffer, empty.buffer]) transfer(memory);
    await near.send('kept');
    for (const failure of await Promise.all(waiting)) expect(failure).toMatchObject(detached);
    expect(String(await far.recv())).toBe('kept');
    expect(thrownBy(() => far.tryRecvBatchInto(batch))).toMatchObject(detached);
    expect(thrownBy(() => far.recvBatchIntoSync(empty))).toMatchObject(detached);
  });

  it('fails a receive of datagrams that came joined, and loses none of them', async () => {
    const far = await withUnread();
    if (far === null) return;
    const batch = new DatagramBatch();
    transfer(batch.buffer);
    expect(thrownBy(() => far.tryRecvBatchInto(batch))).toMatchObject(detached);
    expect(await failureOf(far.recvBatchInto(batch))).toMatchObject(detached);
    expect(texts(await far.recvBatch())).toEqual(['cd', 'ef']);
  });

  it('is told by a batch that is read, or sent', async () => {
    const [near, far] = connectedPair(cleanup);
    await near.send('gone');
    const batch = new DatagramBatch();
    await far.recvBatchInto(batch);
    transfer(batch.buffer);
    expect(batch.byteLength(0)).toBe(4);
    expect(thrownBy(() => batch.data(0))).toMatchObject(detached);
    expect(thrownBy(() => batch.message(0))).toMatchObject(detached);
    expect(thrownBy(() => far.trySendBatch(batch))).toMatchObject(detached);
    expect(await failureOf(far.sendBatch(batch))).toMatchObject(detached);
  });
});

describe('a batch', () => {
  it('may be waited for twice, and has what came last', async () => {
    const [near, far] = connectedPair(cleanup);
    const batch = new DatagramBatch({ max: 1 });
    const counts = [far.recvBatchInto(batch), far.recvBatchInto(batch)];
    await near.sendBatch([{ data: 'first' }, { data: 'second' }]);
    expect(await Promise.all(counts)).toEqual([1, 1]);
    expect(String(batch.data(0))).toBe('second');
  });

  it('that is filled anew while it waits to be sent breaks nothing', async () => {
    const [near, far, count] = fullPair();
    const batch = new DatagramBatch({ max: 4 });
    far.trySendBatch([{ data: 'aa' }, { data: 'bb' }]);
    near.tryRecvBatchInto(batch);
    const sent = near.sendBatch(batch);
    far.trySend('cc');
    expect(near.tryRecvBatchInto(batch)).toBe(1);
    for (let i = 0; i < count; i++) await far.recv();
    expect(await sent).toBeGreaterThanOrEqual(1);
    expect((await far.recv()).length).toBe(2);
  });

  it('of any size that one call may have is received after any other', async () => {
    const [near, far] = connectedPair(cleanup);
    const many = far.recvBatch(1_024, { size: 1 });
    const wide = far.recvBatch(2, { size: 2 ** 24 });
    await near.send('a');
    expect(texts(await many)).toEqual(['a']);
    await near.send('long');
    expect(texts(await wide)).toEqual(['long']);
    for (const receive of [
      () => far.recvBatch(1_024, { size: 2 ** 24 }),
      () => far.recvBatchSync(1_024, { size: 2 ** 24 }),
      () => far.tryRecvBatch(1_024, { size: 2 ** 24 }),
    ]) {
      expect(thrownBy(receive)).toMatchObject({ code: 'ERR_OUT_OF_RANGE', name: 'RangeError' });
    }
  });
});

describe('datagrams that are made when they are read', () => {
  it('are each read once', async () => {
    const [near, far] = connectedPair(cleanup);
    let reads = 0;
    const made = {
      get data() {
        return 'x'.repeat(++reads);
      },
    };
    expect(await near.sendBatch([made, { data: 'next' }])).toBe(2);
    expect(texts(await far.recvBatch())).toEqual(['x', 'next']);
    expect(reads).toBe(1);
  });

  it('may send others meanwhile, from the options too', async () => {
    const [near, far] = connectedPair(cleanup);
    const within = (text: string) => near.trySendBatch([{ data: text }, { data: text }]);
    const made = {
      get data() {
        within('inner');
        return 'outer';
      },
    };
    const options = {
      get timeout() {
        within('option');
        return 1_000;
      },
    };
    await near.sendBatch([{ data: 'begin' }, made, { data: 'end' }], options);
    near.sendBatchSync([{ data: 'sync' }, made], options);
    const all = texts(far.tryRecvBatch(64) ?? []);
    expect(all.filter((text) => text !== 'inner' && text !== 'option')).toEqual([
      'begin',
      'outer',
      'end',
      'sync',
      'outer',
    ]);
    expect(all).toHaveLength(5 + 8);
  });

  it('may take away the memory of others, which fails them by name', () => {
    const [near, far] = connectedPair(cleanup);
    const taken = new Uint8Array(8);
    const taker = {
      get data() {
        transfer(taken);
        return 'taker';
      },
    };
    const error = thrownBy(() => near.trySendBatch([{ data: taken }, taker]));
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
    expect(String(error)).toContain('datagrams[0].data');
    expect(far.tryRecv()).toBeNull();
  });
});

it('a view that fails to be filled fails its receive, and no other', async () => {
  class Stubborn extends Uint8Array {
    override set(): void {
      throw new Error('not into me');
    }
  }
  const [near, far] = connectedPair(cleanup);
  const failure = failureOf(far.recv(new Stubborn(8)));
  const next = far.recv();
  await near.sendBatch([{ data: 'lost' }, { data: 'next' }]);
  expect(String(await failure)).toContain('not into me');
  expect(String(await next)).toBe('next');
});

describe('close', () => {
  it('rejects every kind of operation that waits', async () => {
    const [near] = fullPair();
    const udp = bound(cleanup);
    const [host, port] = ['localhost', portOf(udp)];
    udp.setRecvErrors(true);
    const waiting = {
      send: near.send('x'),
      sendAll: near.sendAll('x'),
      sendv: near.sendv(['x']),
      sendvAll: near.sendvAll(['x']),
      sendBatch: near.sendBatch([{ data: 'x' }]),
      recvUnix: near.recv(),
      sendTo: udp.sendTo('x', host, port),
      sendSegments: udp.sendSegments('xyz', 1, host, port),
      connect: udp.connect(host, port),
      recv: udp.recv(),
      recvView: udp.recv(new Uint8Array(4)),
      recvFrom: udp.recvFrom(),
      recvAll: udp.recvAll(4),
      recvv: udp.recvv([new Uint8Array(4)]),
      recvvAll: udp.recvvAll([new Uint8Array(4)]),
      recvBatch: udp.recvBatch(),
      recvBatchInto: udp.recvBatchInto(new DatagramBatch()),
      recvError: udp.recvError(),
    };
    const failures = Object.entries(waiting).map(async ([verb, promise]) => {
      return [verb, await failureOf(promise)] as const;
    });
    const step = udp[Symbol.asyncIterator]().next();
    const stepEnd = step.then(
      ({ done }) => done,
      ({ code }: { code: string }) => code,
    );
    near.close();
    udp.close();
    for (const [verb, failure] of await Promise.all(failures)) {
      expect([verb, failure]).toMatchObject([verb, closed]);
    }
    expect([true, closed.code]).toContain(await stepEnd);
  });
});
