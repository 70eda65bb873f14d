/** Sockets with memory that an arena takes back. */
import { writeFileSync } from 'node:fs';
import { Arena, Socket } from '@sock/core';
import { failureOf, turns, useFolder, within } from '@sock/testing';

const detached = { name: 'SocketError', code: 'ERR_SOCK_BUFFER_DETACHED' };

describe('an arena that is disposed', () => {
  let near: Socket;
  let far: Socket;
  beforeEach(() => {
    [near, far] = Socket.pair();
  });
  afterEach(() => {
    near.close();
    far.close();
  });

  it('rejects the receive that waits to fill its memory, though nothing comes', async () => {
    const arena = new Arena();
    const failure = failureOf(near.recv(arena.alloc(100)));
    arena.dispose();
    expect(await within(1_000, failure)).toMatchObject(detached);
  });

  it('rejects it too where it is not the first, and nobody else', async () => {
    const arena = new Arena();
    const [first, second, third] = [Buffer.alloc(2), arena.alloc(2), Buffer.alloc(2)];
    const before = near.recv(first);
    const failure = failureOf(near.recv(second));
    const after = near.recv(third);
    arena.dispose();
    expect(await within(1_000, failure)).toMatchObject(detached);
    await far.sendAll('abcd');
    expect(await within(1_000, Promise.all([before, after]))).toEqual([2, 2]);
    expect([String(first), String(third)]).toEqual(['ab', 'cd']);
  });

  it('loses no bytes that come when nobody waits any more', async () => {
    const arena = new Arena();
    const failure = failureOf(near.recv(arena.alloc(100)));
    arena.dispose();
    await failure;
    await far.sendAll('still here');
    expect(String(await near.recv())).toBe('still here');
  });

  it('rejects the send that is queued with its memory, and tells how much had gone', async () => {
    const arena = new Arena();
    const size = 8 * 1024 * 1024;
    const failure = failureOf(near.sendAll(arena.alloc(size).fill('x')));
    const behind = failureOf(near.sendAll('behind'));
    arena.dispose();
    const error = await within(1_000, failure);
    expect(error).toMatchObject(detached);
    const { bytesTransferred } = error as { bytesTransferred: number };
    expect(bytesTransferred).toBeGreaterThan(0);
    expect(bytesTransferred).toBeLessThan(size);
    // What had gone arrives, and nothing of what was behind.
    expect(await within(1_000, behind)).toMatchObject({ code: 'ERR_SOCK_SEND_ABANDONED' });
    expect(near.sendQueueBytes).toBe(0);
    await near.shutdown();
    let received = 0;
    for await (const chunk of far) {
      expect(chunk.every((byte) => byte === 'x'.charCodeAt(0))).toBe(true);
      received += chunk.length;
    }
    expect(received).toBe(bytesTransferred);
  });

  it('rejects a send of it that waits behind others, which go on', async () => {
    const arena = new Arena();
    const sending = near.sendAll(Buffer.alloc(8 * 1024 * 1024));
    const failure = failureOf(near.sendAll(arena.alloc(100_000)));
    arena.dispose();
    expect(await within(1_000, failure)).toMatchObject({ ...detached, bytesTransferred: 0 });
    await Promise.all([far.recvAll(8 * 1024 * 1024), sending]);
    expect(far.tryRecv()).toBeNull();
  });
});

describe('an arena that is disposed, and operations on several places', () => {
  it('rejects those of which one place was in it, and no others', async () => {
    const [near, far] = Socket.pair();
    const arena = new Arena();
    const own = Buffer.alloc(4);
    const failure = failureOf(near.recvv([Buffer.alloc(4), arena.alloc(4)]));
    const receiving = near.recvv([own, Buffer.alloc(4)]);
    const parts = [Buffer.alloc(4 * 1024 * 1024), Buffer.alloc(4 * 1024 * 1024)];
    const sending = near.sendvAll(parts);
    const sendFailure = failureOf(near.sendvAll([arena.alloc(50_000), Buffer.alloc(50_000)]));
    arena.dispose();
    expect(await within(1_000, failure)).toMatchObject(detached);
    expect(await within(1_000, sendFailure)).toMatchObject({ ...detached, bytesTransferred: 0 });
    await far.sendAll('12345678');
    expect(await within(1_000, receiving)).toBe(8);
    expect(String(own)).toBe('1234');
    await Promise.all([far.recvAll(8 * 1024 * 1024), sending]);
    near.close();
    far.close();
  });
});

describe('an arena that is disposed, and a file that is being sent', () => {
  const path = useFolder();

  it('have nothing to do with each other', async () => {
    const size = 8 * 1024 * 1024;
    writeFileSync(path('file'), Buffer.alloc(size, 'f'));
    const [near, far] = Socket.pair();
    const arena = new Arena();
    arena.alloc(1);
    const sending = near.sendFileAll(path('file'));
    // Some of it is on its way, and the rest waits for the kernel.
    await far.recv(1);
    await turns(1);
    arena.dispose();
    const received = await within(5_000, far.recvAll(size - 1));
    expect(received.every((byte) => byte === 'f'.charCodeAt(0))).toBe(true);
    await sending;
    near.close();
    far.close();
  });
});

describe('sends whose time is over together', () => {
  it('are each rejected once, and the socket is none the worse for it', async () => {
    const [near, far] = Socket.pair();
    const bytes = Buffer.alloc(4 * 1024 * 1024);
    const [first, ...rest] = await Promise.all(
      [1, 2, 3].map(() => failureOf(near.sendAll(bytes, { timeout: 1 }))),
    );
    expect(first).toMatchObject({ code: 'ERR_SOCK_TIMEOUT' });
    for (const error of rest) expect(error).toMatchObject({ bytesTransferred: 0 });
    expect(near.sendQueueBytes).toBe(0);
    near.close();
    far.close();
  });
});
