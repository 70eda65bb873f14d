import { AsyncIO, PollEvents, SocketPoll } from '@sock/poll';
import { useCleanup } from '@sock/testing';
import { TlsHandshakeState, type TlsSocket } from '@sock/tls';
import { enableBoth, goodSetting, securedPair, tcpPair } from './support.js';

const { add: closing } = useCleanup();

async function pair(): Promise<[TlsSocket, TlsSocket]> {
  const [near, far] = await securedPair();
  return [closing(near), closing(far)];
}

describe.each(['epoll', 'poll'] as const)('a SocketPoll over %s', (backend) => {
  it('reports decrypted bytes as readable until they were received', async () => {
    const [near, far] = await pair();
    const poll = closing(new SocketPoll({ backend }));
    poll.add(near, PollEvents.Read, 'near');
    await far.sendAll('abc');
    expect(await poll.wait(5_000)).toMatchObject([{ socket: near, data: 'near' }]);
    expect(near.tryRecv(1)?.toString()).toBe('a');
    // The kernel has nothing more: the rest of the record is here.
    expect(near.pendingRead()).toBe(true);
    expect(await poll.wait(5_000)).toMatchObject([{ socket: near, events: PollEvents.Read }]);
    expect(poll.tryWait()).toMatchObject([{ socket: near }]);
    expect(near.tryRecv()?.toString()).toBe('bc');
    expect(near.pendingRead()).toBe(false);
    expect(poll.tryWait()).toEqual([]);
  });

  it('drives handshakes', async () => {
    const { client, server } = await goodSetting();
    const ends = enableBoth(await tcpPair(), client, server).map(closing);
    const poll = closing(new SocketPoll({ backend }));
    for (const end of ends) {
      poll.add(end, PollEvents.Read);
      end.tryHandshake();
    }
    while (ends.some((end) => end.handshakeState !== TlsHandshakeState.Complete)) {
      const events = await poll.wait(5_000);
      expect(events).not.toEqual([]);
      for (const { socket } of events) (socket as TlsSocket).tryHandshake();
    }
  });

  it('lets a socket that is closed go', async () => {
    const [near] = await pair();
    const poll = closing(new SocketPoll({ backend }));
    poll.add(near, PollEvents.Read);
    near.close();
    expect(poll.tryWait()).toEqual([]);
    expect(poll.remove(near)).toBe(false);
  });
});

describe.each(['io_uring', 'edge-triggered'] as const)('an AsyncIO over %s', (backend) => {
  it('sends and receives through TLS', async () => {
    if (backend === 'io_uring' && !AsyncIO.isAvailable) return;
    const [near, far] = await pair();
    const io = closing(new AsyncIO({ backend }));
    const received = io.recv(far, 10);
    await io.send(near, Buffer.from('hello'));
    expect((await received).toString()).toBe('hello');
  });
});
