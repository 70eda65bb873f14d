/** One datagram at a time, in three tempos, over IPv4, IPv6 and Unix pairs. */
import { DatagramSocket } from '@sock/dgram';
import { readCounters } from '@sock/native';
import { useCleanup } from '@sock/testing';
import { bound, connectedPair, type InetFamily, loopback, portOf } from './support.js';

const cleanup = useCleanup();

type MakePair = () => [DatagramSocket, DatagramSocket];
const pairs: readonly [string, MakePair][] = [
  ['ipv4', () => connectedPair(cleanup, 'ipv4')],
  ['ipv6', () => connectedPair(cleanup, 'ipv6')],
  [
    'unix',
    () => {
      const [near, far] = DatagramSocket.pair();
      return [cleanup.add(near), cleanup.add(far)];
    },
  ],
];

describe.each(pairs)('connected datagram sockets, %s', (_, makePair) => {
  it('carry a datagram in each of the three tempos', async () => {
    const [near, far] = makePair();
    const received = far.recv();
    expect(await near.send('promise')).toBe(7);
    expect(String(await received)).toBe('promise');

    expect(near.sendSync('sync')).toBe(4);
    expect(String(far.recvSync())).toBe('sync');

    expect(far.tryRecv()).toBeNull();
    expect(near.trySend('try')).toBe(3);
    expect(String(far.tryRecv())).toBe('try');
  });

  it('tell an empty datagram from none', async () => {
    const [near, far] = makePair();
    expect(far.tryRecv()).toBeNull();
    expect(near.trySend('')).toBe(0);
    expect(far.tryRecv()).toHaveLength(0);
    await near.send(new Uint8Array(0));
    expect(await far.recv()).toHaveLength(0);
    await near.sendAll('');
    expect(far.tryRecv(new Uint8Array(8))).toBe(0);
    expect(far.tryRecvFrom()).toBeNull();
  });

  it('keep the borders of datagrams', async () => {
    const [near, far] = makePair();
    for (const text of ['one', 'two', 'three']) await near.send(text);
    expect(String(await far.recv())).toBe('one');
    expect(String(await far.recv())).toBe('two');
    expect(String(await far.recv())).toBe('three');
  });

  it('say what was cut, and give the front of it', async () => {
    const [near, far] = makePair();
    await near.send('abcdef');
    await near.send('ghijkl');
    await near.send('mnopqr');
    const { data, truncated } = await far.recvFrom(4);
    expect([String(data), truncated]).toEqual(['abcd', true]);
    await expect(far.recv(4)).rejects.toMatchObject({
      name: 'DatagramError',
      code: 'EMSGSIZE',
      partial: Buffer.from('ghij'),
    });
    const view = new Uint8Array(2);
    expect(() => far.tryRecv(view)).toThrow('longer than 2 bytes');
    expect(Buffer.from(view).toString()).toBe('mn');
    expect(far.tryRecv()).toBeNull();
  });

  it('gather and scatter one datagram', async () => {
    const [near, far] = makePair();
    const views = [new Uint8Array(2), new Uint8Array(4)];
    expect(await near.sendv(['a', Buffer.from('bc'), '', 'd'])).toBe(4);
    expect(await far.recvv(views)).toBe(4);
    expect(Buffer.concat(views).toString('latin1')).toBe('abcd\0\0');
    near.sendvAllSync(['x', 'y']);
    expect(far.recvvSync(views)).toBe(2);
    expect(near.trySendv(['z'])).toBe(1);
    expect(far.tryRecvv(views)).toBe(1);
    expect(far.tryRecvv(views)).toBeNull();
  });

  it('receive all of one datagram, or say that it has another length', async () => {
    const [near, far] = makePair();
    await near.sendvAll(['exact', 'ly']);
    expect(String(await far.recvAll(7))).toBe('exactly');
    await near.sendAll('short');
    await expect(far.recvAll(7)).rejects.toMatchObject({
      code: 'EMSGSIZE',
      partial: Buffer.from('short'),
    });
    near.sendAllSync('too long');
    expect(() => far.recvAllSync(7)).toThrow('longer than 7 bytes');
    await near.send('abcd');
    await far.recvvAll([new Uint8Array(1), new Uint8Array(3)]);
    await near.send('abc');
    expect(() => far.recvvAllSync([new Uint8Array(4)])).toThrow('has 3 bytes, not 4');
  });

  it('serve concurrent receives in the order of the calls', async () => {
    const [near, far] = makePair();
    const received = Promise.all([far.recv(), far.recvFrom(), far.recv(new Uint8Array(8))]);
    for (const text of ['first', 'second', 'third']) await near.send(text);
    const [first, second, third] = await received;
    expect([String(first), String(second.data), third]).toEqual(['first', 'second', 5]);
  });

  it('give up on a wait without losing what comes later', async () => {
    const [near, far] = makePair();
    await expect(far.recv(8, { timeout: 5 })).rejects.toMatchObject({ code: 'ERR_SOCK_TIMEOUT' });
    const controller = new AbortController();
    const aborted = far.recvFrom(8, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(aborted).rejects.toMatchObject({ code: 'ABORT_ERR' });
    await expect(far.recv(8, { signal: controller.signal })).rejects.toMatchObject({
      code: 'ABORT_ERR',
    });
    expect(() => far.recvSync(8, { timeout: 1 })).toThrow('timed out after 1 ms');
    await near.send('later');
    expect(String(await far.recv())).toBe('later');
    far.setTimeout(3);
    await expect(far.recv()).rejects.toMatchObject({ timeout: 3 });
  });

  it('refuse to take a datagram without waiting while somebody waits for it', async () => {
    const [near, far] = makePair();
    const waiting = far.recv();
    expect(() => far.tryRecv()).toThrow(expect.objectContaining({ code: 'ERR_SOCK_BUSY' }));
    expect(() => far.recvFromSync()).toThrow(expect.objectContaining({ code: 'ERR_SOCK_BUSY' }));
    await near.send('x');
    await waiting;
  });

  it('reject what waits when they are closed, and everything afterwards', async () => {
    const [near, far] = makePair();
    const waiting = [far.recv(), far.recvBatch(), far.recvFrom()];
    far.close();
    far.close();
    for (const wait of waiting) {
      await expect(wait).rejects.toMatchObject({ name: 'DatagramError', code: 'ERR_SOCK_CLOSED' });
    }
    await expect(far.send('x')).rejects.toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    expect(() => far.tryRecv()).toThrow('closed');
    expect(() => far.getRecvBufferSize()).toThrow('closed');
    expect([far.fd, far.isConnected, far.isBound]).toEqual([-1, false, false]);
    near.close();
  });

  it('iterate over datagrams until the loop is left', async () => {
    const [near, far] = makePair();
    for (const text of ['a', 'b', 'c']) await near.send(text);
    const seen: string[] = [];
    for await (const { data } of far) {
      seen.push(String(data));
      if (seen.length === 2) break;
    }
    expect(seen).toEqual(['a', 'b']);
    expect(String(await far.recv())).toBe('c');
  });

  it('let timers run while datagrams come without end', async () => {
    const [near, far] = makePair();
    let fired = false;
    setTimeout(() => {
      fired = true;
    }, 1);
    while (!fired) {
      await near.send('x');
      await far.recv();
    }
    expect(fired).toBe(true);
  });

  it('wait for room, and lose nothing then', async () => {
    const [near, far] = makePair();
    near.setSendBufferSize(4096);
    far.setRecvBufferSize(2 ** 20);
    const count = 200;
    const sends = Array.from({ length: count }, (_, i) => near.send(Buffer.alloc(500, i)));
    for (let i = 0; i < count; i++) {
      expect((await far.recv(500, { timeout: 2_000 }))[0]).toBe(i % 256);
    }
    await Promise.all(sends);
    expect(near.sendQueueBytes).toBe(0);
  });
});

describe.each<InetFamily>(['ipv4', 'ipv6'])('datagram sockets without a peer, %s', (family) => {
  it('send to an address, and tell who has sent', async () => {
    const [near, far] = [bound(cleanup, family), bound(cleanup, family)];
    await near.sendTo('question', loopback[family], portOf(far));
    const { data, address, port, truncated, arrival } = await far.recvFrom();
    expect({ text: String(data), address, port, truncated, arrival }).toEqual({
      text: 'question',
      address: loopback[family],
      port: portOf(near),
      truncated: false,
      arrival: undefined,
    });
    far.sendToSync('answer', address, port);
    expect(String(near.recvFromSync().data)).toBe('answer');
    expect(near.trySendTo('again', loopback[family], portOf(far))).toBe(5);
    expect(String(far.tryRecvFrom()?.data)).toBe('again');
  });

  it('say that they need an address', async () => {
    const socket = bound(cleanup, family);
    await expect(socket.send('x')).rejects.toMatchObject({
      name: 'DatagramError',
      syscall: 'sendmmsg',
      code: expect.stringMatching(/^(EDESTADDRREQ|ENOTCONN)$/),
    });
  });

  it('look a name up once, in their own family', async () => {
    const [near, far] = [bound(cleanup, family), bound(cleanup, family)];
    const lookups = () => readCounters().dns_request_submitted;
    const before = lookups();
    await near.sendTo('1', loopback[family], portOf(far));
    expect(lookups()).toBe(before);
    // A host may have no localhost in this family: then that is what it says.
    const sent = await near.sendTo('2', 'localhost', portOf(far)).catch(({ code }) => code);
    expect(lookups()).toBe(before + 1);
    if (sent !== 1) return;
    await near.sendTo('3', 'localhost', portOf(far));
    expect(near.trySendTo('4', 'localhost', portOf(far))).toBe(1);
    expect(lookups()).toBe(before + 1);
    for (const text of ['1', '2', '3', '4']) expect(String((await far.recvFrom()).data)).toBe(text);
  });

  it('have a peer, another one, and none', async () => {
    const [near, one, two] = [0, 1, 2].map(() => bound(cleanup, family)) as [
      DatagramSocket,
      DatagramSocket,
      DatagramSocket,
    ];
    await near.connect(loopback[family], portOf(one));
    expect([near.isConnected, near.remotePort]).toEqual([true, portOf(one)]);
    await near.send('to one');
    near.connectSync(loopback[family], portOf(two));
    await near.send('to two');
    near.disconnect();
    expect([near.isConnected, near.remoteAddress]).toEqual([false, undefined]);
    expect(String(await one.recv())).toBe('to one');
    expect(String(await two.recv())).toBe('to two');
    await one.sendTo('back', loopback[family], portOf(near));
    expect(String(await near.recv())).toBe('back');
  });

  it('hear that nobody has the port of their peer, and go on', async () => {
    const near = bound(cleanup, family);
    const gone = bound(cleanup, family);
    const port = portOf(gone);
    gone.close();
    near.tryConnect(loopback[family], port);
    await near.send('anybody?');
    await expect(near.recv(8, { timeout: 2_000 })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    const back = cleanup.add(new DatagramSocket({ family }));
    back.bind(loopback[family], port);
    await near.send('hello');
    expect(String(await back.recv())).toBe('hello');
  });
});
