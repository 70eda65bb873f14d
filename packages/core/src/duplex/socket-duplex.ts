/**
 * A stream of ours as a `stream.Duplex` that passes for a `net.Socket`.
 *
 * Theory of operation. One step of receiving is under way at most, and the next one is asked for
 * only while the readable side has room, so nothing is read ahead of it. A write goes to the kernel
 * at once and completes within the call when all of it was taken; what was not waits in the
 * stream's own queue, one write at a time. Everything else is bookkeeping, in the order in which
 * `net.Socket` does it: that order is what programs rely on.
 */

import { AsyncResource } from 'node:async_hooks';
import { Duplex } from 'node:stream';
import { invalidType, outOfRange, timeoutMaxMs } from '@sock/native';
import { SocketClosedError, SocketError } from '../errors.js';
import { byteLengthOf, type Chunk, encode, gather, join, scratch } from './gather.js';
import { IdleTimer } from './idle-timer.js';
import { type DuplexSource, take } from './source.js';
import type { TakenStream } from './taken-stream.js';

/** As much as a plain receive asks for. */
const chunkSizeMax = 64 * 1024;

type Callback = (error?: Error | null) => void;

/** How {@link toDuplex} makes its duplex. */
export interface DuplexOptions {
  /**
   * Whether this side stays open when the peer has ended its own, as in `net`. Default `false`:
   * the duplex ends too. A server of `node:http` needs `true`, and sets it for its own sockets.
   */
  allowHalfOpen?: boolean | undefined;
  /** Bytes received ahead of the reader, 0 to 2^31−1. Default 65,536. */
  readableHighWaterMark?: number | undefined;
  /** Bytes that may wait before `write` returns false, 0 to 2^31−1. Default: Node's for streams. */
  writableHighWaterMark?: number | undefined;
}

/** What `address()` of a `net.Socket` returns. */
export interface DuplexAddress {
  /** The address on this side. */
  address?: string;
  /** `'IPv4'` or `'IPv6'`. */
  family?: string;
  /** The port on this side. */
  port?: number;
}

interface Place {
  readonly address: string | undefined;
  readonly port: number | undefined;
}

const nowhere: Place = { address: undefined, port: undefined };

/** As in `net`, what is not TCP has no address. */
function placeOf(address: string | undefined, port: number | undefined): Place {
  return address === undefined || port === undefined ? nowhere : { address, port };
}

function familyOf({ address }: Place): 'IPv4' | 'IPv6' | undefined {
  if (address === undefined) return undefined;
  return address.includes(':') ? 'IPv6' : 'IPv4';
}

/** Unlike Node, no longer time is cut short to the longest that a timer can count. */
function checkDuration(name: string, value: unknown): number {
  if (typeof value !== 'number') throw invalidType(name, 'a number', value);
  if (value >= 0 && value <= timeoutMaxMs) return value;
  throw outOfRange(name, `>= 0 and <= ${timeoutMaxMs}`, value);
}

function isUnsupported(error: unknown): boolean {
  return error instanceof SocketError && error.code === 'ENOTSUP';
}

/** Of a stream that was closed on this side: no news to whoever destroyed it. */
function isClosedHere(error: unknown): boolean {
  return error instanceof SocketClosedError && error.code === 'ERR_SOCK_CLOSED';
}

/** As Node's streams word it for the writes behind the one that was under way. */
function destroyedError(): Error {
  const message = 'Cannot call write after a stream was destroyed';
  return Object.assign(new Error(message), { code: 'ERR_STREAM_DESTROYED' });
}

function rethrow(error: unknown): void {
  throw error;
}

/** As `net` answers a write after the peer's end, where that ends both sides. */
function writeAfterEnd(
  this: SocketDuplex,
  chunk: unknown,
  encodingOrCallback?: BufferEncoding | Callback,
  callback?: Callback,
): boolean {
  if (!this.writableEnded) {
    return Duplex.prototype.write.call(this, chunk, encodingOrCallback as BufferEncoding, callback);
  }
  const message = 'This socket has been ended by the other party';
  const error = Object.assign(new Error(message), { code: 'EPIPE' });
  const done = typeof encodingOrCallback === 'function' ? encodingOrCallback : callback;
  if (done !== undefined) process.nextTick(done, error);
  this.destroy(error);
  return false;
}

