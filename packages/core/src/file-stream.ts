/** Files, sent without a copy through this process. */
import { type Limits, operationOptionKeys } from '@sock/native';
import { SocketError } from './errors.js';
import { FileOperation } from './file-operation.js';
import {
  checkRange,
  checkSource,
  type FileRange,
  type FileRangeOptions,
  type FileSource,
  type SendableFile,
  type SendFileOptions,
  type SendFileSyncOptions,
} from './file-source.js';
import { unawaited } from './stream.js';
import { VectorStream } from './vector-stream.js';

export abstract class FileStream extends VectorStream {
  /**
   * Sends from a file what the socket takes, at most 256 KiB. The bytes go from the kernel's cache
   * to the socket and do not pass through this process where the system can do that (sendfile(2),
   * else splice(2)); where it cannot, they are copied. What is not in memory is read by a thread
   * meanwhile, so a slow disk does not hold up the event loop.
   *
   * @param source A path (at most 4095 bytes), a descriptor, or a `FileHandle`: of a regular file.
   * A descriptor is duplicated at the call, so it may be closed right afterwards, and stays the
   * caller's to close. A path is opened at the call, by a thread, and closed when the send is over.
   * @param options `offset` and `length` choose a part of the file; `timeout` (ms; default the
   * socket's `operationTimeout`) and `signal` as for {@link send}.
   * @returns The count of bytes taken, at least 1, for which it waits; 0 only at the end of the
   * file. Sends leave in the order of the calls, whatever their kind. A file does not count towards
   * `sendQueueMax`.
   *
   * Rejects as {@link send} does, and with `SocketError` for the file: `EINVAL` when it is not a
   * regular one, `EBADF`, `ENOENT`, `EACCES`, `EIO`, …, all with `bytesTransferred` and, where one
   * was given, `path`; `EOPNOTSUPP` on a seqpacket socket, whose messages have borders that a file
   * lacks.
   * @throws TypeError, RangeError when an argument is wrong.
   * @see sendfile(2), splice(2)
   */
  sendFile(source: SendableFile, options?: SendFileOptions): Promise<number> {
    return this.enqueueFile(source, options, false);
  }

  /**
   * Sends the file, or the part of it, to its end.
   *
   * @param source As for {@link sendFile}.
   * @param options As for {@link sendFile}; the timeout covers the whole.
   * @returns How many bytes that were, once the kernel has taken all of them. What is written to
   * the file meanwhile may or may not be among them.
   *
   * Rejects as {@link sendFile} does, and with `ERR_SOCK_FILE_TOO_SHORT` when a `length` was given
   * and the file ends before. Whatever it rejects with, `bytesTransferred` bytes are on their way;
   * sends queued behind are rejected with `ERR_SOCK_SEND_ABANDONED` unless that is 0.
   * @example
   * ```ts
   * await socket.sendAll('HTTP/1.1 200 OK\r\ncontent-length: 1048576\r\n\r\n');
   * await socket.sendFileAll('film.mp4', { offset: 2 ** 20, length: 2 ** 20 });
   * ```
   */
  sendFileAll(source: SendableFile, options?: SendFileOptions): Promise<number> {
    return this.enqueueFile(source, options, true);
  }

  /**
   * Blocks this thread's event loop: {@link sendFile}, waiting up to `timeout` for room in the
   * socket, and besides for as long as the disk takes. Sends that are queued go first. Throws what
   * `sendFile` rejects with.
   */
  sendFileSync(source: SendableFile, options?: SendFileSyncOptions): number {
    return this.sendFileBlocking(source, options, false);
  }

  /**
   * Blocks this thread's event loop: {@link sendFileAll}, waiting up to `timeout` in all for room
   * in the socket, and besides for as long as the disk takes. Sends that are queued go first.
   * Throws what `sendFileAll` rejects with, with `bytesTransferred`.
   */
  sendFileAllSync(source: SendableFile, options?: SendFileSyncOptions): number {
    return this.sendFileBlocking(source, options, true);
  }

  /**
   * {@link sendFile} without waiting: the count of bytes taken, 0 at the end of the file, or `null`
   * when the kernel takes none, other sends are queued, or the bytes are not in memory yet; a
   * thread then begins to read them, for the next attempt. Opening a path may still wait for the
   * disk. Throws what `sendFile` rejects with.
   */
  trySendFile(source: SendableFile, options?: FileRangeOptions): number | null {
    const file = checkSource(source);
    const { range } = checkRange<FileRangeOptions>(options, []);
    this.checkReady();
    const refusal = this.fileRefusal();
    if (refusal !== undefined) throw refusal;
    const operation = fileOperation(file, range, false);
    try {
      return this.sending().tryOnce(operation);
    } finally {
      operation.release();
    }
  }

  private enqueueFile(
    source: SendableFile,
    options: SendFileOptions | undefined,
    all: boolean,
  ): Promise<number> {
    const file = checkSource(source);
    const { range, rest } = checkRange<SendFileOptions>(options, operationOptionKeys);
    const limits = this.limitsOf(rest, this.limits);
    const refusal = this.refusal(limits);
    if (refusal !== undefined) return refusal;
    return new Promise((resolve, reject) => {
      const error = this.fileRefusal();
      if (error !== undefined) throw error;
      const how = { all, wait: true };
      this.submitFile(new FileOperation(resolve, reject, file, range, how), limits);
    });
  }

  private submitFile(operation: FileOperation, limits: Limits): void {
    const sender = this.sending();
    operation.onReady = () => sender.onWritable();
    sender.submit(operation, limits);
  }

  private sendFileBlocking(
    source: SendableFile,
    options: SendFileSyncOptions | undefined,
    all: boolean,
  ): number {
    const file = checkSource(source);
    const { range, rest } = checkRange<SendFileSyncOptions>(options, ['timeout']);
    const patience = this.patienceOf(rest);
    this.checkReady();
    const refusal = this.fileRefusal();
    if (refusal !== undefined) throw refusal;
    const operation = fileOperation(file, range, all);
    try {
      return this.sendBlocking(operation, patience);
    } finally {
      operation.release();
    }
  }

  private fileRefusal(): SocketError | undefined {
    if (this.joinsSends) return undefined;
    return new SocketError(
      'sendFile needs a byte stream: here every send is a message of its own',
      {
        code: 'EOPNOTSUPP',
        syscall: 'sendfile',
      },
    );
  }
}

/** For the forms that look at it themselves. */
function fileOperation(file: FileSource, range: FileRange, all: boolean): FileOperation {
  return new FileOperation(unawaited, unawaited, file, range, { all, wait: false });
}
