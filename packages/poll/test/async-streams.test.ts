/** Streams that are no sockets of ours: AsyncIO asks them by their own verbs. */
import { type OperationOptions, Socket, type StreamSocket } from '@sock/core';
import { type AsyncBackend, AsyncIO } from '@sock/poll';
import { describeWithPeers, turns, within } from '@sock/testing';
import { Cleanup } from './support.js';

/** What TLS is to a poll: bytes that the kernel does not have. Here they are upside down. */
class Mirror {
  constructor(private readonly socket: Socket) {}

  async recv(size: number, options?: OperationOptions): Promise<Buffer> {
    return (await this.socket.recv(size, options)).reverse();
  }

  send(data: Uint8Array, options?: OperationOptions): Promise<number> {
    return this.socket.send(Buffer.from(data).reverse(), options);
  }

  close(): void {
    this.socket.close();
  }
}

function describeStreams(backend: AsyncBackend): void {
  describe(`on ${backend}`, () => {
    const cleanup = new Cleanup();
    let io: AsyncIO;
    let peer: Socket;
    let mirror: StreamSocket;

    beforeEach(() => {
      const [near, far] = Socket.pair();
      cleanup.add(near);
      peer = cleanup.add(far);
      mirror = new Mirror(near) as unknown as StreamSocket;
      io = new AsyncIO({ backend });
    });
    afterEach(async () => {
      cleanup.run();
      await io[Symbol.asyncDispose]();
    });

    it('send and receive', async () => {
      const received = io.recv(mirror);
      await peer.sendAll('olleh');
      expect(String(await within(1_000, received))).toBe('hello');
      expect(await io.send(mirror, 'hello')).toBe(5);
      expect(String(await peer.recv())).toBe('olleh');
    });

    it('are iterated over, and lose nothing when the loop is left', async () => {
      await peer.sendAll('1');
      for await (const chunk of io.receives(mirror)) {
        expect(String(chunk)).toBe('1');
        await peer.sendAll('2');
        await turns(2);
        break;
      }
      expect(String(await io.recv(mirror))).toBe('2');
      const steps = io.receives(mirror);
      const step = steps.next();
      await turns(1);
      await within(1_000, steps.return?.() as Promise<unknown>);
      expect(await step).toMatchObject({ done: true });
      peer.close();
      expect(await io.receives(mirror).next()).toMatchObject({ done: true });
    });

    it('are cancelled, aborted and closed', async () => {
      const told = new Promise((resolve) => {
        const id = io.submitRecv(mirror, 1, (error) => resolve(error));
        expect(io.cancel(id)).toBe(true);
      });
      expect(await within(1_000, told)).toMatchObject({ code: 'ECANCELED' });
      const controller = new AbortController();
      const aborted = io.recv(mirror, 1, { signal: controller.signal });
      controller.abort();
      await expect(aborted).rejects.toMatchObject({ code: 'ABORT_ERR' });
      const closed = io.recv(mirror);
      mirror.close();
      await expect(closed).rejects.toMatchObject({ code: 'ERR_SOCK_CLOSED' });
      expect(io.pending).toBe(0);
    });
  });
}

describe('streams that are no sockets', () => {
  describeWithPeers(['io_uring'], 'where there is io_uring', () => describeStreams('io_uring'));
  describeStreams('edge-triggered');
});
