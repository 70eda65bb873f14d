/** Which connections an exporter asks the kernel about, each time it is asked itself. */
import type { TcpInfo } from '@sock/core';
import { checkFunction, invalidType } from '@sock/native';

/** What knows its `TcpInfo`: a `Socket` of `@sock/core`, also one that a `TlsSocket` lies over. */
export interface TcpSocket {
  /** Asks the kernel. */
  tcpInfo(): TcpInfo;
}

/** What the kernel said of one connection. */
export interface TcpSample {
  /** The name it was added under. */
  readonly name: string;
  /** What the kernel said, just now. */
  readonly info: TcpInfo;
}

/**
 * Named connections whose round trips, losses, windows and rates are to be seen. Nothing is asked
 * until somebody calls `sample`: an exporter does, once per scrape or collection, which costs one
 * system call for each connection. Each name becomes a time series of its own in whatever stores
 * them, so few and lasting ones suit: the link to a database rather than each client.
 *
 * @example
 * ```ts
 * const links = new TcpSampler();
 * links.add('database', socket);
 * const [sample] = links.sample(); // { name: 'database', info: { rtt: 0.4, … } }
 * ```
 */
export class TcpSampler {
  // Weakly, since watching a socket must not keep it open.
  private readonly sockets = new Map<string, WeakRef<TcpSocket>>();

  /**
   * Has `socket` sampled under `name`, in place of whatever had that name. It is held weakly, and
   * forgotten at the first sample after it is closed or collected.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE`: no string, or nothing with a `tcpInfo`.
   */
  add(name: string, socket: TcpSocket): void {
    if (typeof name !== 'string') throw invalidType('name', 'a string', name);
    checkFunction('socket.tcpInfo', (socket as TcpSocket | null | undefined)?.tcpInfo);
    this.sockets.set(name, new WeakRef(socket));
  }

  /** Samples the socket of that name no more. Whether there was one. */
  delete(name: string): boolean {
    return this.sockets.delete(name);
  }

  /**
   * Asks the kernel about each, in the order they were added in. One that has no answer (it is
   * closed, or not of TCP) is forgotten.
   */
  sample(): TcpSample[] {
    const samples: TcpSample[] = [];
    for (const [name, reference] of this.sockets) {
      const info = infoOf(reference.deref());
      if (info === undefined) this.sockets.delete(name);
      else samples.push({ name, info });
    }
    return samples;
  }
}

function infoOf(socket: TcpSocket | undefined): TcpInfo | undefined {
  try {
    return socket?.tcpInfo();
  } catch {
    return undefined;
  }
}