function endWrites(this: SocketDuplex): void {
  if (!this.allowHalfOpen) this.write = writeAfterEnd as SocketDuplex['write'];
}

/** A duplex over a stream of this package, with the members of a `net.Socket`. */
export class SocketDuplex extends Duplex {
  /** Always false: only connected streams become a duplex. */
  readonly connecting = false;
  /** Always false, as {@link connecting}. */
  readonly pending = false;
  /** The limit that {@link setTimeout} has set, in milliseconds; undefined before the first. */
  timeout: number | undefined = undefined;
  /** Bytes received so far. */
  bytesRead = 0;

  readonly #source: DuplexSource;
  readonly #taken: TakenStream;
  readonly #idle = new IdleTimer(() => this.#onIdle());
  /**
   * What listeners run in: the context that the duplex was made in, as those of a socket do. A step
   * that follows a step is in it already, since promises keep theirs.
   */
  readonly #context = new AsyncResource('SOCKDUPLEX');
  #stepping = false;
  #mustReset = false;
  /** Bytes of the writes that have begun. */
  #bytesBegun = 0;
  #queuedAtLastLook = 0;
  #local: Place | null = null;
  #remote: Place | null = null;

  /** @internal Made by {@link toDuplex}. */
  constructor(source: DuplexSource, options: DuplexOptions) {
    const { readableHighWaterMark = chunkSizeMax, writableHighWaterMark } = options;
    super({
      allowHalfOpen: options.allowHalfOpen ?? false,
      readableHighWaterMark,
      ...(writableHighWaterMark === undefined ? {} : { writableHighWaterMark }),
      decodeStrings: false,
      // 'close' has an argument here, so it is emitted by hand.
      emitClose: false,
    });
    this.#source = source;
    const chunkSize = Math.min(chunkSizeMax, Math.max(1, readableHighWaterMark));
    this.#taken = take(source, chunkSize, () => this.destroy());
    this.on('end', endWrites);
    // Whoever does not read still learns that the peer is gone.
    this.read(0);
  }

  /** Bytes given to {@link write} so far, those that still wait included. */
  get bytesWritten(): number {
    // A getter of Node's streams that their declaration does not know; net.Socket uses it too.
    const { writableBuffer } = this as unknown as { writableBuffer: readonly Chunk[] | null };
    return (writableBuffer ?? []).reduce(
      (sum, chunk) => sum + byteLengthOf(chunk),
      this.#bytesBegun,
    );
  }

  /** As `writableLength`; deprecated in Node. */
  get bufferSize(): number {
    return this.writableLength;
  }

