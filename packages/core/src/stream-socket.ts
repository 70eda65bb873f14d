/** What other packages accept: anything that behaves like a connected stream of ours. */
import type { OperationOptions } from './operation.js';

/** Options of the forms that block this thread. */
export interface SyncOptions {
  /**
   * Milliseconds that the call may block, 0 to 2^31−1, with fractions. 0 looks once and
   * `Infinity` sets no limit, `undefined` leaves the socket's own ({@link Timeouts}).
   */
  timeout?: number | undefined;
}

/** What may be sent: bytes as they are, a string as UTF-8. */
export type Data = Uint8Array | string;

/**
 * A connected byte stream, whatever carries it: what the other packages take, so that a socket, TLS
 * over one, or an implementation of your own fits. {@link Socket} says in full what each member
 * promises; an implementation promises no less.
 */
export interface StreamSocket extends AsyncIterable<Buffer> {
  /** Resolves with how many bytes were taken: at least one, unless `data` is empty. */
  send(data: Data, options?: OperationOptions): Promise<number>;
  /** Blocks this thread's event loop: {@link send}. */
  sendSync(data: Data, options?: SyncOptions): number;
  /** How many bytes were taken without waiting, or `null` when none could be. */
  trySend(data: Data): number | null;
  /** Resolves once every byte was taken; an error tells in `bytesTransferred` how many were. */
  sendAll(data: Data, options?: OperationOptions): Promise<void>;
  /** Blocks this thread's event loop: {@link sendAll}. */
  sendAllSync(data: Data, options?: SyncOptions): void;

  /** Resolves with 1 to `size` bytes (default 65,536); rejects with `ERR_SOCK_EOF` at the end. */
  recv(size?: number, options?: OperationOptions): Promise<Buffer>;
  /** Fills the front of `view`, which has room for at least one byte; resolves with the count. */
  recv(view: Uint8Array, options?: OperationOptions): Promise<number>;
  /** Blocks this thread's event loop: {@link recv}. */
  recvSync(size?: number, options?: SyncOptions): Buffer;
  /** Blocks this thread's event loop: {@link recv} into a view. */
  recvSync(view: Uint8Array, options?: SyncOptions): number;
  /** What is there already, or `null`; throws `ERR_SOCK_EOF` at the end. */
  tryRecv(size?: number): Buffer | null;
  /** The count of bytes that were there already, or `null`; throws `ERR_SOCK_EOF` at the end. */
  tryRecv(view: Uint8Array): number | null;
  /** Resolves with exactly `size` bytes; when the stream ends before, `partial` has what came. */
  recvAll(size: number, options?: OperationOptions): Promise<Buffer>;
  /** Blocks this thread's event loop: {@link recvAll}. */
  recvAllSync(size: number, options?: SyncOptions): Buffer;

  /** Sends from several places, 1 to 1024, as from one; resolves as {@link send} does. */
  sendv(data: readonly Data[], options?: OperationOptions): Promise<number>;
  /** Blocks this thread's event loop: {@link sendv}. */
  sendvSync(data: readonly Data[], options?: SyncOptions): number;
  /** How many bytes were taken without waiting, or `null` when none could be. */
  trySendv(data: readonly Data[]): number | null;
  /** Resolves once every byte of every element was taken; fails as {@link sendAll} does. */
  sendvAll(data: readonly Data[], options?: OperationOptions): Promise<void>;
  /** Blocks this thread's event loop: {@link sendvAll}. */
  sendvAllSync(data: readonly Data[], options?: SyncOptions): void;
  /** Fills several views, 1 to 1024, in order, with what is there; resolves with the count. */
  recvv(views: readonly Uint8Array[], options?: OperationOptions): Promise<number>;
  /** Blocks this thread's event loop: {@link recvv}. */
  recvvSync(views: readonly Uint8Array[], options?: SyncOptions): number;
  /** The count of bytes that were there already, or `null`; throws `ERR_SOCK_EOF` at the end. */
  tryRecvv(views: readonly Uint8Array[]): number | null;
  /** Resolves with their room once all views are full; fails as {@link recvAll} does. */
  recvvAll(views: readonly Uint8Array[], options?: OperationOptions): Promise<number>;
  /** Blocks this thread's event loop: {@link recvvAll}. */
  recvvAllSync(views: readonly Uint8Array[], options?: SyncOptions): number;

  /** Iterates until the peer's orderly end. Leaving the loop early does not close the stream. */
  chunks(options?: ChunksOptions): AsyncIterableIterator<Buffer>;

  /** Ends one direction or both, behind the sends that are queued. Default `'write'`. */
  shutdown(how?: 'read' | 'write' | 'both', options?: OperationOptions): Promise<void>;
  /** Sends what is queued, half-closes, reads off what still comes, and closes in every case. */
  end(options?: OperationOptions): Promise<void>;
  /** Closes at once; what waits is rejected with `ERR_SOCK_CLOSED`. Again: does nothing. */
  close(): void;

  /** The most bytes that may wait in this process behind others; a send beyond it is refused. */
  sendQueueMax: number;
  /** How many wait now. */
  readonly sendQueueBytes: number;
  /** Whether there is a peer; false once the connection is broken or closed. */
  readonly isConnected: boolean;
  /** The descriptor of the connection below, for looking at; −1 once closed. */
  readonly fd: number;
  /** Pending operations keep the event loop alive; this is the default. */
  ref(): this;
  /** Pending operations of this stream no longer keep the event loop alive. */
  unref(): this;
  /** {@link close}, for `using`. */
  [Symbol.dispose](): void;
  /** {@link end}, for `await using`; does nothing once closed. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** How a stream is cut into chunks. */
export interface ChunksOptions {
  /** The most bytes a chunk can have: an integer from 1 to 2^31−1. Default 65,536. */
  size?: number | undefined;
  /**
   * One memory for all chunks: each is valid only until the next one is asked for. Saves the
   * allocation, and keeps the memory in the cache. A socket keeps that of the last iteration until
   * it is closed. Default `false`.
   */
  reuse?: boolean | undefined;
}
