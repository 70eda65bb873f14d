/** What the tests of datagram sockets share. */
import { DatagramSocket, type DatagramSocketOptions } from '@sock/dgram';
import type { Cleanup } from '@sock/testing';

export type InetFamily = 'ipv4' | 'ipv6';

export const loopback: Readonly<Record<InetFamily, string>> = { ipv4: '127.0.0.1', ipv6: '::1' };

/** A socket on a free port of loopback. */
export function bound(
  cleanup: Cleanup,
  family: InetFamily = 'ipv4',
  options: Partial<DatagramSocketOptions> = {},
): DatagramSocket {
  const socket = cleanup.add(new DatagramSocket({ family, ...options }));
  socket.bind(loopback[family], 0);
  return socket;
}

export function portOf(socket: { localPort: number | undefined }): number {
  if (socket.localPort === undefined) throw new Error('the socket has no port');
  return socket.localPort;
}

/** Two sockets on loopback that are each other's peers. */
export function connectedPair(
  cleanup: Cleanup,
  family: InetFamily = 'ipv4',
): [DatagramSocket, DatagramSocket] {
  const [near, far] = [bound(cleanup, family), bound(cleanup, family)];
  near.tryConnect(loopback[family], portOf(far));
  far.tryConnect(loopback[family], portOf(near));
  return [near, far];
}

export function texts(datagrams: readonly { data: Buffer }[]): string[] {
  return datagrams.map(({ data }) => String(data));
}
