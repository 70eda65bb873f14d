import type { SocketType } from '@sock/native';
import {
  checkBoolean,
  checkInteger,
  checkLiteral,
  checkOptions,
  checkPath,
  checkPort,
  checkUnixType,
  invalidValue,
} from '@sock/native';
import { SocketError } from './errors.js';
import { isIPv4 } from './ip.js';
import { backlogDefault, type ListeningSocket, Socket } from './socket.js';

/** Where to listen: a host and port, or a Unix path. */
export interface ListenOptions {
  /** A literal address. Default: every address, IPv6 and IPv4, where the host has both. */
  host?: string | undefined;
  /** 0 to 65,535; default 0: the kernel chooses, and `localPort` tells. */
  port?: number | undefined;
  /** A Unix path, or `@name` in Linux's abstract namespace; excludes `host` and `port`. */
  path?: string | undefined;
  /** With a path: `'stream'` (default), or `'seqpacket'`, whose messages keep their borders. */
  type?: SocketType | undefined;
  /** Connections that may wait to be accepted, 1 to 2^31−1. Default 4096. */
  backlog?: number | undefined;
  /** Lets several listeners share the port, in workers for instance. Default `false`. */
  reusePort?: boolean | undefined;
  /**
   * How many unfinished connections may bring data with their first packet, 0 to 2^31−1: see
   * {@link Socket.setFastOpen}. Default 0, none; excludes `path`.
   */
  fastOpen?: number | undefined;
}

export const listenOptionKeys = [
  'host',
  'port',
  'path',
  'type',
  'backlog',
  'reusePort',
  'fastOpen',
] as const;

/**
 * A listening socket, at once.
 *
 * Connections that it accepts have TCP_NODELAY: small sends of one turn already leave together.
 * A TCP listener takes its port over from connections of an earlier one that linger (SO_REUSEADDR).
 * A Unix socket file that nobody holds any more is replaced; a live one never is.
 *
 * @throws `SocketError` or `UnixSocketError` (`EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`, …);
 * TypeError or RangeError when an option is wrong. A host name is refused: look it up first.
 * @example
 * ```ts
 * const server = listen({ port: 7000 });
 * for await (const socket of server) serve(socket);
 * ```
 * @see bind(2), listen(2)
 */
export function listen(options: ListenOptions = {}): ListeningSocket {
  const checked = checkOptions<ListenOptions>(options, listenOptionKeys);
  const { path, host } = checked;
  const backlog = checkInteger(
    'options.backlog',
    checked.backlog ?? backlogDefault,
    1,
    2 ** 31 - 1,
  );
  const reusePort = checkBoolean('options.reusePort', checked.reusePort ?? false);
  const fastOpen = checkInteger('options.fastOpen', checked.fastOpen ?? 0, 0, 2 ** 31 - 1);
  const type = checkUnixType(checked.type, path);
  if (path !== undefined) {
    if (host !== undefined || checked.port !== undefined) {
      throw invalidValue('options.path', 'excludes host and port', path);
    }
    if (fastOpen > 0) throw invalidValue('options.fastOpen', 'excludes path', fastOpen);
    return begin(new Socket({ family: 'unix', type }), backlog, (socket) => {
      socket.bindUnix(checkPath(path));
    });
  }
  const port = checkPort(checked.port ?? 0);
  const bindTo = (address: string | null) => (socket: Socket) => {
    socket.setReuseAddr(true);
    // Accepted sockets inherit it, so it costs no call per connection.
    socket.setNoDelay(true);
    if (reusePort) socket.setReusePort(true);
    if (fastOpen > 0) socket.setFastOpen(fastOpen);
    socket.bind(address, port);
  };
  if (host !== undefined) {
    const family = isIPv4(checkLiteral(host, 'options.host')) ? 'ipv4' : 'ipv6';
    return begin(new Socket({ family }), backlog, bindTo(host));
  }
  return begin(anyFamily(), backlog, bindTo(null));
}

/** IPv6 takes IPv4 connections too; a host without IPv6 listens on IPv4. */
function anyFamily(): Socket {
  try {
    const socket = new Socket({ family: 'ipv6' });
    socket.setIpv6Only(false);
    return socket;
  } catch (error) {
    if (error instanceof SocketError && error.code === 'EAFNOSUPPORT') {
      return new Socket({ family: 'ipv4' });
    }
    throw error;
  }
}

function begin(socket: Socket, backlog: number, bind: (socket: Socket) => void): ListeningSocket {
  try {
    bind(socket);
    socket.listen({ backlog });
    return socket as unknown as ListeningSocket;
  } catch (error) {
    socket.close();
    throw error;
  }
}
