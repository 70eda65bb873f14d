import {
  checkBoolean,
  checkHost,
  checkLiteral,
  checkOptions,
  checkPath,
  checkPort,
  checkSignal,
  checkTimeout,
  checkUnixType,
  invalidType,
  invalidValue,
  type Limits,
  type SocketType,
} from '@sock/native';
import { inOrder } from './addresses.js';
import { AbortError, ResolveError } from './errors.js';
import { isIP, isIPv4 } from './ip.js';
import { monotonicMs } from './monotonic.js';
import type { SocketOptions } from './native-socket.js';
import { resolveHost, withLimits } from './resolve.js';
import { Socket } from './socket.js';

/** A lookup function with the signature of Node's `dns.lookup`. */
export type LookupFunction = (
  hostname: string,
  options: { all: true },
  callback: (error: Error | null, addresses: { address: string; family: number }[]) => void,
) => void;

/** Where to connect: a host and port, or a Unix path. */
export interface ConnectOptions {
  /** A literal address, or a name. Default `'localhost'`. */
  host?: string | undefined;
  /** 0 to 65,535; needed unless there is a `path`. */
  port?: number | undefined;
  /** A Unix path, or `@name` in Linux's abstract namespace; excludes `host` and `port`. */
  path?: string | undefined;
  /** With a path, the type of the listener: `'stream'` (default) or `'seqpacket'`. */
  type?: SocketType | undefined;
  /** Milliseconds for all of it, the name lookup included. Default 30,000; `Infinity`: no limit. */
  timeout?: number | undefined;
  /** Gives up on all of it, with {@link AbortError}; no socket is left behind. */
  signal?: AbortSignal | undefined;
  /**
   * Sends the first data along with the first packet, to a host that has accepted it before:
   * {@link ConnectMethodOptions.fastOpen}. Default `false`; excludes `path` and `race`.
   */
  fastOpen?: boolean | undefined;
  /** Looks the name up, in place of getaddrinfo(3) on this package's threads. */
  lookup?: LookupFunction | undefined;
  /** Looks up and connects, racing addresses: `connectHappyEyeballs` of `@sock/dns` fits. */
  race?:
    | ((
        host: string,
        port: number,
        options: { timeout: number; signal?: AbortSignal | undefined },
      ) => Promise<Socket>)
    | undefined;
}

const known = [
  'host',
  'port',
  'path',
  'type',
  'timeout',
  'signal',
  'fastOpen',
  'lookup',
  'race',
] as const;

/**
 * Connects, and resolves with the connected socket.
 *
 * The socket has TCP_NODELAY. The addresses of a name are tried in the order that the system gives
 * (RFC 6724), each with a socket of its own and an equal share of the time that is left.
 *
 * Rejects with `SocketError` (`ECONNREFUSED`, `EHOSTUNREACH`, `ENETUNREACH`, the kernel's
 * `ETIMEDOUT`, …) with `address` and `port`, or `UnixSocketError` with `path`; when several
 * addresses failed, the last one's, with all of them in `cause.errors`. Also `TimeoutError`,
 * `AbortError`, `ResolveError`.
 * @throws TypeError, RangeError when an option is wrong.
 * @example
 * ```ts
 * const socket = await connect({ host: 'example.org', port: 80, timeout: 5_000 });
 * ```
 * @see connect(2)
 */
export function connect(options: ConnectOptions): Promise<Socket> {
  if (options === undefined) throw invalidType('options', 'an object', options);
  const checked = checkOptions<ConnectOptions>(options, known);
  const { connectTimeout, dnsTimeout } = Socket.getDefaultTimeouts();
  const timeoutMs = checkTimeout(checked.timeout ?? connectTimeout);
  const fastOpen = checkBoolean('options.fastOpen', checked.fastOpen ?? false);
  const limits: Limits = { signal: checkSignal(checked.signal), timeoutMs };
  const type = checkUnixType(checked.type, checked.path);
  if (checked.path !== undefined) {
    if (checked.host !== undefined || checked.port !== undefined) {
      throw invalidValue('options.path', 'excludes host and port', checked.path);
    }
    if (fastOpen) throw invalidValue('options.fastOpen', 'excludes path', fastOpen);
    const path = checkPath(checked.path);
    return attempt({ family: 'unix', type }, limits, (socket, rest) =>
      socket.connectUnix(path, rest),
    );
  }
  const host = checkHost(checked.host ?? 'localhost');
  const port = checkPort(checked.port);
  for (const name of ['lookup', 'race'] as const) {
    const value = checked[name];
    if (value !== undefined && typeof value !== 'function') {
      throw invalidType(`options.${name}`, 'a function', value);
    }
  }
  if (isIP(host) !== 0) return attemptAt(host, port, limits, fastOpen);
  if (checked.race !== undefined) {
    if (fastOpen) throw invalidValue('options.fastOpen', 'excludes race', fastOpen);
    return checked.race(host, port, { timeout: timeoutMs, signal: limits.signal });
  }
  const attemptOne: Attempt = (address, share) => attemptAt(address, port, share, fastOpen);
  return byName(host, limits, dnsTimeout, checked.lookup, attemptOne);
}

type Attempt = (address: string, limits: Limits) => Promise<Socket>;

async function byName(
  host: string,
  { signal, timeoutMs }: Limits,
  dnsTimeoutMs: number,
  lookup: LookupFunction | undefined,
  attemptOne: Attempt,
): Promise<Socket> {
  if (signal?.aborted) throw new AbortError(signal);
  const start = monotonicMs();
  const limits: Limits = { signal, timeoutMs: Math.min(timeoutMs, dnsTimeoutMs) };
  const addresses =
    lookup === undefined
      ? await resolveHost(host, undefined, limits)
      : await callLookup(lookup, host, limits);
  return inOrder(addresses, timeoutMs, monotonicMs() - start, (address, shareMs) =>
    attemptOne(address, { signal, timeoutMs: shareMs }),
  );
}

async function callLookup(lookup: LookupFunction, host: string, limits: Limits): Promise<string[]> {
  const found = await withLimits<unknown>(limits, `looking up ${host}`, (resolve, reject) => {
    lookup(host, { all: true }, (error, addresses) => {
      if (error) reject(error);
      else resolve(addresses);
    });
    return () => {};
  });
  return literals(host, found);
}

/** What a lookup of the caller's found; nothing else in our own code would check it. */
function literals(hostname: string, found: unknown): string[] {
  if (!Array.isArray(found)) throw invalidType('addresses', 'an array of addresses', found);
  if (found.length === 0) {
    const details = { code: 'ENOTFOUND', gaiCode: 0, hostname };
    throw new ResolveError(`the lookup of ${hostname} found no address`, details);
  }
  return found.map((entry: unknown, index) => {
    const address = (entry as { address?: unknown } | null)?.address;
    return checkLiteral(address, `addresses[${index}].address`);
  });
}

function attemptAt(
  address: string,
  port: number,
  limits: Limits,
  fastOpen: boolean,
): Promise<Socket> {
  const family = isIPv4(address) ? 'ipv4' : 'ipv6';
  return attempt({ family }, limits, (socket, rest) => {
    socket.setNoDelay(true);
    return socket.connect(address, port, { fastOpen, ...rest });
  });
}

async function attempt(
  options: SocketOptions,
  { signal, timeoutMs }: Limits,
  run: (
    socket: Socket,
    options: { signal: AbortSignal | undefined; timeout: number },
  ) => Promise<void>,
): Promise<Socket> {
  const socket = new Socket(options);
  try {
    await run(socket, { signal, timeout: timeoutMs });
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}