  /** `'open'`, `'readOnly'`, `'writeOnly'` or `'closed'`. */
  get readyState(): 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.readable) return this.writable ? 'open' : 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }

  /** The address on this side; undefined for what is not TCP. */
  get localAddress(): string | undefined {
    return this.#localPlace.address;
  }

  /** The port on this side; undefined for what is not TCP. */
  get localPort(): number | undefined {
    return this.#localPlace.port;
  }

  /** `'IPv4'` or `'IPv6'`; undefined for what is not TCP. */
  get localFamily(): 'IPv4' | 'IPv6' | undefined {
    return familyOf(this.#localPlace);
  }

  /** The peer's address; undefined for what is not TCP, and when first asked after the close. */
  get remoteAddress(): string | undefined {
    return this.#remotePlace.address;
  }

  /** The peer's port; undefined as {@link remoteAddress}. */
  get remotePort(): number | undefined {
    return this.#remotePlace.port;
  }

  /** `'IPv4'` or `'IPv6'`; undefined as {@link remoteAddress}. */
  get remoteFamily(): 'IPv4' | 'IPv6' | undefined {
    return familyOf(this.#remotePlace);
  }

  /** Whether the source encrypts; undefined where it does not say. */
  get encrypted(): boolean | undefined {
    return this.#source.encrypted;
  }

  /** The protocol that ALPN agreed on; undefined where the source does not say. */
  get alpnProtocol(): string | false | null | undefined {
    return this.#source.alpnProtocol;
  }

  /** Whether the peer's certificate was found good; undefined where the source does not say. */
  get authorized(): boolean | undefined {
    return this.#source.authorized;
  }

  /** The local address, its family and port; an empty object for what is not TCP. */
  address(): DuplexAddress {
    const { address, port } = this.#localPlace;
    const family = familyOf(this.#localPlace);
    if (address === undefined || port === undefined || family === undefined) return {};
    return { address, family, port };
  }

  /**
   * Emits `'timeout'` when nothing was received or sent for that long; it closes nothing. Every
   * byte starts the time anew.
   *
   * @param limitMs Milliseconds, 0 to 2^31−1; 0 switches it off.
   * @param callback Listens for the next `'timeout'`; with 0 it no longer does.
   * @throws TypeError, RangeError for any other value.
   */
  setTimeout(limitMs: number, callback?: () => void): this {
    if (this.destroyed) return this;
    const checkedMs = checkDuration('limitMs', limitMs);
    if (callback !== undefined && typeof callback !== 'function') {
      throw invalidType('callback', 'a function', callback);
    }
    this.timeout = limitMs;
    this.#idle.set(checkedMs);
    if (callback === undefined) return this;
    return checkedMs === 0 ? this.off('timeout', callback) : this.once('timeout', callback);
  }

  /**
   * TCP_NODELAY. Without an argument it switches it on; what is not TCP has none, and stays as it
   * is. Sockets of this package begin with it on.
   */
  setNoDelay(on = true): this {
    this.#tune(() => this.#source.setNoDelay?.(Boolean(on)));
    return this;
  }

  /**
   * SO_KEEPALIVE. Without an argument it switches it off; what is not TCP stays as it is.
   *
   * @param on Whether a silent peer is probed.
   * @param delayMs Milliseconds of silence before the first probe, rounded up to seconds, up to
   * 32,767,000; 0 leaves it as it is.
   * @throws TypeError, RangeError for any other delay.
   */
  setKeepAlive(on = false, delayMs = 0): this {
    const idle = checkDuration('delayMs', delayMs);
    const options = on ? (idle > 0 ? { idle } : {}) : false;
    this.#tune(() => this.#source.setKeepAlive?.(options));
    return this;
  }

  /** While it reads, or a write waits, the event loop stays alive; this is the default. */
  ref(): this {
    this.#source.ref();
    return this;
  }

  /** The duplex no longer keeps the event loop alive. */
  unref(): this {
    this.#source.unref();
    return this;
  }

  /** Destroys it once all that was written has been sent. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', this.destroy);
  }

  /**
   * Destroys it, and resets the connection (RST): the peer learns of it as `ECONNRESET`.
   *
   * @throws `SocketError` with `ENOTSUP` for what is not TCP. Destroyed already, it does nothing.
   */
  resetAndDestroy(): this {
    if (this.destroyed) return this;
    if (this.#taken.reset === undefined) {
      throw new SocketError('there is no reset for this kind of stream', { code: 'ENOTSUP' });
    }
    this.#mustReset = true;
    return this.destroy();
  }

  /** @internal */
  override _read(): void {
    // Whoever reads may be in a context of its own.
    if (!this.#stepping) this.#context.runInAsyncScope(this.#step, this);
  }

  /** @internal */
  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: Callback): void {
    if (typeof chunk !== 'string') {
      this.#send(chunk, done);
      return;
    }
    const length = encode(chunk, encoding);
    if (length < 0) this.#send(Buffer.from(chunk, encoding), done);
    else this.#send(scratch.subarray(0, length), done);
  }

  /** @internal */
  override _writev(chunks: Chunk[], done: Callback): void {
    const length = gather(chunks);
    if (length >= 0) this.#send(scratch.subarray(0, length), done);
    else this.#sendEach(join(chunks), done);
  }

  /** @internal */
  override _final(done: Callback): void {
    this.#taken.shutdown().then(
      () => done(),
      // The connection is no more: there is nothing left to end.
      (error: Error & { code?: string }) => done(error.code === 'ENOTCONN' ? null : error),
    );
  }

  /** @internal */
  override _destroy(error: Error | null, done: Callback): void {
    this.#idle.stop();
    // Half of what was written must not pass for all of it.
    const isCut = this.#mustReset || this.writableLength > 0;
    if (isCut && this.#taken.reset !== undefined) this.#taken.reset();
    else this.#taken.close();
    done(error);
    // Behind 'error', and as late as the handle of a socket of Node's is closed.
    setImmediate(() => this.#context.runInAsyncScope(this.emit, this, 'close', error !== null));
  }

  #step(): void {
    this.#stepping = true;
    this.#taken.next().then(this.#onStep, this.#onBroken);
  }

  readonly #onStep = (step: IteratorResult<Buffer, undefined>): void => {
    this.#stepping = false;
    if (this.destroyed) return;
    try {
      this.#receive(step);
    } catch (error) {
      // Thrown by a listener; it must not become the rejection of a promise that nobody has.
      process.nextTick(rethrow, error);
      if (step.done !== true && !this.#stepping) this.read(0);
    }
  };

  #receive(step: IteratorResult<Buffer, undefined>): void {
    if (step.done === true) {
      this.push(null);
      // 'end' is due also where nobody reads and nothing is left.
      this.read(0);
      return;
    }
    this.bytesRead += step.value.length;
    this.#idle.touch();
    if (this.push(step.value) && !this.#stepping && !this.destroyed) this.#step();
  }

  readonly #onBroken = (error: Error): void => {
    this.#stepping = false;
    this.destroy(isClosedHere(error) ? undefined : error);
  };

  #send(bytes: Buffer, done: Callback): void {
    this.#idle.touch();
    this.#bytesBegun += bytes.length;
    let taken: number;
    try {
      taken = this.#taken.trySend(bytes) ?? 0;
    } catch (error) {
      done(error as Error);
      return;
    }
    if (taken === bytes.length) {
      done();
      return;
    }
    const rest = bytes.subarray(taken);
    this.#sendRest(bytes.buffer === scratch.buffer ? Buffer.from(rest) : rest, done);
  }

  #sendRest(bytes: Buffer, done: Callback): void {
    this.#taken.sendAll(bytes).then(
      () => {
        this.#idle.touch();
        done();
      },
      (error: Error) => done(this.destroyed && isClosedHere(error) ? destroyedError() : error),
    );
  }

  #sendEach(parts: readonly Buffer[], done: Callback): void {
    let index = 0;
    const next: Callback = (error) => {
      const part = parts[index++];
      if (error || part === undefined) done(error);
      else this.#send(part, next);
    };
    next();
  }

  #onIdle(): void {
    // A long write is no silence for as long as the peer takes some of it.
    const queued = this.#source.sendQueueBytes;
    if (queued > 0 && queued !== this.#queuedAtLastLook) {
      this.#queuedAtLastLook = queued;
      this.#idle.touch();
      return;
    }
    this.#context.runInAsyncScope(this.emit, this, 'timeout');
  }

  #tune(set: () => void): void {
    if (this.destroyed) return;
    try {
      set();
    } catch (error) {
      if (!isUnsupported(error)) throw error;
    }
  }

  get #localPlace(): Place {
    if (this.#local !== null) return this.#local;
    if (this.destroyed) return nowhere;
    this.#local = placeOf(this.#source.localAddress, this.#source.localPort);
    return this.#local;
  }

  get #remotePlace(): Place {
    if (this.#remote !== null) return this.#remote;
    if (this.destroyed) return nowhere;
    this.#remote = placeOf(this.#source.remoteAddress, this.#source.remotePort);
    return this.#remote;
  }
}
