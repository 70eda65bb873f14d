/** Many datagrams by one call: as messages, in one memory with an index, fire and forget. */
import { DatagramBatch, DatagramSocket, type ReceivedDatagram } from '@sock/dgram';
import { readCounters } from '@sock/native';
import { useCleanup } from '@sock/testing';
import { bound, connectedPair, type InetFamily, loopback, portOf, texts } from './support.js';

const cleanup = useCleanup();

const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);

describe.each<InetFamily>(['ipv4', 'ipv6'])('a batch of messages, %s', (family) => {
  it('goes to each address, and its echo back, as it was received', async () => {
    const server = bound(cleanup, family);
    const clients = [bound(cleanup, family), bound(cleanup, family)] as const;
    for (const client of clients) {
      const to = { address: loopback[family], port: portOf(server) };
      const sent = await client.sendBatch(numbers(10).map((data) => ({ data, ...to })));
      expect(sent).toBe(10);
    }
    const received: ReceivedDatagram[] = [];
    while (received.length < 20) received.push(...(await server.recvBatch()));
    expect(await server.sendBatch(received)).toBe(20);
    for (const client of clients) expect(texts(await client.recvBatch())).toEqual(numbers(10));
  });

  it('has as many as there are, and no more than were asked for', async () => {
    const [near, far] = connectedPair(cleanup, family);
    expect(far.tryRecvBatch()).toBeNull();
    expect(near.trySendBatch(numbers(7).map((data) => ({ data })))).toBe(7);
    expect(texts(far.recvBatchSync(3))).toEqual(['0', '1', '2']);
    expect(texts(far.tryRecvBatch(64) ?? [])).toEqual(['3', '4', '5', '6']);
    const waiting = far.recvBatch(4);
    expect(near.sendBatchSync([{ data: '' }])).toBe(1);
    expect(texts(await waiting)).toEqual(['']);
  });

  it('tells which of them were cut', async () => {
    const [near, far] = connectedPair(cleanup, family);
    await near.sendBatch([{ data: 'abc' }, { data: 'abcdef' }, { data: '' }]);
    const received = await far.recvBatch(8, { size: 4 });
    expect(received.map(({ data, truncated }) => [String(data), truncated])).toEqual([
      ['abc', false],
      ['abcd', true],
      ['', false],
    ]);
  });

  it('may be longer than one system call takes', async () => {
    const [near, far] = connectedPair(cleanup, family);
    far.setRecvBufferSize(2 ** 23);
    const batch = numbers(1_500).map((data) => ({ data }));
    const sent = near.sendBatch(batch);
    const received: string[] = [];
    while (received.length < 1_500) {
      received.push(...texts(await far.recvBatch(1_024, { timeout: 2_000 })));
    }
    expect(await sent).toBe(1_500);
    expect(received).toEqual(numbers(1_500));
  });
});

