/** Hearing of datagrams that did not arrive. */
import type { OperationOptions, SyncOptions } from '@sock/core';
import { checkBoolean, SocketOption } from '@sock/native';
import { type DatagramFailure, ErrorQueue } from './error-queue.js';
import { MulticastSocket } from './multicast-socket.js';

export abstract class FailingSocket extends MulticastSocket {
  private errors: ErrorQueue | null = null;

  /**
   * On: what becomes of datagrams that were sent, as far as ICMP messages or this host tell, can be
   * taken with {@link recvError}, on sockets that are not connected too, and with where each was
   * going; sends and receives then no longer fail for datagrams that were sent earlier. Off, the
   * default: only connected sockets hear of it, by whatever they do next.
   *
   * @throws TypeError unless it is a boolean; `DatagramError` (`ENOTSUP` for a Unix socket).
   * @see ip(7), IP_RECVERR
   */
  setRecvErrors(on: boolean): void {
    const { ReceiveErrors, ReceiveErrors6 } = SocketOption;
    this.setBoth(ReceiveErrors, ReceiveErrors6, checkBoolean('on', on) ? 1 : 0);
    this.traits.passErrors(on);
  }

  /**
   * Waits for word of a datagram that did not arrive, once {@link setRecvErrors} is on.
   *
   * @param options `timeout` (ms; default the socket's `setTimeout`) and `signal`.
   * @returns The oldest; concurrent calls are served in their order.
   *
   * Rejects with `TimeoutError`, `AbortError`, `DatagramError` (`ERR_SOCK_CLOSED`).
   * @example
   * ```ts
   * socket.setRecvErrors(true);
   * await socket.sendTo('anybody?', '192.0.2.1', 9);
   * const { code, address, port } = await socket.recvError();
   * ```
   * @see recvmsg(2), MSG_ERRQUEUE
   */
  recvError(options?: OperationOptions): Promise<DatagramFailure> {
    const limits = this.limitsOf(options);
    return this.refusal(limits) ?? this.queue().take(limits);
  }

  /** Blocks this thread's event loop: {@link recvError}, waiting up to `timeout`. */
  recvErrorSync(options?: SyncOptions): DatagramFailure {
    const countdown = this.countdown(options);
    for (;;) {
      const failure = this.tryRecvError();
      if (failure !== null) return failure;
      // Errors are reported whatever is asked for.
      this.block(countdown, 0, 'recvError');
    }
  }

  /** {@link recvError} without waiting, or `null` when there is none. */
  tryRecvError(): DatagramFailure | null {
    this.usable();
    return this.queue().tryTake();
  }

  /** @internal Who waits for something that will not come any more. */
  protected rejectAll(): void {
    this.receiver.close();
    this.errors?.close();
  }

  private queue(): ErrorQueue {
    if (this.errors === null) {
      this.errors = new ErrorQueue(this.traits);
      this.receiver.companion = this.errors;
    }
    return this.errors;
  }
}
