/** Gathering sends and scattering receives. */
import type { OperationOptions } from './operation.js';
import { ScatterOperation } from './receive-operations.js';
import { GatherOperation, SendOperation } from './send-operations.js';
import { corkedMax } from './sender.js';
import { Stream, unawaited } from './stream.js';
import type { Data, StreamSocket, SyncOptions } from './stream-socket.js';
import { checkViews, flatten, lengthOf, toViews, Vector } from './vector.js';

export abstract class VectorStream extends Stream implements StreamSocket {
  /**
   * Sends from several places what the kernel takes, as {@link send} does from one, without copying
   * them together first.
   *
   * @param data An array of 1 to 1024 elements, each bytes, or a string sent as UTF-8. Empty ones
   * are passed over. The array is read at once and never changed; its bytes must not be changed
   * before the promise settles.
   * @param options `timeout` (ms; default the socket's `operationTimeout`) and `signal`.
   * @returns The count of bytes taken, over all elements; 0 only when there are none. Waits while
   * the kernel takes none. On a seqpacket socket all of it is one message.
   *
   * Rejects as {@link send} does, with `bytesTransferred`.
   * @throws TypeError when an argument or an element is of a wrong kind, RangeError for an array of
   * no elements or more than 1024.
   * @see writev(2), sendmsg(2)
   */
  sendv(data: readonly Data[], options?: OperationOptions): Promise<number> {
    const views = toViews(data);
    const limits = this.limitsOf(options, this.limits);
    const refusal = this.refusal(limits);
    if (refusal !== undefined) return refusal;
    const length = lengthOf(views);
    if (length <= corkedMax) return this.sending().send(flatten(views, length), limits);
    return new Promise((resolve, reject) => {
      this.sending().submit(new GatherOperation(resolve, reject, new Vector(views), false), limits);
    });
  }

  /**
   * Sends all of it, as {@link sendAll} does: a header and a body need not be joined first. Small
   * ones of one turn leave together with those of `sendAll`, by one system call.
   *
   * @param data As for {@link sendv}.
   * @param options As for {@link sendv}; the timeout covers the whole.
   * @returns Resolves once the kernel has taken every byte.
   *
   * Rejects as {@link sendAll} does.
   * @throws As {@link sendv}.
   * @example
   * ```ts
   * await socket.sendvAll([header, body, '\r\n']);
   * ```
   */
  sendvAll(data: readonly Data[], options?: OperationOptions): Promise<void> {
    const views = toViews(data);
    const limits = options === undefined ? this.limits : this.limitsOf(options, this.limits);
    const refusal = this.refusal(limits);
    if (refusal !== undefined) return refusal;
    const length = lengthOf(views);
    if (length <= corkedMax) return this.sending().sendEach(views, length, limits);
    return new Promise((resolve, reject) => {
      const settle = (): void => resolve();
      this.sending().submit(new GatherOperation(settle, reject, new Vector(views), true), limits);
    });
  }

  /**
   * Blocks this thread's event loop: {@link sendv}, waiting up to `timeout`. Sends that are queued
   * go first. Throws what `sendv` rejects with.
   */
  sendvSync(data: readonly Data[], options?: SyncOptions): number {
    const operation = gather(data, false);
    return this.sendBlocking(operation, this.patienceOf(options));
  }

  /**
   * Blocks this thread's event loop: {@link sendvAll}, waiting up to `timeout` in all. Sends that
   * are queued go first. Throws what `sendvAll` rejects with, with `bytesTransferred`.
   */
  sendvAllSync(data: readonly Data[], options?: SyncOptions): void {
    const operation = gather(data, true);
    this.sendBlocking(operation, this.patienceOf(options));
  }

  /**
   * Sends without waiting: the count of bytes taken, or `null` when the kernel takes none or other
   * sends are queued. Throws what {@link sendv} rejects with.
   */
  trySendv(data: readonly Data[]): number | null {
    const operation = gather(data, false);
    this.checkReady();
    return this.sending().tryOnce(operation);
  }