describe('a batch', () => {
  it('in one memory has an index, and goes back as it is', async () => {
    const server = bound(cleanup);
    const client = bound(cleanup);
    client.tryConnect(loopback.ipv4, portOf(server));
    const batch = new DatagramBatch({ max: 8, size: 16 });
    expect(server.tryRecvBatchInto(batch)).toBeNull();
    await client.sendBatch([{ data: 'first' }, { data: '' }, { data: 'a datagram too long' }]);
    expect(await server.recvBatchInto(batch)).toBe(3);
    expect(batch.length).toBe(3);
    expect([0, 1, 2].map((i) => String(batch.data(i)))).toEqual(['first', '', 'a datagram too l']);
    expect([0, 1, 2].map((i) => batch.byteLength(i))).toEqual([5, 0, 16]);
    expect([0, 1, 2].map((i) => batch.truncated(i))).toEqual([false, false, true]);
    const { buffer } = batch;
    expect(buffer.toString('latin1', batch.offset(0), batch.offset(0) + 5)).toBe('first');
    expect([batch.address(1), batch.port(1)]).toEqual([loopback.ipv4, portOf(client)]);
    expect(batch.message(0)).toEqual({
      data: Buffer.from('first'),
      address: loopback.ipv4,
      port: portOf(client),
      truncated: false,
    });
    expect(await server.sendBatch(batch)).toBe(3);
    expect(texts(await client.recvBatch())).toEqual(['first', '', 'a datagram too l']);
    expect(() => batch.data(3)).toThrow(RangeError);
    expect(() => batch.port(-1)).toThrow(RangeError);
    expect(() => batch.offset(0.5)).toThrow(RangeError);
  });

  it('is filled again and again, blocking or not', async () => {
    const [near, far] = connectedPair(cleanup);
    const batch = new DatagramBatch({ max: 2 });
    near.trySendBatch(numbers(5).map((data) => ({ data })));
    expect(far.recvBatchIntoSync(batch)).toBe(2);
    expect(String(batch.data(1))).toBe('1');
    expect(far.tryRecvBatchInto(batch)).toBe(2);
    expect(String(batch.data(1))).toBe('3');
    expect(await far.recvBatchInto(batch)).toBe(1);
    expect(String(batch.data(0))).toBe('4');
    const waiting = far.recvBatchInto(batch, { timeout: 5 });
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_SOCK_TIMEOUT' });
  });

  it('of a Unix socket goes back to paths and abstract names', async () => {
    const [server, client] = [0, 1].map(() => {
      const socket = cleanup.add(new DatagramSocket({ family: 'unix' }));
      socket.bindUnix();
      return socket;
    }) as [DatagramSocket, DatagramSocket];
    const address = server.localAddress as string;
    expect(await client.sendBatch(numbers(3).map((data) => ({ data, address })))).toBe(3);
    const batch = new DatagramBatch({ max: 8 });
    await server.recvBatchInto(batch);
    expect(batch.address(2)).toBe(client.localAddress);
    await server.sendBatch(batch);
    expect(texts(await client.recvBatch())).toEqual(numbers(3));
  });

  it.each([
    [{ max: 0 }, 'options.max'],
    [{ max: 1025 }, 'options.max'],
    [{ size: -1 }, 'options.size'],
    [{ max: 1024, size: 2 ** 24 }, 'options.size'],
    [{ count: 1 } as object, 'options.count'],
  ])('cannot be made with %j', (options, name) => {
    expect(() => new DatagramBatch(options)).toThrow(`"${name}"`);
  });

  it('says how many went out before one was refused, and then why', async () => {
    const near = bound(cleanup);
    const far = bound(cleanup);
    const to = { address: loopback.ipv4, port: portOf(far) };
    const wrong = { data: 'x', address: '255.255.255.255', port: 9 };
    const batch = [{ data: '0', ...to }, { data: '1', ...to }, wrong, { data: '3', ...to }];
    expect(await near.sendBatch(batch)).toBe(2);
    await expect(near.sendBatch(batch.slice(2))).rejects.toMatchObject({
      name: 'DatagramError',
      code: expect.stringMatching(/^(EACCES|ENETUNREACH)$/),
      address: '255.255.255.255',
      port: 9,
    });
    expect(texts(await far.recvBatch())).toEqual(['0', '1']);
  });

  it('waits for room, and says how far it came when its time is over', async () => {
    const [near, far] = DatagramSocket.pair();
    cleanup.add(near);
    cleanup.add(far);
    const batch = numbers(1_000).map((data) => ({ data }));
    const sent = await near.sendBatch(batch, { timeout: 10 });
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(1_000);
    expect(near.trySendBatch(batch)).toBeNull();
    await expect(near.sendBatch(batch, { timeout: 0 })).rejects.toMatchObject({
      code: 'ERR_SOCK_TIMEOUT',
    });
    expect(() => near.sendBatchSync(batch, { timeout: 1 })).toThrow('timed out');
    const all = near.sendBatch(batch);
    let received = 0;
    while (received < sent + 1_000) received += (await far.recvBatch()).length;
    expect(await all).toBe(1_000);
  });

  it('that waits is not changed by a later one', async () => {
    const [near, far] = DatagramSocket.pair();
    cleanup.add(near);
    cleanup.add(far);
    const sends = ['a', 'b', 'c'].map((data) => near.sendBatch(new Array(40).fill({ data })));
    const received: string[] = [];
    while (received.length < 120) received.push(...texts(await far.recvBatch()));
    expect(await Promise.all(sends)).toEqual([40, 40, 40]);
    expect(received.join('')).toBe(['a', 'b', 'c'].map((text) => text.repeat(40)).join(''));
  });
});

