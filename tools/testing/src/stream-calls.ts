/** A call of every verb that streams share, for the tables of methods and states. */
import { openSync } from 'node:fs';
import type { FileStream, Pollable } from '@sock/core';

const atOnce = { timeout: 0 };
const aByte = { length: 1 };
const owner = { onClosing: () => {} };

/** By the names that the rows of the tables have. */
export function streamCalls(): Record<
  string,
  (stream: FileStream & Required<Pollable>) => unknown
> {
  // Open, and in memory: nothing has to be waited for.
  const file = openSync(__filename, 'r');
  return {
    send: (s) => s.send('x'),
    sendAll: (s) => s.sendAll('x'),
    sendSync: (s) => s.sendSync('x', atOnce),
    sendAllSync: (s) => s.sendAllSync('x', atOnce),
    trySend: (s) => s.trySend('x'),
    sendv: (s) => s.sendv(['x', 'y']),
    sendvAll: (s) => s.sendvAll(['x', 'y']),
    sendvSync: (s) => s.sendvSync(['x', 'y'], atOnce),
    sendvAllSync: (s) => s.sendvAllSync(['x', 'y'], atOnce),
    trySendv: (s) => s.trySendv(['x', 'y']),
    sendFile: (s) => s.sendFile(file, aByte),
    sendFileAll: (s) => s.sendFileAll(file, aByte),
    sendFileSync: (s) => s.sendFileSync(file, { ...aByte, ...atOnce }),
    sendFileAllSync: (s) => s.sendFileAllSync(file, { ...aByte, ...atOnce }),
    trySendFile: (s) => s.trySendFile(file, aByte),
    recv: (s) => s.recv(),
    'recv(view)': (s) => s.recv(new Uint8Array(8)),
    recvSync: (s) => s.recvSync(8, atOnce),
    tryRecv: (s) => s.tryRecv(),
    recvAll: (s) => s.recvAll(8),
    recvAllSync: (s) => s.recvAllSync(8, atOnce),
    recvv: (s) => s.recvv([new Uint8Array(8)]),
    recvvAll: (s) => s.recvvAll([new Uint8Array(8)]),
    recvvSync: (s) => s.recvvSync([new Uint8Array(8)], atOnce),
    recvvAllSync: (s) => s.recvvAllSync([new Uint8Array(8)], atOnce),
    tryRecvv: (s) => s.tryRecvv([new Uint8Array(8)]),
    'chunks().next': (s) => s.chunks().next(),
    'chunks({ reuse }).next': (s) => s.chunks({ reuse: true }).next(),
    'for await': (s) => s[Symbol.asyncIterator]().next(),
    'shutdown(read)': (s) => s.shutdown('read'),
    'shutdown(write)': (s) => s.shutdown('write'),
    'shutdown(both)': (s) => s.shutdown('both'),
    end: (s) => s.end(),
    asyncDispose: (s) => s[Symbol.asyncDispose](),
    dispose: (s) => s[Symbol.dispose](),
    close: (s) => s.close(),
    pendingRead: (s) => s.pendingRead(),
    joinPoll: (s) => s.joinPoll({ ...owner, onPendingRead: () => {} })(),
    lendReading: (s) => s.lendReading(owner).end(),
    lendWriting: (s) => s.lendWriting(owner).end(),
    ref: (s) => s.ref() === s,
    unref: (s) => s.unref() === s,
    fd: (s) => s.fd >= 0,
    isConnected: (s) => s.isConnected,
    sendQueueBytes: (s) => s.sendQueueBytes,
    sendQueueMax: (s) => s.sendQueueMax,
  };
}
