/** Bytes with descriptors and credentials beside them. */

import type { Family } from '@sock/native';
import { checkInteger, checkOptions } from '@sock/native';
import { FileStream } from './file-stream.js';
import {
  type CheckedMessage,
  checkKind,
  checkMessage,
  checkPeek,
  type Message,
  type ReceivedMessage,
  type ReceiveMessageOptions,
  type TryReceiveMessageOptions,
} from './message.js';
import { MessageOperation, ReceiveMessageOperation } from './message-operations.js';
import type { OperationOptions } from './operation.js';
import { unawaited } from './stream.js';
import type { SyncOptions } from './stream-socket.js';
import { Vector } from './vector.js';

const receiveSizeDefault = 64 * 1024;
const receiveSizeMax = 2 ** 31 - 1;

export abstract class MessageStream extends FileStream {
  /** Of its addresses: `'ipv4'`, `'ipv6'` or `'unix'`. */
  abstract readonly family: Family;

  /**
   * Sends bytes, and with the first of them descriptors and credentials.
   *
   * @param message What to send; its bytes must not be changed before the promise settles.
   * @param options `timeout` (ms; default the socket's `operationTimeout`) and `signal`.
   * @returns The count of bytes taken: at least one, for which it waits, or 0 when there are none.
   * What goes beside the bytes has gone when it resolves, also where it is not all of them: send
   * the rest with `sendAll`. Concurrent sends leave in the order of the calls; on a seqpacket
   * socket all of it is one message.
   *
   * Rejects as {@link send} does, and with `SocketError`: `EBADF` for a descriptor that is not
   * open, `EPERM` or `ESRCH` for credentials that are not this process's, `ETOOMANYREFS` when too
   * many descriptors are on their way, `EMFILE` when this process may have no more while it
   * waits, `EMSGSIZE` for a message too long for a seqpacket socket. None of these concerns other
   * sends.
   * @throws TypeError, RangeError for an argument that is wrong: descriptors or credentials on a
   * socket that is not of family `'unix'`, or without a byte to go with; more than 253 descriptors.
   * @example
   * ```ts
   * await socket.sendMsg({ data: 'the log', fds: [await open('log.txt')] });
   * ```
   * @see sendmsg(2), unix(7)
   */
  sendMsg(message: Message, options?: OperationOptions): Promise<number> {
    const checked = checkMessage(message, this.family === 'unix');
    const limits = this.limitsOf(options, this.limits);
    const refusal = this.refusal(limits);
    if (refusal !== undefined) return refusal;
    if (checked.views.length === 0) return Promise.resolve(0);
    return new Promise((resolve, reject) => {
      this.sending().submit(operationOf(checked, resolve, reject), limits);
    });
  }

  /**
   * Blocks this thread's event loop: {@link sendMsg}, waiting up to `timeout`. Sends that are
   * queued go first. Throws what `sendMsg` rejects with.
   */
  sendMsgSync(message: Message, options?: SyncOptions): number {
    const checked = checkMessage(message, this.family === 'unix');
    const patience = this.patienceOf(options);
    this.checkReady();
    return checked.views.length === 0 ? 0 : this.sendBlocking(operationOf(checked), patience);
  }

  /**
   * Sends without waiting: the count of bytes taken, or `null` when the kernel takes none or other
   * sends are queued; nothing is passed then. Throws what {@link sendMsg} rejects with.
   */
  trySendMsg(message: Message): number | null {
    const checked = checkMessage(message, this.family === 'unix');
    this.checkReady();
    return checked.views.length === 0 ? 0 : this.sending().tryOnce(operationOf(checked));
  }

  /**
   * Receives bytes, and what came beside them. Only this verb takes descriptors: each other receive
   * takes the bytes they came with, and the kernel closes them.
   *
   * @param size The most bytes: 1 to 2^31−1, default 65,536.
   * @param options `timeout` (ms; default the socket's `operationTimeout`) and `signal`, neither of
   * which loses anything; and `flags: { peek }`.
   * @returns Waits for at least one byte. On a stream the bytes can be of several sends, but of one
   * sender where credentials are passed, and end with the first send that brought descriptors; on
   * a seqpacket socket they are one message. Bytes that a receive gave back come first, alone.
   * Concurrent receives are served in the order of the calls.
   *
   * Rejects as {@link recv} does. Descriptors that this process has no room for are no error: see
   * `flags.controlTruncated` of what it gives.
   * @throws TypeError, RangeError when an argument is wrong.
   * @example
   * ```ts
   * const { data, fds } = await socket.recvMsg();
   * for (const received of fds) serveOn(Socket.fromFd(received.take()));
   * ```
   * @see recvmsg(2), unix(7)
   */
  recvMsg(size?: number, options?: ReceiveMessageOptions): Promise<ReceivedMessage> {
    const max = checkSize(size);
    const { flags, ...rest } = checkOptions<ReceiveMessageOptions>(options, receiveKeys);
    const kind = checkPeek(flags);
    const limits = this.limitsOf(rest, this.limits);
    const refusal = this.refusal(limits);
    if (refusal !== undefined) return refusal;
    return new Promise((resolve, reject) => {
      this.receiving().submit(new ReceiveMessageOperation(resolve, reject, max, kind), limits);
    });
  }

  /**
   * Blocks this thread's event loop: {@link recvMsg}, waiting up to `timeout`. Throws what
   * `recvMsg` rejects with, and `ERR_SOCK_BUSY` while a receive waits.
   */
  recvMsgSync(
    size?: number,
    options?: SyncOptions & Pick<ReceiveMessageOptions, 'flags'>,
  ): ReceivedMessage {
    const max = checkSize(size);
    const checked = checkOptions<ReceiveMessageOptions>(options, ['timeout', 'flags']);
    const kind = checkPeek(checked.flags);
    const operation = new ReceiveMessageOperation(unawaited, unawaited, max, kind);
    const patience = this.patienceOf({ timeout: checked.timeout });
    this.receiveBlocking(operation, patience, 'recvMsgSync');
    return operation.message as ReceivedMessage;
  }

  /**
   * Receives without waiting: as {@link recvMsg}, or `null` when nothing is there yet. Throws what
   * `recvMsg` rejects with, and `ERR_SOCK_BUSY` while a receive waits.
   *
   * @param size As for {@link recvMsg}.
   * @param options `flags: { peek, outOfBand }`. The second receives the urgent byte (`MSG_OOB`),
   * which stands outside of the stream and which nothing else waits for or gives.
   */
  tryRecvMsg(size?: number, options?: TryReceiveMessageOptions): ReceivedMessage | null {
    const max = checkSize(size);
    const { flags } = checkOptions<TryReceiveMessageOptions>(options, ['flags']);
    const operation = new ReceiveMessageOperation(unawaited, unawaited, max, checkKind(flags));
    this.checkReady();
    this.receiving().tryOnce(operation, 'tryRecvMsg');
    return operation.message;
  }
}

const receiveKeys = ['signal', 'timeout', 'flags'] as const;

function checkSize(size: unknown): number {
  return size === undefined ? receiveSizeDefault : checkInteger('size', size, 1, receiveSizeMax);
}

function operationOf(
  { views, ...beside }: CheckedMessage,
  resolve: (sent: number) => void = unawaited,
  reject: (error: unknown) => void = unawaited,
): MessageOperation {
  return new MessageOperation(resolve, reject, new Vector(views), beside);
}
