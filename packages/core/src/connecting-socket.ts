/** How a socket connects: to addresses, names and paths, in three tempos. */
import {
  binding,
  closeWhenForgotten,
  count,
  Errno,
  invalidType,
  type Limits,
  notForgotten,
  PollOut,
} from '@sock/native';
import { inOrder, tryEach } from './addresses.js';
import type { Patience } from './blocking.js';
import { Connector, startConnect } from './connector.js';
import { tellConnected, tellConnectFailed, timeIfObserved } from './diagnostics.js';
import { busyError, closedError, SocketError, systemError } from './errors.js';
import { isIP } from './ip.js';
import { monotonicMs } from './monotonic.js';
import { create } from './native-socket.js';
import {
  type ConnectMethodOptions,
  type ConnectSyncOptions,
  checkConnectOptions,
  type OperationOptions,
} from './operation.js';
import { resolveHost, resolveHostSync } from './resolve.js';
import type { SyncOptions } from './stream-socket.js';
import {
  checkInetTarget,
  checkResolved,
  literalTarget,
  ofFamily,
  type ResolvedAddress,
  type Target,
  unixTarget,
} from './target.js';
import { TunableSocket } from './tunable-socket.js';

/** Where a socket stands on its way to carrying bytes, or connections. */
type State = 'new' | 'connecting' | 'connected' | 'failed' | 'listening';

export abstract class ConnectingSocket extends TunableSocket {
  /** @internal */
  protected state: State;

  /** @internal */
  protected constructor(slot: number, generation: number) {
    super(slot, generation);
    this.state = 'new';
  }

  /** The address, path or `@name`; undefined while there is none. */
  abstract get localAddress(): string | undefined;
  /** 1 to 65,535; undefined while there is none, and for a Unix socket. */
  abstract get localPort(): number | undefined;
  /** The peer's address, also after it reset the connection; undefined when there was none. */
  abstract get remoteAddress(): string | undefined;
  /** The peer's port, for as long as `remoteAddress` tells; undefined for a Unix socket. */
  abstract get remotePort(): number | undefined;

  /**
   * Connects to a literal address, or to a name that is looked up first, whose addresses of this
   * socket's family are tried in order.
   *
   * @param options `timeout` (ms, name lookup included; default the socket's `connectTimeout`),
   * `signal` and `fastOpen`. After a failure the socket is as new, and may connect again.
   *
   * Rejects with `SocketError` (`ECONNREFUSED`, `EHOSTUNREACH`, `ENETUNREACH`, the kernel's own
   * `ETIMEDOUT`, `EISCONN`, `EALREADY`, …) with `address` and `port`, `TimeoutError`, `AbortError`,
   * `ResolveError`.
   * @see connect(2)
   */
  connect(host: string, port: number, options?: ConnectMethodOptions): Promise<void> {
    checkInetTarget(host, port, this.family);
    const { fastOpen, ...rest } = checkConnectOptions(options);
    const limits = this.limitsOf(rest, this.connectLimits);
    if (isIP(host) !== 0) return this.connectWithin({ address: host, port }, limits, fastOpen);
    return this.connectByName(host, port, limits, fastOpen);
  }

  /**
   * Blocks this thread's event loop: {@link connect}, waiting up to `timeout`. Throws what
   * `connect` rejects with.
   */
  connectSync(host: string, port: number, options?: ConnectSyncOptions): void {
    checkInetTarget(host, port, this.family);
    const { fastOpen, ...rest } = checkConnectOptions(options);
    const patience = this.patienceOf(rest, this.connectLimits);
    if (isIP(host) !== 0) {
      this.connectAndTell({ address: host, port }, patience, fastOpen);
      return;
    }
    const limitMs = Math.min(patience.leftMs, this.timeouts.dnsTimeout);
    tryEach(resolveHostSync(host, this.inetFamily, limitMs), (address) => {
      this.connectAndTell({ address, port }, patience, fastOpen);
    });
  }

