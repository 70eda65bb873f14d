/** Many datagrams by one system call. */
import type { Data, OperationOptions, SyncOptions } from '@sock/core';
import { checkArray, checkInteger, checkOptions } from '@sock/native';
import { checkBatch, checkRooms, type DatagramBatch, isBatch, joinedRoom } from './batch.js';
import { DatagramIO, nothing } from './datagram-io.js';
import { DatagramSender, type DatagramSenderOptions } from './datagram-sender.js';
import type { Datagram, ReceivedDatagram } from './datagrams.js';
import { checkSegments, type Outgoing, outgoing, pack, type Target } from './outgoing.js';
import { IntoOperation, MessagesOperation, unawaited } from './receive-operations.js';

const batchMax = 1_024;
const roomDefault = 2_048;

/** Options of a receive of many datagrams. */
export interface ReceiveBatchOptions extends OperationOptions {
  /**
   * Room for each, 0 to 2^24 bytes; default 2,048. What is longer has `truncated` set. All together
   * may have 2 GiB, about.
   */
  size?: number | undefined;
}

/** Options of a receive of many datagrams that blocks this thread. */
export type ReceiveBatchSyncOptions = Omit<ReceiveBatchOptions, 'signal'>;

export abstract class BatchSocket extends DatagramIO {
  /**
   * Sends many datagrams, by one system call for each 1,024 of them.
   *
   * @param datagrams An array of {@link Datagram}, such as {@link recvBatch} gives, or a
   * {@link DatagramBatch}. They must not be changed before the promise settles.
   * @param options `timeout` (ms; default the socket's {@link setTimeout}) and `signal`.
   * @returns How many have gone, which is all of them unless one was refused, or the time was over,
   * when others had gone already: then the first so many have, and the next send says why the one
   * behind them does not. Waits while the kernel's buffer is full. An empty array is 0 at once.
   *
   * Rejects when the first of them is refused: as {@link send} does, with where it was to go; and
   * with `TimeoutError` or `AbortError` when nothing had gone by then.
   * @throws TypeError, RangeError for a wrong datagram, and none has gone.
   * @example
   * ```ts
   * const sent = await socket.sendBatch([
   *   { data: 'one', address: '192.0.2.1', port: 9 },
   *   { data: 'two', address: '192.0.2.2', port: 9 },
   * ]);
   * ```
   * @see sendmmsg(2)
   */
  sendBatch(
    datagrams: readonly Datagram[] | DatagramBatch,
    options?: OperationOptions,
  ): Promise<number> {
    // Before anything is packed: options may have getters, which may send as well.
    const limits = this.limitsOf(options);
    const out = this.outgoing(datagrams);
    const refusal = this.refusal(limits);
    if (refusal !== undefined) return refusal;
    if (out.count === 0) return Promise.resolve(0);
    const sent = this.submit(out, limits);
    if (!isBatch(datagrams) || datagrams.length === datagrams.filled) return sent;
    return sent.then((entries) => datagrams.datagramsIn(entries));
  }

  /** Blocks this thread's event loop: {@link sendBatch}, waiting up to `timeout`. */
  sendBatchSync(datagrams: readonly Datagram[] | DatagramBatch, options?: SyncOptions): number {
    const countdown = this.countdown(options);
    const out = this.outgoing(datagrams);
    return out.count === 0 ? 0 : this.datagramsOf(datagrams, this.submitSync(out, countdown));
  }

  /**
   * Sends what the kernel takes at once: how many, or `null` when it takes none or other sends are
   * queued. Throws what {@link sendBatch} rejects with.
   */
  trySendBatch(datagrams: readonly Datagram[] | DatagramBatch): number | null {
    const out = this.outgoing(datagrams);
    if (out.count === 0) return 0;
    const sent = this.trySubmit(out);
    return sent === null ? null : this.datagramsOf(datagrams, sent);
  }

  /**
   * Cuts the data into datagrams of one length and sends them: in the kernel where that can do it
   * (segmentation offload), which is several times cheaper, and here where not. The datagrams are
   * the same.
   *
   * @param data Of any length up to 2^30 bytes.
   * @param segmentSize Bytes of a datagram, 1 to 65,507, the last of which may be shorter. What
   * does not fit into the path's packets is not cut by the kernel.
   * @param host As for {@link sendTo}; without it, to the peer of a connected socket.
   * @param port With the host: 1 to 65,535.
   * @param options `timeout` (ms; default the socket's {@link setTimeout}) and `signal`.
   * @returns Resolves when all have gone.
   *
   * Rejects as {@link sendTo} does; `bytesTransferred` bytes had gone then.
   * @throws TypeError, RangeError when an argument is wrong, as on a Unix socket.
   * @see udp(7), UDP_SEGMENT
   */
  sendSegments(
    data: Data,
    segmentSize: number,
    host?: string,
    port?: number,
    options?: OperationOptions,
  ): Promise<void> {
    const bytes = checkSegments(data, segmentSize, this.traits);
    const limits = this.limitsOf(options);
    const target = host === undefined ? undefined : this.targetOf(host, port);
    const refusal = this.refusal(limits);
    if (refusal !== undefined) return refusal;
    const sent =
      host === undefined || target !== undefined
        ? this.sendOne(bytes, target, limits, segmentSize)
        : this.sendToName(bytes, host, port as number, limits, segmentSize);
    return sent.then(nothing);
  }

