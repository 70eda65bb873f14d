import { type Data, DatagramError } from '@sock/core';
import {
  binding,
  Control,
  checkInteger,
  checkOptions,
  checkPort,
  DatagramWord,
  Errno,
  outOfRange,
  toBytes,
  wordsPerDatagram,
} from '@sock/native';
import { checkAddress, isKnown, putAddress } from './addresses.js';
import type { Traits } from './traits.js';

const { control, sendDatagrams } = binding;
const { EAGAIN, EBADF, ENOBUFS } = Errno;
const { AddressSize, Flags, Length, Offset, Segment } = DatagramWord;

/** Options of a sender that never waits. */
export interface DatagramSenderOptions {
  /**
   * Where everything goes that is sent without an address: a literal of the socket's family, a path
   * or `@name`. Default: the peer of a connected socket.
   */
  address?: string | undefined;
  /** With the address: 1 to 65,535. */
  port?: number | undefined;
  /** How many datagrams leave together at the most: 1 to 1,024. Default 64. */
  max?: number | undefined;
  /** How many bytes leave together at the most: 1 to 2^24. Default 65,536. */
  size?: number | undefined;
}

/**
 * Sends without ever waiting or failing. Datagrams are copied, and leave together by one system
 * call: when so many have come together, or when the microtasks of this turn of the event loop have
 * run. What the kernel does not take then is dropped.
 *
 * The socket stays its own: it may send by other means too, and has to be closed. A sender of a
 * closed socket drops everything.
 */
export class DatagramSender {
  private readonly traits: Traits;
  private readonly target: { address: string; port: number } | undefined;
  private readonly max: number;
  private readonly memory: Buffer;
  private readonly entries: Int32Array;
  private count = 0;
  private used = 0;
  private isScheduled = false;
  /** Whether the last call said that nothing more can go now. */
  private isFull = false;
  private isClosed = false;
  private sentCount = 0;
  private droppedCount = 0;
  private readonly onTurnEnd = (): void => {
    this.isScheduled = false;
    this.flush();
  };

  /** @internal Made by `createSender`. */
  constructor(traits: Traits, options?: DatagramSenderOptions) {
    const known = ['address', 'port', 'max', 'size'] as const;
    const checked = checkOptions<DatagramSenderOptions>(options, known);
    const { address, port, max = 64, size = 65_536 } = checked;
    this.traits = traits;
    this.max = checkInteger('options.max', max, 1, 1_024);
    checkInteger('options.size', size, 1, 2 ** 24);
    if (address !== undefined) {
      const text = checkAddress(address, traits.family, 'options.address');
      const isPath = traits.family === 'unix';
      const number = isPath ? 0 : checkInteger('options.port', port, 1, 65_535);
      this.target = { address: text, port: number };
    }
    this.memory = Buffer.allocUnsafeSlow(size);
    this.entries = new Int32Array(this.max * wordsPerDatagram);
  }

  /** How many datagrams the kernel has taken. */
  get sent(): number {
    return this.sentCount;
  }

  /** How many were dropped: the buffer was full, or the kernel refused them. */
  get dropped(): number {
    return this.droppedCount;
  }

  /** How many have come together, and not left yet. */
  get pending(): number {
    return this.count;
  }

  /**
   * Sends one datagram, some time in this turn.
   *
   * @param data Bytes, which are copied, or a string sent as UTF-8.
   * @param address Where to, if not where everything goes.
   * @param port With the address: 1 to 65,535.
   * @throws TypeError; RangeError when it is longer than a datagram, or than `size`.
   * `DatagramError` (`ERR_SOCK_CLOSED`) after {@link close}.
   */
  send(data: Data, address?: string, port?: number): void {
    if (this.isClosed) {
      throw new DatagramError('the sender is closed', { code: 'ERR_SOCK_CLOSED' });
    }
    const { family, sizeMax } = this.traits;
    const bytes = toBytes(data);
    const { length } = bytes;
    const longest = Math.min(sizeMax, this.memory.length);
    if (length > longest) throw outOfRange('data', `at most ${longest} bytes`, `${length} bytes`);
    if (address !== undefined) {
      if (!isKnown(address, family)) checkAddress(address, family, 'address');
      if (family !== 'unix') checkPort(port);
    }
    if (this.used + length > this.memory.length) this.flush();
    const at = this.count * wordsPerDatagram;
    this.entries[at + Offset] = this.used;
    this.entries[at + Length] = length;
    this.entries[at + Flags] = 0;
    this.entries[at + AddressSize] = 0;
    this.entries[at + Segment] = 0;
    if (address !== undefined) {
      putAddress(this.entries, this.count, family, address, port ?? 0);
    } else if (this.target !== undefined) {
      putAddress(this.entries, this.count, family, this.target.address, this.target.port);
    }
    this.memory.set(bytes, this.used);
    this.used += length;
    this.count++;
    if (this.count === this.max) this.flush();
    else if (!this.isScheduled) this.schedule();
  }

  /** Sends what has come together, now; how many of them the kernel took. */
  flush(): number {
    const { count } = this;
    this.count = 0;
    this.used = 0;
    let first = 0;
    let gone = 0;
    while (first < count) {
      const sent = this.transmit(first, count - first);
      gone += sent;
      first += sent;
      if (first === count || this.isFull) break;
      // One that was refused does not keep back those behind it.
      first++;
    }
    this.sentCount += gone;
    this.droppedCount += count - gone;
    return gone;
  }

  /** Sends what has come together; nothing may be sent afterwards. The socket stays open. */
  close(): void {
    if (this.isClosed) return;
    this.flush();
    this.isClosed = true;
  }

  /** {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  private transmit(first: number, count: number): number {
    const { endpoint, sendMode } = this.traits;
    const { slot, generation } = endpoint;
    const { memory, entries } = this;
    const sent = sendDatagrams(slot, generation, memory, entries, first, count, 0, sendMode);
    const error = sent < 0 ? sent : (control[Control.Extra2] as number);
    this.isFull = error === -EAGAIN || error === -ENOBUFS || error === -EBADF;
    return Math.max(sent, 0);
  }

  private schedule(): void {
    this.isScheduled = true;
    process.nextTick(this.onTurnEnd);
  }
}
