/** The I/O of a stream in the hands of one who took it over; the stream's own verbs refuse then. */
import { binding, type Endpoint, noLimits } from '@sock/native';
import { closedError } from '../errors.js';
import { StepOperation } from '../receive-operations.js';
import type { Receiver } from '../receiver.js';
import type { Sender } from '../sender.js';

/** SHUT_WR of shutdown(2). */
const writeDirection = 1;

/**
 * What a duplex does its I/O through. `takeOver` of a {@link DuplexSource} gives one out; after
 * that the stream's own operations throw `ERR_SOCK_BUSY`, and only this carries bytes.
 */
export interface TakenStream {
  /** The next chunk, or `done` at the peer's orderly end. One step at a time. */
  next(): Promise<IteratorResult<Buffer, undefined>>;
  /**
   * How many bytes were taken without waiting, or `null` when none could be. It is expected to
   * answer `null` now and then also where the kernel would take more, so that what completes at
   * once lets other work run. The memory is used for something else when it returns.
   */
  trySend(bytes: Uint8Array): number | null;
  /** Resolves once every byte was taken. */
  sendAll(bytes: Uint8Array): Promise<void>;
  /** Ends the writing direction, behind what is queued. */
  shutdown(): Promise<void>;
  /**
   * Closes such that the peer learns of a broken connection (a reset, RST) rather than of an end.
   * Absent where the stream has no such thing.
   */
  reset?: (() => void) | undefined;
  /** Closes at once; what waits is rejected with `ERR_SOCK_CLOSED`. */
  close(): void;
}

/** What the socket itself has to do for who took it over. */
interface TakenSource {
  readonly canReset: boolean;
  close(): void;
  shutDown(direction: number): number;
  rememberEnds(): void;
}

/** Of a socket of this package: its receiver and its sender, without the limits of the socket. */
export class TakenSocket implements TakenStream {
  readonly reset: (() => void) | undefined;
  private readonly endpoint: Endpoint;
  private readonly receiver: Receiver;
  private readonly sender: Sender;
  private readonly step: StepOperation;
  private readonly closeSource: () => void;
  private readonly endWriting: () => number;

  constructor(
    endpoint: Endpoint,
    receiver: Receiver,
    sender: Sender,
    chunkSize: number,
    source: TakenSource,
  ) {
    this.endpoint = endpoint;
    this.receiver = receiver;
    this.sender = sender;
    this.step = new StepOperation(null, chunkSize);
    this.closeSource = () => source.close();
    this.endWriting = () => source.shutDown(writeDirection);
    this.reset = source.canReset ? () => this.breakOff(source) : undefined;
  }

  next(): Promise<IteratorResult<Buffer, undefined>> {
    if (this.endpoint.closed) return Promise.reject(closedError());
    return this.receiver.step(this.step, noLimits);
  }

  trySend(bytes: Uint8Array): number | null {
    if (this.endpoint.closed) throw closedError();
    return this.sender.tryNow(bytes);
  }

  sendAll(bytes: Uint8Array): Promise<void> {
    if (this.endpoint.closed) return Promise.reject(closedError());
    return this.sender.sendAll(bytes, noLimits);
  }

  shutdown(): Promise<void> {
    if (this.endpoint.closed) return Promise.reject(closedError());
    return this.sender.shutdown(noLimits, true, this.endWriting);
  }

  close(): void {
    this.closeSource();
  }

  /** Whether the bytes of its descriptor are those of the stream: the kernel may move them. */
  get isBare(): boolean {
    return this.endpoint.isBare;
  }

  /** Of a relay: the endpoint stays alive, and so does the event loop, until {@link release}. */
  hold(): Endpoint {
    this.endpoint.beginWait();
    return this.endpoint;
  }

  release(): void {
    this.endpoint.endWait();
  }

  /** The negative errno that the connection broke with, else 0. */
  get failure(): number {
    return this.receiver.failure;
  }

  /** Of a relay that failed: the connection that has no peer any more is what broke. */
  noteFailure(errno: number): void {
    const { slot, generation, closed } = this.endpoint;
    if (!closed && binding.isConnected(slot, generation) !== 1) this.sender.failure = errno;
  }

  /** What was received here and not read: it is nobody's any more. */
  takeUnread(): Uint8Array | null {
    return this.receiver.takeBack();
  }

  /** Resolves when what was queued before has gone, and these bytes after it. */
  sendAhead(bytes: Uint8Array | null): Promise<void> {
    if (this.endpoint.closed) return Promise.reject(closedError());
    return bytes === null ? this.sender.flushed() : this.sender.sendAll(bytes, noLimits);
  }

  /**
   * A TCP socket that is connected to nobody (connect(2) with AF_UNSPEC) resets the connection it
   * had, and drops what the kernel still held of it. Where the kernel refuses, a plain close has
   * to do, as it has for Unix sockets.
   */
  private breakOff(source: TakenSource): void {
    if (!this.endpoint.closed) {
      source.rememberEnds();
      binding.disconnect(this.endpoint.slot, this.endpoint.generation);
    }
    this.closeSource();
  }
}
