/** What a check of the conformance suite works with. */
import type { StreamSocket } from '@sock/core';
import type { Random } from '../random.js';

export type StreamPair = readonly [near: StreamSocket, far: StreamSocket];
export type MakePair = () => Promise<StreamPair>;

/** Checks by name; a name is a sentence about the stream. */
export type Checks = Readonly<Record<string, (trial: Trial) => Promise<void>>>;

/** More than the kernel takes from a sender whose peer does not read. */
export const tooMuch = 16 * 1024 * 1024;

const fillerSize = 64 * 1024;

/**
 * Fills the kernel's buffers, and tells with how much. On TCP a late acknowledgement can make some
 * room again: checks must not count on the kernel taking nothing at all afterwards.
 */
async function clog(stream: StreamSocket): Promise<number> {
  const filler = Buffer.alloc(fillerSize);
  let sent = 0;
  let refusals = 0;
  while (refusals < 3) {
    const count = stream.trySend(filler);
    if (count === null) {
      refusals++;
      await turns(1);
    } else {
      refusals = 0;
      sent += count;
    }
  }
  return sent;
}

export class Trial {
  private readonly streams: StreamSocket[] = [];

  constructor(
    private readonly makePair: MakePair,
    readonly random: Random,
  ) {}

  /** Two connected streams, closed when the check is over. */
  async pair(): Promise<StreamPair> {
    const pair = await this.makePair();
    this.streams.push(...pair);
    return pair;
  }

  /**
   * A pair in which sends of the first wait, and how many bytes of filler lie before the second.
   */
  async cloggedPair(): Promise<readonly [near: StreamSocket, far: StreamSocket, filler: number]> {
    const [near, far] = await this.pair();
    return [near, far, await clog(near)];
  }

  close(): void {
    for (const stream of this.streams) stream.close();
  }
}

/** How a promise failed. The handler is there from the start, whenever the answer is looked at. */
export interface Failure extends Error {
  readonly code: string;
  readonly timeout?: number;
  readonly bytesTransferred?: number;
  readonly partial?: Buffer;
}

export function failureOf(promise: Promise<unknown>): Promise<Failure> {
  return promise.then(
    () => {
      throw new Error('this was to be rejected');
    },
    (error: unknown) => error as Failure,
  );
}

/** What a call throws. */
export function thrownBy(call: () => unknown): Failure {
  try {
    call();
  } catch (error) {
    return error as Failure;
  }
  throw new Error('this was to throw');
}

/** Lets so many turns of the event loop go by. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Whether the promise is still open after everything that is on its way has arrived. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const open = Symbol('open');
  const later = turns(3).then(() => open);
  return (await Promise.race([promise.catch(() => undefined), later])) === open;
}

export async function readToEnd(stream: StreamSocket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Takes the memory away from a view, as `postMessage` with a transfer list does. */
export function detach(view: Uint8Array): void {
  structuredClone(view.buffer, { transfer: [view.buffer as ArrayBuffer] });
}

/** A view of memory that can shrink below it, and the way to make it. */
export function shrinkable(length: number): { view: Uint8Array; shrink: () => void } {
  const args = [length, { maxByteLength: length }];
  const memory = Reflect.construct(ArrayBuffer, args) as ArrayBuffer & {
    resize(length: number): void;
  };
  return { view: new Uint8Array(memory, 0, length), shrink: () => memory.resize(0) };
}
