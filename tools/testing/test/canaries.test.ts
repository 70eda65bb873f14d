import type { StreamSocket } from '@sock/core';
import { Socket } from '@sock/core';
import { Random, runCheck, type StreamPair, streamChecks } from '@sock/testing';

type Fault = (stream: StreamSocket) => Partial<Record<keyof StreamSocket, unknown>>;

/** The sockets behind those with a fault, which may be that they do not close. */
const sound: Socket[] = [];
afterEach(() => {
  for (const socket of sound.splice(0)) socket.close();
});

/** A pair whose near side has a fault: some members replaced, the others its own. */
async function faultyPair(fault: Fault): Promise<StreamPair> {
  const [near, far] = Socket.pair();
  sound.push(near);
  const members = fault(near);
  const handler: ProxyHandler<Socket> = {
    get(target, name) {
      if (name in members) return members[name as keyof StreamSocket];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  };
  return [new Proxy(near, handler), far];
}

function checkNamed(sentence: string) {
  for (const checks of Object.values(streamChecks)) {
    const check = checks[sentence];
    if (check !== undefined) return check;
  }
  throw new Error(`there is no check "${sentence}"`);
}

/** Reads a byte at a time in microtasks alone. */
async function* eagerly(stream: StreamSocket): AsyncGenerator<Buffer> {
  for (;;) {
    try {
      const chunk = stream.tryRecv(1);
      if (chunk !== null) yield chunk;
      await undefined;
    } catch {
      return;
    }
  }
}

/**
 * For each fault a check that must find it. A suite that misses its own canaries checks nothing.
 */
const canaries: readonly (readonly [fault: string, sentence: string, fault: Fault])[] = [
  [
    'gives more than was asked for',
    'recv takes no more than it was asked for and leaves the rest',
    (stream) => ({ recv: () => stream.recv() }),
  ],
  [
    'loses the last byte of a send',
    'a large transfer reaches a slow reader whole',
    (stream) => ({ sendAll: (data: Uint8Array) => stream.sendAll(data.subarray(1)) }),
  ],
  [
    'never answers',
    'recv waits for bytes that come later',
    () => ({ recv: () => new Promise(() => undefined) }),
  ],
  [
    'gives an empty chunk at the end of the stream',
    'recv raises the end of the stream, every time',
    (stream) => ({ recv: () => stream.recv().catch(() => Buffer.alloc(0)) }),
  ],
  [
    'times out early',
    'a receive times out, never early, and loses nothing',
    (stream) => ({
      recv: (size: number, { timeout = 0 } = {}) => stream.recv(size, { timeout: timeout / 2 }),
    }),
  ],
  [
    'loses bytes that come with an abort',
    'bytes that arrive together with the abort go to the next receive',
    (stream) => ({
      recv: (size?: number, options?: { signal: AbortSignal }) =>
        stream.recv(size, options).catch((error: unknown) => {
          stream.tryRecv();
          throw error;
        }),
    }),
  ],
  [
    'fills the last view first',
    'recvv fills the views in order and resolves with the count',
    (stream) => ({ recvv: (views: Uint8Array[]) => stream.recvv([...views].reverse()) }),
  ],
  [
    'sends only the first of several places',
    'sendvAll sends what lies in several places as one',
    (stream) => ({ sendvAll: (data: Uint8Array[]) => stream.sendvAll(data.slice(0, 1)) }),
  ],
  [
    'does not close',
    'dispose closes',
    () => ({ close: () => undefined, [Symbol.dispose]: () => undefined }),
  ],
  [
    'has nothing to try for when bytes are there',
    'tryRecv gives null while nothing has come, then the bytes',
    () => ({ tryRecv: () => null }),
  ],
  [
    'never lets go of the event loop',
    'a long run of small reads that never wait lets timers run',
    (stream) => ({ chunks: () => eagerly(stream) }),
  ],
];

describe('the conformance suite', () => {
  for (const [name, sentence, fault] of canaries) {
    it(`finds a stream that ${name}`, async () => {
      const run = runCheck(checkNamed(sentence), () => faultyPair(fault), new Random(1), 200);
      await expect(run).rejects.toThrow();
    });
  }

  it('finds a stream that leaves a socket open', async () => {
    const forgotten: Socket[] = [];
    const makePair = async (): Promise<StreamPair> => {
      const [near, far] = Socket.pair();
      forgotten.push(...Socket.pair());
      return [near, far];
    };
    const check = checkNamed('dispose closes');
    try {
      await expect(runCheck(check, makePair, new Random(1))).rejects.toThrow(
        /^\d+ sockets are open, \d+ were before$/,
      );
    } finally {
      for (const socket of forgotten) socket.close();
    }
  });
});
