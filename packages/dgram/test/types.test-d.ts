/** Types of datagram sockets: compiled, never run. */
import type { Pollable } from '@sock/core';
import {
  type Arrival,
  type Datagram,
  DatagramBatch,
  type DatagramBatchOptions,
  type DatagramFailure,
  type DatagramSender,
  type DatagramSenderOptions,
  DatagramSocket,
  type DatagramSocketEvent,
  type DatagramSocketOptions,
  type Interface,
  type MtuDiscovery,
  type ReceiveBatchOptions,
  type ReceiveBatchSyncOptions,
  type ReceivedDatagram,
} from '@sock/dgram';
import { PollEvents, SocketPoll } from '@sock/poll';

export function made(fd: number): DatagramSocket[] {
  const options: DatagramSocketOptions = { family: 'ipv6', maxSize: 1_200, offload: false };
  using socket = new DatagramSocket(options);
  const pollable: Pollable = socket;
  new SocketPoll().add(socket, PollEvents.Read);
  // @ts-expect-error: there is no default family
  new DatagramSocket();
  // @ts-expect-error: no such family
  new DatagramSocket({ family: 'inet' });
  // @ts-expect-error: no such option
  new DatagramSocket({ family: 'ipv4', reuseAddr: true });
  // @ts-expect-error: it is what it was made for
  socket.family = 'ipv4';
  // @ts-expect-error: a host, or null for any
  socket.bind(undefined, 0);
  const [near, far]: [DatagramSocket, DatagramSocket] = DatagramSocket.pair();
  return pollable === socket ? [near, far.ref()] : [DatagramSocket.fromFd(fd)];
}

export async function one(socket: DatagramSocket, signal: AbortSignal): Promise<number> {
  const sent: number = await socket.send('text', { timeout: 5, signal });
  const tried: number | null = socket.trySendTo(new Uint8Array(2), '127.0.0.1', 9);
  await socket.sendTo('text', '/path', { timeout: 5 });
  await socket.sendTo('text', 'localhost', 9, { signal });
  const bytes: Buffer = await socket.recv();
  const count: number = await socket.recv(new Uint8Array(4), { signal });
  const looked: Buffer | null = socket.tryRecv(5);
  const drained: Promise<void> = socket.recvvAll([new Uint8Array(1)]);
  await drained;
  // @ts-expect-error: what blocks cannot be aborted
  socket.recvSync(5, { signal });
  // @ts-expect-error: a number is no data
  socket.trySend(5);
  // @ts-expect-error: text cannot be received into
  socket.recv('text');
  // @ts-expect-error: without waiting there is nothing to limit
  socket.tryRecv(5, { timeout: 1 });
  return sent + (tried ?? count) + bytes.length + (looked?.length ?? 0);
}

export async function many(socket: DatagramSocket): Promise<string> {
  const options: ReceiveBatchOptions = { size: 100, timeout: 5 };
  const blocking: ReceiveBatchSyncOptions = { size: 100 };
  const got: ReceivedDatagram[] = await socket.recvBatch(10, options);
  const sent: number = await socket.sendBatch(got);
  const question: Datagram = { data: 'x', address: '::1', port: 9, ttl: 3, segmentSize: 1 };
  socket.sendBatchSync([question, ...socket.recvBatchSync(1, blocking)]);
  const batchOptions: DatagramBatchOptions = { max: 5 };
  const batch = new DatagramBatch(batchOptions);
  const filled: number | null = socket.tryRecvBatchInto(batch);
  await socket.sendBatch(batch);
  // @ts-expect-error: it is told by receives
  batch.length = 0;
  // @ts-expect-error: an array is no batch
  socket.recvBatchInto([]);
  // @ts-expect-error: a datagram without data
  socket.trySendBatch([{ address: '::1', port: 9 }]);
  for await (const { data, address, arrival } of socket) {
    const came: Arrival | undefined = arrival;
    return `${data.toString('hex')} ${address} ${came?.ecn?.toFixed()} ${came?.time?.toFixed()}`;
  }
  return `${sent + (filled ?? 0)} ${batch.message(0).localAddress?.length} ${batch.buffer.length}`;
}

export function told(event: DatagramSocketEvent, failure: DatagramFailure | null): unknown[] {
  if (failure?.origin === 'icmp') return [failure.offender.length, failure.data.byteOffset];
  // @ts-expect-error: no such origin
  if (failure?.origin === 'router') return [];
  return Object.values(event);
}

export function tuned(socket: DatagramSocket): DatagramSender {
  const how: MtuDiscovery = socket.getMtuDiscovery();
  const iface: Interface = 'lo';
  socket.setMtuDiscovery(how);
  socket.joinSourceMulticast('232.1.1.1', '127.0.0.1', iface);
  const joins: boolean = socket.setRecvOffload(true);
  // @ts-expect-error: no such way
  socket.setMtuDiscovery('always');
  // @ts-expect-error: a boolean
  socket.setBroadcast(1);
  // @ts-expect-error: an interface is a name or a number
  socket.joinMulticast('239.1.1.1', { name: 'lo' });
  const options: DatagramSenderOptions = { address: '127.0.0.1', port: 9, max: joins ? 5 : 6 };
  const sender: DatagramSender = socket.createSender(options);
  sender.send('text', '127.0.0.1', 9);
  // @ts-expect-error: it is counted
  sender.dropped = 0;
  return sender;
}
