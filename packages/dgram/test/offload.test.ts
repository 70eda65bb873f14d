/** What the kernel cuts and joins, and the same where it does neither. */
import { DatagramBatch, type DatagramSocket } from '@sock/dgram';
import { PollEvents, SocketPoll } from '@sock/poll';
import { describeWithPeers, runScript, useCleanup } from '@sock/testing';
import { bound, type InetFamily, loopback, portOf } from './support.js';

const cleanup = useCleanup();

const pattern = (length: number) => Buffer.from(Array.from({ length }, (_, i) => i % 251));

interface Way {
  readonly cuts: boolean;
  readonly joins: boolean;
}

function pairOf(family: InetFamily, { cuts, joins }: Way): [DatagramSocket, DatagramSocket] {
  const near = bound(cleanup, family, { offload: cuts });
  const far = bound(cleanup, family);
  far.setRecvBufferSize(2 ** 22);
  if (joins) expect(far.setRecvOffload(true)).toBe(true);
  near.tryConnect(loopback[family], portOf(far));
  return [near, far];
}

const ways: Way[] = [
  { cuts: true, joins: true },
  { cuts: true, joins: false },
  { cuts: false, joins: true },
  { cuts: false, joins: false },
];

describe.each<InetFamily>(['ipv4', 'ipv6'])('segments, %s', (family) => {
  describe.each(ways)('the kernel cuts: $cuts, and joins: $joins', (way) => {
    it('arrive as the same datagrams, one by one', async () => {
      const [near, far] = pairOf(family, way);
      const data = pattern(3_100);
      await near.sendSegments(data, 1_000);
      for (const [from, to] of [
        [0, 1_000],
        [1_000, 2_000],
        [2_000, 3_000],
        [3_000, 3_100],
      ] as const) {
        const { data: got, port, truncated } = await far.recvFrom();
        expect(got.equals(data.subarray(from, to))).toBe(true);
        expect([port, truncated]).toEqual([portOf(near), false]);
      }
      expect(far.tryRecv()).toBeNull();
    });

    it('arrive as the same messages of a batch', async () => {
      const [near, far] = pairOf(family, way);
      const data = pattern(100_000);
      near.sendSegmentsSync(data, 1_200);
      const got: Buffer[] = [];
      let left = data.length;
      while (left > 0) {
        for (const { data: piece } of await far.recvBatch(20)) {
          got.push(piece);
          left -= piece.length;
        }
      }
      expect(got).toHaveLength(84);
      expect(got[0]).toHaveLength(1_200);
      expect(Buffer.concat(got).equals(data)).toBe(true);
    });

    it('arrive as the same datagrams of a batch in one memory, and go back so', async () => {
      const [near, far] = pairOf(family, way);
      const to = { address: loopback[family], port: portOf(far) };
      const sent = await near.sendBatch([
        { data: pattern(2_500), ...to, segmentSize: 1_000 },
        { data: 'alone', ...to },
      ]);
      expect(sent).toBe(2);
      const batch = new DatagramBatch({ max: 16, size: 65_535 });
      const got: number[] = [];
      const back: number[] = [];
      while (got.length < 4) {
        const count = await far.recvBatchInto(batch);
        for (let i = 0; i < count; i++) got.push(batch.byteLength(i));
        expect(batch.port(count - 1)).toBe(portOf(near));
        expect(await far.sendBatch(batch)).toBe(count);
      }
      while (back.length < 4) back.push((await near.recv()).length);
      expect([got, back]).toEqual([
        [1_000, 1_000, 500, 5],
        [1_000, 1_000, 500, 5],
      ]);
    });
  });
});

describe('datagrams that the kernel has joined', () => {
  it('are cut to the room that was asked for, each', async () => {
    const [near, far] = pairOf('ipv4', { cuts: true, joins: true });
    await near.sendSegments(pattern(3_000), 1_000);
    const first = await far.recvFrom(10);
    expect([first.data.length, first.truncated]).toEqual([10, true]);
    await expect(far.recv(999)).rejects.toMatchObject({ code: 'EMSGSIZE' });
    expect(await far.recv(1_000)).toHaveLength(1_000);
  });

  it('are known to a poll when one of them was taken', async () => {
    const [near, far] = pairOf('ipv4', { cuts: true, joins: true });
    const poll = cleanup.add(new SocketPoll());
    poll.add(far, PollEvents.Read);
    await near.sendSegments('abc', 1);
    const taken: string[] = [];
    while (taken.length < 3) {
      expect(await poll.wait(2_000)).toHaveLength(1);
      taken.push(String(far.tryRecv()));
    }
    expect(taken).toEqual(['a', 'b', 'c']);
    expect([far.pendingRead(), poll.tryWait()]).toEqual([false, []]);
  });

  it('keep their order whichever way they are taken', async () => {
    const [near, far] = pairOf('ipv4', { cuts: true, joins: true });
    await near.sendSegments('abcdefghij', 1);
    const batch = new DatagramBatch({ max: 3, size: 16 });
    const got = [String(await far.recv())];
    expect(await far.recvBatchInto(batch)).toBe(3);
    for (let i = 0; i < 3; i++) got.push(String(batch.data(i)));
    expect(batch.port(2)).toBe(portOf(near));
    for (const { data } of await far.recvBatch(4)) got.push(String(data));
    const view = new Uint8Array(4);
    expect(await far.recv(view)).toBe(1);
    got.push(String.fromCharCode(view[0] as number));
    expect(() => far.detach()).toThrow(expect.objectContaining({ code: 'ERR_SOCK_BUSY' }));
    got.push(String(far.tryRecv()));
    expect(got.join('')).toBe('abcdefghij');
  });
});

const exchange = `
  const { DatagramSocket } = require('@sock/dgram');
  const far = new DatagramSocket({ family: 'ipv4' });
  const near = new DatagramSocket({ family: 'ipv4' });
  far.bind('127.0.0.1', 0);
  near.tryConnect('127.0.0.1', far.localPort);
  console.log(far.setRecvOffload(true));
  await near.sendSegments('a'.repeat(2500), 1000);
  await near.sendSegments('b'.repeat(10), 4);
  const lengths = [];
  while (lengths.length < 6) {
    for (const { data } of await far.recvBatch()) lengths.push(data.length);
  }
  console.log(lengths.join());
  near.close();
  far.close();
`;

describeWithPeers(['strace', 'strace that may trace'], 'a kernel that refuses', () => {
  it.each([
    ['nothing', [], 'true'],
    ['to join', ['setsockopt:error=ENOPROTOOPT'], 'false'],
    ['to cut by this device', ['sendmmsg:error=EIO:when=1+2'], 'true'],
    ['segments of this size', ['sendmmsg:error=EINVAL:when=1+2'], 'true'],
  ])('%s: the datagrams are the same', async (_, inject, joins) => {
    const { stdout, stderr } = await runScript(exchange, { inject });
    expect({ stdout, stderr }).toEqual({
      stdout: `${joins}\n1000,1000,500,4,4,2\n`,
      stderr: '',
    });
  });
});