  /**
   * Connects to addresses that were looked up before: those of the socket's family, in order, each
   * with an equal share of the time that is left.
   *
   * @param addresses At least one, as `resolve` of `@sock/dns` returns them.
   * @param options As for {@link connect}.
   *
   * Rejects as {@link connect} does: with the last address's error, and all of them in
   * `cause.errors` when there were several; `EAFNOSUPPORT` when none is of the socket's family.
   */
  connectTo(addresses: readonly ResolvedAddress[], options?: ConnectMethodOptions): Promise<void> {
    const targets = checkResolved(addresses, this.family);
    const { fastOpen, ...rest } = checkConnectOptions(options);
    const limits = this.limitsOf(rest, this.connectLimits);
    return this.connecting(limits, async () => {
      await this.attemptEach(ofFamily(targets, this.family), limits, 0, fastOpen);
    });
  }

  /** Blocks this thread's event loop: {@link connectTo}, waiting up to `timeout` in all. */
  connectToSync(addresses: readonly ResolvedAddress[], options?: ConnectSyncOptions): void {
    const targets = checkResolved(addresses, this.family);
    const { fastOpen, ...rest } = checkConnectOptions(options);
    const patience = this.patienceOf(rest, this.connectLimits);
    this.usable();
    this.checkConnectable();
    tryEach(ofFamily(targets, this.family), (target) => {
      this.connectAndTell(target, patience, fastOpen);
    });
  }

  /**
   * Connects without waiting: `true` once connected, `null` while it is under way. Then poll for
   * write readiness and call it again, without arguments. Literal addresses only. Throws what
   * {@link connect} rejects with.
   */
  tryConnect(host?: string, port?: number): true | null {
    const target = host === undefined ? undefined : literalTarget(host, port, this.family);
    const { slot, generation } = this.usable();
    if (this.setup.connector !== null) throw busyError('tryConnect', 'a connect');
    let result: number;
    if (target !== undefined) {
      this.checkConnectable();
      this.setup.target = target;
      this.endpoint.sinceMs = timeIfObserved();
      result = startConnect(this.endpoint, target, false);
    } else {
      if (this.state === 'connected') return true;
      if (this.state !== 'connecting') throw invalidType('host', 'a string', host);
      result = binding.connectOutcome(slot, generation);
    }
    if (result === -Errno.EINPROGRESS) {
      this.setState('connecting');
      return null;
    }
    this.setState(result === 0 ? 'connected' : 'failed');
    if (result < 0) {
      const error = systemError(result, { syscall: 'connect', ...this.setup.target });
      this.tellFailure(this.setup.target, error);
      throw error;
    }
    this.tellSuccess();
    return true;
  }

  /**
   * Connects a Unix socket to a path or an abstract name (`@name`); as {@link connect}, and waits
   * while the listener's backlog is full. Rejects with `UnixSocketError` (`ENOENT`,
   * `ECONNREFUSED`, `EACCES`, …) with `path`.
   */
  connectUnix(path: string, options?: OperationOptions): Promise<void> {
    const target = unixTarget(path, this.family);
    return this.connectWithin(target, this.limitsOf(options, this.connectLimits));
  }

  /** Blocks this thread's event loop: {@link connectUnix}, waiting up to `timeout`. */
  connectUnixSync(path: string, options?: SyncOptions): void {
    const target = unixTarget(path, this.family);
    this.connectAndTell(target, this.patienceOf(options, this.connectLimits));
  }

  /** @internal */
  protected setState(state: State): void {
    this.state = state;
    this.ready = state === 'connected';
  }

  private get connectLimits(): Limits {
    return { signal: undefined, timeoutMs: this.timeouts.connectTimeout };
  }

  private connectWithin(target: Target, limits: Limits, fastOpen = false): Promise<void> {
    return this.connecting(limits, () => this.attempt(target, limits, fastOpen));
  }

  private connectByName(
    host: string,
    port: number,
    limits: Limits,
    fastOpen: boolean,
  ): Promise<void> {
    return this.connecting(limits, async () => {
      const start = monotonicMs();
      const addresses = await this.lookUp(host, limits);
      const targets = addresses.map((address) => ({ address, port }));
      await this.attemptEach(targets, limits, monotonicMs() - start, fastOpen);
    });
  }

  private async attemptEach(
    targets: Target[],
    limits: Limits,
    spentMs: number,
    fastOpen: boolean,
  ): Promise<void> {
    const { signal, timeoutMs } = limits;
    let attempts = 0;
    await inOrder(targets, timeoutMs, spentMs, (target, shareMs) => {
      this.usable(signal);
      if (attempts++ > 0) this.renew();
      return this.attempt(target, { signal, timeoutMs: shareMs }, fastOpen);
    });
  }

