/** What comes beside a datagram, and what it takes along. */
import { DatagramBatch, DatagramSocket } from '@sock/dgram';
import { useCleanup, within } from '@sock/testing';
import { bound, connectedPair, type InetFamily, loopback, portOf } from './support.js';

const cleanup = useCleanup();

/** A socket that wants to know everything. */
function curious(family: InetFamily, host: string | null): DatagramSocket {
  const socket = cleanup.add(new DatagramSocket({ family }));
  socket.setRecvPacketInfo(true);
  socket.setRecvTos(true);
  socket.setRecvTtl(true);
  socket.setRecvTimestamp(true);
  socket.setRecvDropCount(true);
  socket.bind(host, 0);
  return socket;
}

describe.each<InetFamily>(['ipv4', 'ipv6'])('a received datagram, %s', (family) => {
  it('says where it was sent, how, and when', async () => {
    const server = curious(family, null);
    const client = bound(cleanup, family);
    client.setTos(0x28);
    client.setTtl(9);
    await client.sendTo('x', loopback[family], portOf(server));
    const { localAddress, interfaceIndex, arrival } = await server.recvFrom();
    expect([localAddress, interfaceIndex]).toEqual([loopback[family], 1]);
    expect(arrival).toEqual({
      destination: loopback[family],
      tos: 0x28,
      ecn: 0,
      ttl: 9,
      time: expect.any(Number),
      dropped: undefined,
    });
    const ageMs = performance.timeOrigin + performance.now() - (arrival?.time ?? 0);
    expect(Math.abs(ageMs)).toBeLessThan(60_000);
  });

  it('says no more than was asked for', async () => {
    const [near, far] = connectedPair(cleanup, family);
    far.setRecvTos(true);
    await near.send('x');
    const { arrival, localAddress, interfaceIndex } = await far.recvFrom();
    expect([localAddress, interfaceIndex]).toEqual([undefined, undefined]);
    expect(arrival).toMatchObject({ tos: 0, ttl: undefined, time: undefined });
    far.setRecvTos(false);
    await near.send('x');
    expect((await far.recvFrom()).arrival).toBeUndefined();
  });

  it('was sent with its own TOS, ECN and TTL', async () => {
    const server = curious(family, loopback[family]);
    const client = bound(cleanup, family);
    const to = { address: loopback[family], port: portOf(server) };
    client.setTos(0x10);
    await client.sendBatch([
      { data: 'a', ...to, tos: 0xb8 | 1, ttl: 3 },
      { data: 'b', ...to },
      { data: 'c', ...to, tos: 2 },
    ]);
    const received = await server.recvBatch();
    expect(received.map(({ arrival }) => [arrival?.tos, arrival?.ecn])).toEqual([
      [0xb9, 1],
      [0x10, 0],
      [2, 2],
    ]);
    expect(received[0]?.arrival?.ttl).toBe(3);
  });

  it('has the same beside it in a batch', async () => {
    const server = curious(family, loopback[family]);
    const client = bound(cleanup, family);
    const to = { address: loopback[family], port: portOf(server) };
    await client.sendBatch([
      { data: 'a', ...to, tos: 4 },
      { data: 'b', ...to },
    ]);
    const batch = new DatagramBatch();
    expect(await server.recvBatchInto(batch)).toBe(2);
    expect(batch.message(0)).toMatchObject({
      data: Buffer.from('a'),
      localAddress: loopback[family],
      interfaceIndex: 1,
      arrival: { tos: 4, destination: loopback[family] },
    });
    expect(batch.message(1).arrival?.tos).toBe(0);
  });
});

