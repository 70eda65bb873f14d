/** Node's HTTP over sockets of ours. */
import http from 'node:http';
import type { Duplex } from 'node:stream';
import { connect, type Server, type Socket, serve, toDuplex } from '@sock/core';
import type { Cleanup } from './states.js';

const host = '127.0.0.1';

export interface Web {
  readonly server: http.Server;
  readonly sockets: Server;
  readonly port: number;
  /** Our sockets, as they came. */
  readonly accepted: Socket[];
}

/** A server of Node's, every connection of which is a socket of ours. */
export function serveWeb(
  cleanup: Cleanup,
  handler: http.RequestListener,
  options: http.ServerOptions = {},
): Web {
  const server = http.createServer(options, handler);
  const accepted: Socket[] = [];
  const sockets = serve({ host }, (socket) => {
    accepted.push(socket);
    server.emit('connection', toDuplex(socket, { allowHalfOpen: true }));
  });
  cleanup.add(sockets);
  // A server that listens by itself begins to count connections here.
  server.emit('listening');
  cleanup.add(server);
  cleanup.add({ close: () => accepted.forEach((socket) => void socket.close()) });
  return { server, sockets, port: Number(sockets.localPort), accepted };
}

/** An agent whose connections are sockets of ours. */
export class DuplexAgent extends http.Agent {
  made = 0;

  override createConnection(
    { host: to, port }: http.ClientRequestArgs,
    done: (error: Error | null, socket: Duplex) => void = () => {},
  ): undefined {
    this.made++;
    connect({ host: to ?? host, port: Number(port) }).then(
      (socket) => done(null, toDuplex(socket)),
      // The declaration wants a socket beside the error; Node does not look at it.
      (error: Error) => (done as (error: Error) => void)(error),
    );
  }
}

export interface Answer {
  readonly status: number | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export async function answerOf(request: http.ClientRequest): Promise<Answer> {
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    request.on('response', resolve).on('error', reject);
  });
  let body = '';
  for await (const chunk of response) body += chunk;
  return { status: response.statusCode, headers: response.headers, body };
}

export function get(port: number, options: http.RequestOptions = {}): Promise<Answer> {
  return answerOf(http.request({ host, port, ...options }).end());
}
