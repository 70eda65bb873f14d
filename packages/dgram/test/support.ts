/** What the tests of datagram sockets share. */
import { DatagramSocket, type DatagramSocketOptions } from '@sock/dgram';
import { expectSockets, openSockets } from '@sock/testing';

export type InetFamily = 'ipv4' | 'ipv6';

export const loopback: Readonly<Record<InetFamily, string>> = { ipv4: '127.0.0.1', ipv6: '::1' };

/** Closes what a test has made, last first. */
export class Cleanup {
  private readonly closers: (() => void)[] = [];

  add<T extends { close(): void }>(closeable: T): T {
    this.closers.push(() => closeable.close());
    return closeable;
  }

  run(): void {
    for (const closer of this.closers.splice(0).reverse()) closer();
  }
}

/** For all tests of a file: what each has made is closed behind it, and no socket is left. */
export function useCleanup(): Cleanup {
  const cleanup = new Cleanup();
  let socketsBefore = 0;
  beforeEach(() => {
    socketsBefore = openSockets();
  });
  afterEach(async () => {
    cleanup.run();
    await expectSockets(socketsBefore);
  });
  return cleanup;
}

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
