/** Descriptors that came with a message. */
import { binding, closeDescriptorWhenForgotten } from '@sock/native';
import { closedError } from './errors.js';

/**
 * A descriptor that a peer has passed, and that is this object's to close: made by `recvMsg` and
 * its forms, close-on-exec, of whatever kind the peer has sent. Whether calls on it wait
 * (`O_NONBLOCK`) is as the peer has it, since both share one open file.
 *
 * It lives on when the socket that it came by is closed. Forgotten, it is closed with one process
 * warning (`SOCK_NOT_CLOSED`).
 */
export class ReceivedFd {
  readonly #slot: number;
  readonly #generation: number;

  /** @internal */
  constructor(slot: number, generation: number) {
    this.#slot = slot;
    this.#generation = generation;
    closeDescriptorWhenForgotten(this, slot, generation);
  }

  /** The number, for looking at; −1 once taken or closed. It stays this object's to close. */
  get fd(): number {
    return binding.fd(this.#slot, this.#generation);
  }

  /**
   * Gives the descriptor away: the number is the caller's to close from now on, for example
   * `Socket.fromFd(received.take())` or `fs.createReadStream('', { fd: received.take() })`.
   *
   * @throws `SocketClosedError` (`ERR_SOCK_CLOSED`) when it was taken or closed before.
   */
  take(): number {
    const fd = binding.take(this.#slot, this.#generation);
    if (fd < 0) throw closedError();
    return fd;
  }

  /** Closes it. Again, or once taken: does nothing. */
  close(): void {
    binding.close(this.#slot, this.#generation);
  }

  /** {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}
