/** Streams of ours where a `net.Socket` is expected. */

import { checkBoolean, checkInteger, checkOptions, invalidType } from '@sock/native';
import type { DuplexOptions, SocketDuplex } from './duplex/socket-duplex.js';
import type { DuplexSource } from './duplex/source.js';

const markMax = 2 ** 31 - 1;
const verbs = ['chunks', 'trySend', 'sendAll', 'shutdown', 'close', 'ref', 'unref'] as const;

/**
 * A `stream.Duplex` over a connected stream, which stands where a `net.Socket` is expected: under
 * Node's `http` server and client, `undici`, `ws`, `tls.connect({ socket })`.
 *
 * It takes the stream over: the source's own sends and receives throw `ERR_SOCK_BUSY` from then
 * on, or reject with it. What was received before and not read comes first. Closing either closes
 * both. Members have the signatures of `net.Socket`; where the two differ, the socket's
 * `operationTimeout` no longer counts (`setTimeout` is there for that), and nothing keeps the event
 * loop alive but a read or a write that waits.
 *
 * A destroyed duplex that had not sent everything resets the connection, so that the peer does not
 * take the half for the whole.
 *
 * @param source A connected {@link Socket}, or any {@link DuplexSource}. While one of its receives
 * waits it cannot be taken over.
 * @param options `allowHalfOpen` and the two high-water marks.
 * @throws TypeError, RangeError when an argument is wrong; `SocketError` with `ENOTCONN`, with
 * `ERR_SOCK_CLOSED` or with `ERR_SOCK_BUSY` when the source cannot be taken over.
 * @see https://nodejs.org/docs/latest-v20.x/api/net.html#class-netsocket
 * @example
 * ```ts
 * const web = http.createServer((request, response) => response.end('hello'));
 * serve({ port: 8080 }, (socket) => {
 *   web.emit('connection', toDuplex(socket, { allowHalfOpen: true }));
 * });
 * ```
 */
export function toDuplex(source: DuplexSource, options?: DuplexOptions): SocketDuplex {
  checkSource(source);
  const checked = checkOptions<DuplexOptions>(options, [
    'allowHalfOpen',
    'readableHighWaterMark',
    'writableHighWaterMark',
  ]);
  for (const name of ['readableHighWaterMark', 'writableHighWaterMark'] as const) {
    const mark = checked[name];
    if (mark !== undefined) checkInteger(`options.${name}`, mark, 0, markMax);
  }
  if (checked.allowHalfOpen !== undefined) {
    checkBoolean('options.allowHalfOpen', checked.allowHalfOpen);
  }
  // Loaded by the first call: Node's streams take a millisecond that most programs need not spend.
  const { SocketDuplex: Made } =
    require('./duplex/socket-duplex.js') as typeof import('./duplex/socket-duplex.js');
  return new Made(source, checked);
}

function checkSource(source: unknown): void {
  try {
    const verbOf = source as Record<string, unknown>;
    if (typeof source === 'object' && verbs.every((verb) => typeof verbOf[verb] === 'function')) {
      return;
    }
  } catch {
    // null, or a proxy that refuses to answer.
  }
  throw invalidType('source', 'a connected stream', source);
}