  /** Runs what connects; it is the only one to do so, and ends when the socket is closed. */
  private async connecting(limits: Limits, run: () => Promise<void>): Promise<void> {
    this.usable(limits.signal);
    this.checkConnectable();
    this.setState('connecting');
    try {
      await run();
    } catch (error) {
      this.setState('failed');
      throw this.endpoint.closed ? closedError() : error;
    }
    if (this.endpoint.closed) throw closedError();
    this.setState('connected');
    this.tellSuccess();
  }

  private async attempt(target: Target, limits: Limits, fastOpen: boolean): Promise<void> {
    this.endpoint.sinceMs = timeIfObserved();
    const connector = new Connector(this.endpoint, target);
    this.setup.connector = connector;
    this.endpoint.connector = connector;
    try {
      this.fastOpenOnConnect(fastOpen);
      await connector.run(limits);
    } catch (error) {
      this.tellFailure(target, error);
      throw error;
    } finally {
      this.setup.connector = null;
      this.endpoint.connector = null;
    }
  }

  private async lookUp(host: string, { signal, timeoutMs }: Limits): Promise<string[]> {
    const closing = new AbortController();
    const either =
      signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]);
    this.setup.connector = { close: () => closing.abort() };
    try {
      return await resolveHost(host, this.inetFamily, {
        signal: either,
        timeoutMs: Math.min(timeoutMs, this.timeouts.dnsTimeout),
      });
    } finally {
      this.setup.connector = null;
    }
  }

  private connectAndTell(target: Target, patience: Patience, fastOpen = false): void {
    this.usable();
    this.checkConnectable();
    this.setState('failed');
    this.endpoint.sinceMs = timeIfObserved();
    try {
      this.fastOpenOnConnect(fastOpen);
      this.connectBlocking(target, patience);
    } catch (error) {
      this.tellFailure(target, error);
      throw error;
    }
    this.setState('connected');
    this.tellSuccess();
  }

  private connectBlocking(target: Target, patience: Patience): void {
    let result = startConnect(this.endpoint, target, false);
    while (result !== 0) {
      if (result === -Errno.EINPROGRESS) {
        patience.wait(this.endpoint, PollOut, 'connect', target);
        result = binding.connectOutcome(this.endpoint.slot, this.endpoint.generation);
      } else if (result === -Errno.EAGAIN && 'path' in target) {
        patience.pause(10, 'connect', target);
        result = startConnect(this.endpoint, target, false);
      } else {
        throw systemError(result, { syscall: 'connect', ...target });
      }
    }
  }

  private tellSuccess(): void {
    count('socket_connect_success');
    const { sinceMs } = this.endpoint;
    this.endpoint.sinceMs = timeIfObserved();
    tellConnected(this.endpoint, this.family, sinceMs);
  }

  private tellFailure(target: Target | undefined, error: unknown): void {
    count('socket_connect_failure');
    const { sinceMs } = this.endpoint;
    this.endpoint.sinceMs = undefined;
    tellConnectFailed(this.endpoint, this.family, target, sinceMs, error);
  }

  private checkConnectable(): void {
    if (this.state === 'connecting') {
      throw new SocketError('a connect is under way', { code: 'EALREADY', syscall: 'connect' });
    }
    if (this.state === 'connected' || this.state === 'listening') {
      throw new SocketError('the socket is in use', { code: 'EISCONN', syscall: 'connect' });
    }
    if (this.state === 'failed') this.renew();
  }

  /**
   * As new after a failure. A fresh socket is, everywhere; a bound one must keep its place,
   * and a polled one its descriptor.
   */
  private renew(): void {
    if (this.setup.bound || this.endpoint.polled) {
      // Where this is refused, the next attempt says why.
      binding.disconnect(this.endpoint.slot, this.endpoint.generation);
      return;
    }
    const old = this.endpoint;
    const fresh = create({ family: this.family, type: this.type });
    const { slot, generation } = fresh;
    this.endpoint = old.successor(slot, generation);
    old.close();
    notForgotten(old);
    closeWhenForgotten(this.endpoint);
    this.choose(this.endpoint);
  }

  private get inetFamily(): 'ipv4' | 'ipv6' {
    return this.family === 'ipv6' ? 'ipv6' : 'ipv4';
  }
}