  /** Blocks this thread's event loop: {@link sendSegments}, waiting up to `timeout`. */
  sendSegmentsSync(
    data: Data,
    segmentSize: number,
    host?: string,
    port?: number,
    options?: SyncOptions,
  ): void {
    const bytes = checkSegments(data, segmentSize, this.traits);
    const countdown = this.countdown(options);
    let target: Target | undefined;
    if (host !== undefined) target = this.targetOf(host, port) ?? this.literalTarget(host, port);
    this.submitSync(outgoing(bytes, target, this.traits, segmentSize), countdown);
  }

  /**
   * Receives as many datagrams as there are, at least one: by one system call, as plain objects
   * that {@link sendBatch} takes as they are.
   *
   * @param max The most of them, 1 to 1,024; default 64.
   * @param options `size`, the room for each (default 2,048 bytes), `timeout` (ms; default the
   * socket's {@link setTimeout}) and `signal`.
   * @returns Waits for at least one. Concurrent receives are served in the order of the calls.
   *
   * Rejects as {@link recvFrom} does.
   * @throws TypeError, RangeError when an argument is wrong.
   * @see recvmmsg(2)
   */
  recvBatch(max = 64, options?: ReceiveBatchOptions): Promise<ReceivedDatagram[]> {
    checkInteger('max', max, 1, batchMax);
    const { size, ...rest } = checkBatchOptions(options);
    const limits = this.limitsOf(options === undefined ? undefined : rest);
    const room = this.roomOf(size, max);
    return this.receive(
      limits,
      (resolve, reject) => new MessagesOperation(resolve, reject, max, room),
    );
  }

  /** Blocks this thread's event loop: {@link recvBatch}, waiting up to `timeout`. */
  recvBatchSync(max = 64, options?: ReceiveBatchSyncOptions): ReceivedDatagram[] {
    checkInteger('max', max, 1, batchMax);
    const { size, ...rest } = checkBatchOptions(options);
    const operation = new MessagesOperation(unawaited, unawaited, max, this.roomOf(size, max));
    return this.receiveSync(operation, rest, 'recvBatchSync');
  }

  /** {@link recvBatch} without waiting, or `null` when there is no datagram. */
  tryRecvBatch(max = 64, options?: Pick<ReceiveBatchOptions, 'size'>): ReceivedDatagram[] | null {
    checkInteger('max', max, 1, batchMax);
    const { size } = checkOptions<Pick<ReceiveBatchOptions, 'size'>>(options, ['size']);
    const operation = new MessagesOperation(unawaited, unawaited, max, this.roomOf(size, max));
    return this.tryReceive(operation, 'tryRecvBatch');
  }

  /**
   * Receives as many datagrams as there are, at least one, into a batch: by one system call, with
   * no object for a datagram. The fastest way.
   *
   * @param batch What it held is gone. Nobody else may use it before the promise settles.
   * @param options `timeout` (ms; default the socket's {@link setTimeout}) and `signal`.
   * @returns How many datagrams the batch has now.
   *
   * Rejects as {@link recvFrom} does.
   * @throws TypeError when it is no {@link DatagramBatch}.
   * @see recvmmsg(2)
   */
  recvBatchInto(batch: DatagramBatch, options?: OperationOptions): Promise<number> {
    const into = checkBatch(batch);
    const limits = this.limitsOf(options);
    return this.receive(limits, (resolve, reject) => new IntoOperation(resolve, reject, into));
  }

  /** Blocks this thread's event loop: {@link recvBatchInto}, waiting up to `timeout`. */
  recvBatchIntoSync(batch: DatagramBatch, options?: SyncOptions): number {
    const operation = new IntoOperation(unawaited, unawaited, checkBatch(batch));
    return this.receiveSync(operation, options, 'recvBatchIntoSync');
  }

  /** {@link recvBatchInto} without waiting, or `null` when there is no datagram. */
  tryRecvBatchInto(batch: DatagramBatch): number | null {
    const operation = new IntoOperation(unawaited, unawaited, checkBatch(batch));
    return this.tryReceive(operation, 'tryRecvBatchInto');
  }

  /**
   * A sender that never waits and never fails: what the kernel does not take is dropped, and
   * counted. For measurements, logs and the like, where the newest matters more than each.
   *
   * @param options Where to, and how many datagrams may leave together.
   * @throws TypeError, RangeError when an option is wrong.
   */
  createSender(options?: DatagramSenderOptions): DatagramSender {
    this.usable();
    return new DatagramSender(this.traits, options);
  }

  private outgoing(datagrams: unknown): Outgoing {
    if (isBatch(datagrams)) {
      const { buffer: memory, entries, filled: count } = datagrams;
      return { memory, entries, count };
    }
    return pack(checkList(datagrams), this.traits, 'datagrams');
  }

  private datagramsOf(datagrams: unknown, entries: number): number {
    return isBatch(datagrams) ? datagrams.datagramsIn(entries) : entries;
  }

  private roomOf(size: number | undefined, max: number): number {
    if (size !== undefined) return checkRooms('size', size, max);
    return this.traits.joins ? joinedRoom : roomDefault;
  }
}

/** An array as it is, without the copy that others make: it is read at once. */
function checkList(value: unknown): readonly Datagram[] {
  try {
    if (Array.isArray(value)) return value as Datagram[];
  } catch {
    // A proxy that was revoked; below are the words for it.
  }
  return checkArray('datagrams', value, 'an array or a DatagramBatch') as Datagram[];
}

function checkBatchOptions(options: unknown): ReceiveBatchOptions {
  return checkOptions<ReceiveBatchOptions>(options, ['size', 'timeout', 'signal']);
}