describe('a sender that never waits', () => {
  it('sends what has come together, at the end of the turn or when asked', async () => {
    const near = bound(cleanup);
    const far = bound(cleanup);
    const sender = near.createSender({ address: loopback.ipv4, port: portOf(far) });
    sender.send('one');
    sender.send(Buffer.from('two'));
    expect([sender.pending, sender.sent, far.tryRecv()]).toEqual([2, 0, null]);
    expect(texts(await far.recvBatch())).toEqual(['one', 'two']);
    expect([sender.pending, sender.sent, sender.dropped]).toEqual([0, 2, 0]);
    sender.send('three');
    expect(sender.flush()).toBe(1);
    expect(String(far.tryRecv())).toBe('three');
    sender.send('four');
    sender.close();
    sender.close();
    expect(String(far.tryRecv())).toBe('four');
    expect(() => sender.send('five')).toThrow(expect.objectContaining({ code: 'ERR_SOCK_CLOSED' }));
  });

  it('sends when it is full', () => {
    const [near, far] = connectedPair(cleanup);
    const sender = near.createSender({ max: 3, size: 10 });
    for (const text of ['a', 'b', 'c', 'd']) sender.send(text);
    expect([sender.pending, sender.sent]).toEqual([1, 3]);
    sender.send('123456789');
    expect([sender.pending, sender.sent]).toEqual([2, 3]);
    sender.send('x');
    expect([sender.pending, sender.sent]).toEqual([1, 5]);
    expect(() => sender.send('x'.repeat(11))).toThrow(RangeError);
    expect(texts(far.tryRecvBatch() ?? [])).toEqual(['a', 'b', 'c', 'd', '123456789']);
  });

  it('drops what the kernel does not take, and counts it', async () => {
    const [near, far] = DatagramSocket.pair();
    cleanup.add(near);
    cleanup.add(far);
    const sender = near.createSender({ max: 100 });
    for (let i = 0; i < 1_000; i++) sender.send(`${i}`);
    expect(sender.sent).toBeGreaterThan(0);
    expect(sender.sent + sender.dropped).toBe(1_000);
    const received = texts(await far.recvBatch(1_024));
    expect(received).toHaveLength(sender.sent);
    expect(received[0]).toBe('0');
  });

  it('drops one that is refused, and not those behind it', async () => {
    const near = bound(cleanup);
    const far = bound(cleanup);
    const sender = near.createSender({ address: loopback.ipv4, port: portOf(far) });
    sender.send('before');
    sender.send('refused', '255.255.255.255', 9);
    sender.send('behind');
    expect(sender.flush()).toBe(2);
    expect([sender.sent, sender.dropped]).toEqual([2, 1]);
    expect(texts(await far.recvBatch())).toEqual(['before', 'behind']);
    near.close();
    sender.send('too late');
    expect(sender.flush()).toBe(0);
    expect(sender.dropped).toBe(2);
  });
});

it('counts what goes and comes in batches', async () => {
  const [near, far] = connectedPair(cleanup);
  const before = readCounters();
  await near.sendBatch(numbers(20).map((data) => ({ data })));
  expect(await far.recvBatch(32)).toHaveLength(20);
  const after = readCounters();
  expect(after.datagrams_sent - before.datagrams_sent).toBe(20);
  expect(after.datagrams_received - before.datagrams_received).toBe(20);
});