describe('an answer', () => {
  it('leaves from the address that the question came to', async () => {
    const server = curious('ipv4', null);
    const client = bound(cleanup);
    for (const address of ['127.0.0.1', '127.1.2.3']) {
      await client.sendTo('question', address, portOf(server));
      const question = await server.recvFrom();
      expect(question.localAddress).toBe(address);
      await server.sendBatch([question]);
      expect(await client.recvFrom()).toMatchObject({ address, port: portOf(server) });
    }
    const batch = new DatagramBatch();
    await client.sendTo('question', '127.7.7.7', portOf(server));
    await server.recvBatchInto(batch);
    await server.sendBatch(batch);
    expect((await client.recvFrom()).address).toBe('127.7.7.7');
  });

  it('leaves from where it is told to', async () => {
    const server = bound(cleanup);
    const client = cleanup.add(new DatagramSocket({ family: 'ipv4' }));
    const to = { address: '127.0.0.1', port: portOf(server) };
    await client.sendBatch([{ data: 'x', ...to, localAddress: '127.5.5.5' }]);
    expect((await server.recvFrom()).address).toBe('127.5.5.5');
    await expect(
      client.sendBatch([{ data: 'x', ...to, localAddress: '192.0.2.1' }]),
    ).rejects.toMatchObject({ name: 'DatagramError' });
    expect(() => client.sendBatch([{ data: 'x', ...to, localAddress: '::1' }])).toThrow(
      '"datagrams[0].localAddress"',
    );
    await client.sendBatch([{ data: 'x', ...to, interfaceIndex: 1 }]);
    expect((await server.recvFrom()).data).toHaveLength(1);
  });

  it('goes to an IPv4 peer of an IPv6 socket with the TOS that it was given', async () => {
    const server = curious('ipv6', null);
    const client = curious('ipv4', '127.0.0.1');
    client.setTos(0x20);
    await client.sendTo('x', '127.0.0.1', portOf(server));
    const question = await server.recvFrom();
    expect(question).toMatchObject({
      address: '::ffff:127.0.0.1',
      localAddress: '::ffff:127.0.0.1',
      arrival: { tos: 0x20, destination: '::ffff:127.0.0.1' },
    });
    await server.sendBatch([{ ...question, tos: 0x48, ttl: 5 }]);
    expect((await client.recvFrom()).arrival).toMatchObject({ tos: 0x48, ttl: 5 });
  });
});

describe('datagrams that are lost', () => {
  it('for a full buffer are counted', async () => {
    const [near, far] = connectedPair(cleanup);
    far.setRecvDropCount(true);
    far.setRecvBufferSize(1);
    const sent = 100;
    for (let i = 0; i < sent; i++) near.trySend(Buffer.alloc(1_000));
    let received = 0;
    while (far.tryRecv() !== null) received++;
    expect(received).toBeLessThan(sent);
    await near.send('one more');
    const { arrival } = await far.recvFrom();
    expect(arrival?.dropped).toBe(sent - received);
  });

  it.each<InetFamily>(['ipv4', 'ipv6'])(
    'since nobody has the port are told of, %s',
    async (family) => {
      const gone = bound(cleanup, family);
      const port = portOf(gone);
      gone.close();
      const socket = bound(cleanup, family);
      const far = bound(cleanup, family);
      socket.setRecvErrors(true);
      expect(socket.tryRecvError()).toBeNull();
      await expect(socket.recvError({ timeout: 5 })).rejects.toMatchObject({
        code: 'ERR_SOCK_TIMEOUT',
      });
      const waiting = socket.recvError();
      const receiving = socket.recvFrom();
      await socket.sendTo('anybody?', loopback[family], port);
      const failure = await within(2_000, waiting);
      expect(failure).toMatchObject({
        code: 'ECONNREFUSED',
        origin: family === 'ipv4' ? 'icmp' : 'icmp6',
        type: family === 'ipv4' ? 3 : 1,
        icmpCode: family === 'ipv4' ? 3 : 4,
        mtu: 0,
        address: loopback[family],
        port,
        offender: loopback[family],
        data: Buffer.from('anybody?'),
      });
      await socket.sendTo('still there', loopback[family], port);
      expect(socket.recvErrorSync({ timeout: 2_000 }).port).toBe(port);
      // Nothing else has failed for it: who receives goes on to.
      await socket.sendTo('hello', loopback[family], portOf(far));
      await far.sendTo('you too', loopback[family], portOf(socket));
      expect(String((await receiving).data)).toBe('you too');
      const last = socket.recvError();
      socket.close();
      await expect(last).rejects.toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    },
  );
});

describe('the path’s MTU', () => {
  it.each<InetFamily>(['ipv4', 'ipv6'])(
    'is told of a peer, and never passed if so wished, %s',
    async (family) => {
      const [near] = connectedPair(cleanup, family);
      // What loopback has is 65,536, but no IPv4 packet may be so long.
      expect(near.getPathMtu()).toBe(family === 'ipv4' ? 65_535 : 65_536);
      for (const how of ['dont', 'want', 'do', 'probe', 'interface', 'omit'] as const) {
        near.setMtuDiscovery(how);
        expect(near.getMtuDiscovery()).toBe(how);
      }
      expect(() => near.setMtuDiscovery('never' as 'do')).toThrow('"how"');
      expect(() => bound(cleanup, family).getPathMtu()).toThrow(
        expect.objectContaining({ code: 'ENOTCONN' }),
      );
    },
  );
});
