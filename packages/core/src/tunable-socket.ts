/** The options of the kernel, and what it tells about a socket. */
import { type Family, SocketOption, type SocketType } from '@sock/native';
import type { Endpoint } from './endpoint.js';
import { AbortError, closedError } from './errors.js';
import { MeteredStream } from './metered-stream.js';
import { getOption, setOption } from './native-socket.js';
import { noLimits } from './operation.js';
import { Setup } from './setup.js';
import { defaultTimeouts, setDefaultTimeouts, type Timeouts, withTimeouts } from './timeouts.js';
import { checkBoolean } from './validate.js';

export abstract class TunableSocket extends MeteredStream {
  /** Of its addresses: `'ipv4'`, `'ipv6'` or `'unix'`. */
  abstract readonly family: Family;
  /** `'stream'`, or `'seqpacket'` for a Unix socket that was made so. */
  abstract readonly type: SocketType;
  /** @internal */
  protected timeouts: Readonly<Timeouts> = defaultTimeouts();
  private rare: Setup | null = null;

  /** The limits that sockets of this thread are made with. */
  static getDefaultTimeouts(): Readonly<Timeouts> {
    return defaultTimeouts();
  }

  /** Changes them for sockets made on this thread from now on; those there are keep theirs. */
  static setDefaultTimeouts(timeouts: Partial<Timeouts>): void {
    setDefaultTimeouts(timeouts);
  }

  /** The limits of this socket. */
  getTimeouts(): Readonly<Timeouts> {
    return this.timeouts;
  }

  /** Changes the given ones; operations that wait already keep theirs. RangeError for 0 or less. */
  setTimeouts(timeouts: Partial<Timeouts>): void {
    this.timeouts = withTimeouts(this.timeouts, timeouts);
    this.applyTimeouts();
  }

  /** Lets the address be bound while connections of an earlier socket linger. Before bind only. */
  setReuseAddr(on: boolean): void {
    this.setOption(SocketOption.ReuseAddr, on);
  }

  /** Lets several listeners share the port; the kernel spreads connections. Before bind only. */
  setReusePort(on: boolean): void {
    this.setOption(SocketOption.ReusePort, on);
  }

  /** Whether an IPv6 listener leaves IPv4 alone. Before bind only; throws `ENOPROTOOPT` on IPv4. */
  setIpv6Only(on: boolean): void {
    this.setOption(SocketOption.Ipv6Only, on);
  }

  /**
   * On: a small send does not wait for earlier ones to be acknowledged. `ENOTSUP` on Unix sockets.
   */
  setNoDelay(on: boolean): void {
    this.setOption(SocketOption.NoDelay, on);
  }

  /** Whether TCP_NODELAY is set. Throws `ENOTSUP` for a Unix socket. */
  getNoDelay(): boolean {
    return getOption(this.usable(), SocketOption.NoDelay) !== 0;
  }

  /** @internal What most sockets never need. */
  protected get setup(): Setup {
    this.rare ??= new Setup();
    return this.rare;
  }

  /** @internal The same, if it was ever needed. */
  protected get setupIfAny(): Setup | null {
    return this.rare;
  }

  /** @internal */
  protected applyTimeouts(): void {
    const { operationTimeout } = this.timeouts;
    this.limits =
      operationTimeout === Number.POSITIVE_INFINITY
        ? noLimits
        : { signal: undefined, timeoutMs: operationTimeout };
  }

  /** @internal */
  protected usable(signal?: AbortSignal): Endpoint {
    if (this.endpoint.closed) throw closedError();
    if (signal?.aborted) throw new AbortError(signal);
    return this.endpoint;
  }

  private setOption(option: number, on: boolean): void {
    const value = checkBoolean('on', on) ? 1 : 0;
    setOption(this.usable(), option, value);
    this.setup.options ??= new Map();
    this.setup.options.set(option, value);
  }
}
