/** Two streams joined: what one receives, the other sends. */
import {
  binding,
  checkOptions,
  checkSignal,
  defer,
  Errno,
  forgetTask,
  invalidType,
  invalidValue,
  syscallNames,
  watchTask,
} from '@sock/native';
import { TakenSocket, type TakenStream } from './duplex/taken-stream.js';
import { AbortError, closedError, systemError } from './errors.js';
import { Stream } from './stream.js';
import type { StreamSocket } from './stream-socket.js';

const chunkSize = 64 * 1024;
const verbs = ['chunks', 'sendAll', 'shutdown', 'close'] as const;
const { endRelay, openFlow, relayMoved } = binding;

/** What {@link relay} moved. */
export interface RelayedBytes {
  /** Bytes from the first stream to the second. */
  readonly aToB: number;
  /** Bytes from the second stream to the first. */
  readonly bToA: number;
}

/** Options of {@link relay}. */
export interface RelayOptions {
  /** Ends the relay: it rejects with `AbortError`, and both streams are closed. */
  signal?: AbortSignal | undefined;
}

/**
 * Copies in both directions until both have ended. The end of one direction is passed on (a
 * half-close) and leaves the other alone. What a stream received before and nobody read goes first,
 * behind the sends that are queued on the other.
 *
 * The streams are taken over: their own sends and receives throw `ERR_SOCK_BUSY`, or reject with
 * it, and in the end both are closed, whatever happens. After an error, an abort, or a `close()`
 * from elsewhere, TCP connections are closed by a reset, so that no peer takes what it got for the
 * whole. Between two sockets of this package the bytes stay in the kernel (splice(2)), where it can
 * do that, and no JavaScript runs until the end. A slow reader holds up its writer: at most 256 KiB
 * wait in each direction, besides what the kernel holds for the sockets. Neither side's
 * `operationTimeout` counts.
 *
 * @param a A connected stream that carries bytes: no seqpacket socket.
 * @param b Another one.
 * @param options `signal`; one that is aborted already leaves both streams as they are.
 * @returns How many bytes went each way.
 *
 * Rejects with the first thing that goes wrong: `SocketClosedError` (`ECONNRESET`, `EPIPE`,
 * `ERR_SOCK_CLOSED` when one was closed meanwhile), `AbortError`, or `SocketError` (`ETIMEDOUT`,
 * …). With `ENOTCONN`, with `ERR_SOCK_CLOSED` for a stream that was closed before, and with
 * `ERR_SOCK_BUSY` while a receive waits on one, or another has taken it over, nothing was begun and
 * neither is closed.
 * @throws TypeError when an argument is wrong.
 * @see splice(2)
 * @example
 * ```ts
 * const { aToB, bToA } = await relay(client, await connect({ host, port }));
 * ```
 */
export function relay(
  a: StreamSocket,
  b: StreamSocket,
  options?: RelayOptions,
): Promise<RelayedBytes> {
  checkStream('a', a);
  checkStream('b', b);
  if (a === b) throw invalidValue('b', 'must be another stream than "a"', b);
  const signal = checkSignal(checkOptions<RelayOptions>(options, ['signal']).signal);
  return run(a, b, signal);
}

async function run(
  a: StreamSocket,
  b: StreamSocket,
  signal: AbortSignal | undefined,
): Promise<RelayedBytes> {
  if (signal?.aborted) throw new AbortError(signal);
  // Both can be had, or neither is touched.
  for (const stream of [a, b]) if (stream instanceof Stream) stream.checkTakable();
  const first = take(a);
  const second = take(b);
  const aborted = defer<never>();
  const onAbort = (): void => {
    if (signal !== undefined) aborted.reject(new AbortError(signal));
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const moved = await Promise.race([join(first, second, aborted.promise), aborted.promise]);
    first.close();
    second.close();
    return moved;
  } catch (error) {
    breakOff(first);
    breakOff(second);
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

function join(
  first: TakenStream,
  second: TakenStream,
  aborted: Promise<never>,
): Promise<RelayedBytes> {
  if (isBare(first) && isBare(second)) {
    return splice(first, second, aborted);
  }
  return copyBoth(first, second);
}

function isBare(stream: TakenStream): stream is TakenSocket {
  return stream instanceof TakenSocket && stream.isBare;
}

function breakOff(stream: TakenStream): void {
  if (stream.reset === undefined) stream.close();
  else stream.reset();
}

function take(stream: StreamSocket): TakenStream {
  if (stream instanceof Stream) return stream.takeOver(chunkSize, () => {});
  const chunks = stream.chunks({ size: chunkSize, reuse: true });
  return {
    next: () => chunks.next() as Promise<IteratorResult<Buffer, undefined>>,
    trySend: (bytes) => stream.trySend(bytes),
    sendAll: (bytes) => stream.sendAll(bytes),
    shutdown: () => stream.shutdown('write'),
    close: () => stream.close(),
  };
}

async function copyBoth(first: TakenStream, second: TakenStream): Promise<RelayedBytes> {
  const [aToB, bToA] = await Promise.all([copy(first, second), copy(second, first)]);
  return { aToB, bToA };
}

async function copy(from: TakenStream, to: TakenStream): Promise<number> {
  let count = 0;
  for (;;) {
    const { done, value } = await from.next();
    if (done) break;
    await to.sendAll(value);
    count += value.length;
  }
  await to.shutdown();
  return count;
}

/** The addon moves the bytes; a direction is opened once what goes ahead in it has gone. */
async function splice(
  first: TakenSocket,
  second: TakenSocket,
  aborted: Promise<never>,
): Promise<RelayedBytes> {
  const ends = [first, second] as const;
  const [one, other] = [first.hold(), second.hold()];
  const task = binding.relay(one.slot, one.generation, other.slot, other.generation);
  const over = defer<void>();
  watchTask(task, (errno, call) => {
    if (errno === 0) return over.resolve();
    if (errno === -Errno.EBADF) return over.reject(closedError());
    for (const end of ends) end.noteFailure(errno);
    over.reject(systemError(errno, { syscall: syscallNames[call] }));
  });
  const ahead = [first.takeUnread(), second.takeUnread()] as const;
  const open = async (flow: 0 | 1): Promise<void> => {
    const { failure } = ends[flow];
    if (failure !== 0) throw systemError(failure, { syscall: 'recv' });
    await ends[1 - flow]?.sendAhead(ahead[flow]);
    openFlow(task, flow);
  };
  try {
    await Promise.race([Promise.all([open(0), open(1), over.promise]), aborted]);
    const [aToB, bToA] = [0, 1].map((flow) => {
      return relayMoved(task, flow) + (ahead[flow]?.length ?? 0);
    }) as [number, number];
    return { aToB, bToA };
  } finally {
    forgetTask(task);
    endRelay(task);
    for (const end of ends) end.release();
  }
}

function checkStream(name: string, value: unknown): void {
  const verbOf = value as Record<string, unknown>;
  try {
    if (typeof value === 'object' && verbs.every((verb) => typeof verbOf[verb] === 'function')) {
      if (verbOf.type !== 'seqpacket') return;
    }
  } catch {
    // null, or a proxy that refuses to answer.
  }
  throw invalidType(name, 'a connected stream of bytes', value);
}
