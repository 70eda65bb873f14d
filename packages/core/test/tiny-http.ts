import type { Socket } from '@sock/core';

interface Request {
  readonly method: string;
  readonly path: string;
  readonly length: number;
  readonly expects: boolean;
}

/** Reads up to the empty line; null when the client has ended the connection before a request. */
async function readRequest(socket: Socket): Promise<Request | null> {
  let head = '';
  while (!head.endsWith('\r\n\r\n')) {
    try {
      head += (await socket.recv(1)).toString('latin1');
    } catch (error) {
      if (head === '') return null;
      throw error;
    }
  }
  const [method = '', path = ''] = head.split(' ');
  const length = /^content-length: *(\d+)/im.exec(head)?.[1] ?? '0';
  return { method, path, length: Number(length), expects: /^expect: *100-continue/im.test(head) };
}

/**
 * As much of HTTP/1.1 (RFC 9112) as curl needs: GET of a number gives so many bytes, POST gives
 * back what came. Connections stay open until the client ends them. Resolves with the requests it
 * had.
 */
export async function serveHttp(socket: Socket): Promise<number> {
  let requests = 0;
  for (;;) {
    const request = await readRequest(socket);
    if (request === null) break;
    requests++;
    if (request.expects) await socket.sendAll('HTTP/1.1 100 Continue\r\n\r\n');
    const body =
      request.method === 'POST'
        ? await socket.recvAll(request.length)
        : Buffer.alloc(Number(request.path.slice(1)), 'x');
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`;
    await Promise.all([socket.sendAll(head), socket.sendAll(body)]);
  }
  await socket.end();
  return requests;
}