  /**
   * Receives into several places: fills the first, then the next, with what is there.
   *
   * @param views An array of 1 to 1024 Uint8Arrays, with room for at least one byte in all. Empty
   * ones are passed over. The array is read at once and never changed.
   * @param options `timeout` (ms; default the socket's `operationTimeout`) and `signal`. Neither
   * loses bytes: what comes later goes to the next receive.
   * @returns The count of bytes, over all views: at least one, for which it waits.
   *
   * Rejects as {@link recv} does.
   * @throws TypeError when an argument or an element is of a wrong kind, RangeError for an array of
   * no elements, more than 1024, or no room.
   * @see readv(2), recvmsg(2)
   */
  recvv(views: readonly Uint8Array[], options?: OperationOptions): Promise<number> {
    return this.scatter(views, options, false);
  }

  /**
   * Receives until every one of the views is full.
   *
   * @param views As for {@link recvv}.
   * @param options As for {@link recvv}; the timeout covers the whole. After a timeout or an abort
   * the bytes that had come are received again by the next receive.
   * @returns How many bytes that are: the room of all views.
   *
   * Rejects as {@link recvAll} does; at the end of the stream `partial` holds what had come.
   * @throws As {@link recvv}.
   */
  recvvAll(views: readonly Uint8Array[], options?: OperationOptions): Promise<number> {
    return this.scatter(views, options, true);
  }

  /**
   * Blocks this thread's event loop: {@link recvv}, waiting up to `timeout`. Throws what `recvv`
   * rejects with, and `ERR_SOCK_BUSY` while a receive waits.
   */
  recvvSync(views: readonly Uint8Array[], options?: SyncOptions): number {
    return this.scatterBlocking(views, options, false, 'recvvSync');
  }

  /**
   * Blocks this thread's event loop: {@link recvvAll}, waiting up to `timeout` in all. Throws what
   * `recvvAll` rejects with, and `ERR_SOCK_BUSY` while a receive waits.
   */
  recvvAllSync(views: readonly Uint8Array[], options?: SyncOptions): number {
    return this.scatterBlocking(views, options, true, 'recvvAllSync');
  }

  /**
   * Receives without waiting: as {@link recvv}, or `null` when nothing is there yet. Throws what
   * `recvv` rejects with, and `ERR_SOCK_BUSY` while a receive waits.
   */
  tryRecvv(views: readonly Uint8Array[]): number | null {
    const operation = new ScatterOperation(unawaited, unawaited, checkViews(views), false);
    this.checkReady();
    return this.receiving().tryOnce(operation, 'tryRecvv');
  }

  private scatter(
    views: readonly Uint8Array[],
    options: OperationOptions | undefined,
    whole: boolean,
  ): Promise<number> {
    const vector = checkViews(views);
    const limits = this.limitsOf(options, this.limits);
    const refusal = this.refusal(limits);
    if (refusal !== undefined) return refusal;
    return new Promise((resolve, reject) => {
      this.receiving().submit(new ScatterOperation(resolve, reject, vector, whole), limits);
    });
  }

  private scatterBlocking(
    views: readonly Uint8Array[],
    options: SyncOptions | undefined,
    whole: boolean,
    verb: string,
  ): number {
    const operation = new ScatterOperation(unawaited, unawaited, checkViews(views), whole);
    this.receiveBlocking(operation, this.patienceOf(options), verb);
    return operation.filled;
  }
}

/** A send of several places that nobody waits for; what is little is copied into one. */
function gather(data: readonly Data[], all: boolean): SendOperation {
  const views = toViews(data);
  const length = lengthOf(views);
  if (length > corkedMax) return new GatherOperation(unawaited, unawaited, new Vector(views), all);
  return new SendOperation(unawaited, unawaited, flatten(views, length), length, all);
}
