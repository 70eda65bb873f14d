/** Node's http server and client, undici and ws over sockets of ours. */
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type net from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import tls from 'node:tls';
import { connect, toDuplex } from '@sock/core';
import {
  describeWithPeers,
  expectSockets,
  failureOf,
  launch,
  openSockets,
  until,
  useFolder,
  within,
} from '@sock/testing';
import * as undici from 'undici';
import { WebSocket, WebSocketServer } from 'ws';
import { makeCertificate } from './support/certificate.js';
import { event, socketPair } from './support/duplex.js';
import { answerOf, DuplexAgent, get, serveWeb } from './support/http.js';
import { Cleanup } from './support/states.js';

const host = '127.0.0.1';
let cleanup: Cleanup;
let socketsBefore: number;

beforeEach(() => {
  socketsBefore = openSockets();
  cleanup = new Cleanup();
});
afterEach(async () => {
  cleanup.close();
  await expectSockets(socketsBefore);
});

/** Sends text as it is, and resolves with all that comes until the server closes. */
async function converse(port: number, text: string): Promise<string> {
  const socket = cleanup.add(await connect({ host, port }));
  await socket.sendAll(text);
  let answer = '';
  for await (const chunk of socket) answer += chunk;
  return answer;
}

const hello: http.RequestListener = (request, response) => {
  response.end(`${request.method} ${request.url}`);
};

describe('a server of node:http over sockets of ours', () => {
  it('answers several requests on one connection', async () => {
    const web = serveWeb(cleanup, hello);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (const path of ['/a', '/b', '/c']) {
      expect((await get(web.port, { agent, path })).body).toBe(`GET ${path}`);
    }
    expect(web.accepted).toHaveLength(1);
    agent.destroy();
  });

  it('answers in order what was asked together', async () => {
    const { port } = serveWeb(cleanup, async (request, response) => {
      // The first takes longest.
      await new Promise((resolve) => setTimeout(resolve, request.url === '/0' ? 20 : 0));
      response.end(`<${request.url}>`);
    });
    const ask = (index: number, last = false) =>
      `GET /${index} HTTP/1.1\r\nHost: x\r\n${last ? 'Connection: close\r\n' : ''}\r\n`;
    const answer = await converse(port, ask(0) + ask(1) + ask(2) + ask(3, true));
    expect(answer.match(/<\/\d>/g)).toEqual(['</0>', '</1>', '</2>', '</3>']);
  });

  it('serves chunks up and down', async () => {
    const { port } = serveWeb(cleanup, (request, response) => void request.pipe(response));
    const request = http.request({ host, port, method: 'POST' });
    const answer = answerOf(request);
    for (const text of ['one ', 'two ', 'three']) {
      request.write(text);
      await new Promise(setImmediate);
    }
    request.end();
    expect(await answer).toMatchObject({
      body: 'one two three',
      headers: { 'transfer-encoding': 'chunked' },
    });
  });

  it('holds back an upload that its handler takes slowly', async () => {
    const size = 100 * 1024 * 1024;
    const piece = Buffer.alloc(64 * 1024, 'u');
    let sent = 0;
    let received = 0;
    let mostUnderWay = 0;
    const { port, accepted } = serveWeb(cleanup, async (request, response) => {
      for await (const chunk of request) {
        received += (chunk as Buffer).length;
        mostUnderWay = Math.max(mostUnderWay, sent - received);
        await new Promise(setImmediate);
      }
      response.end(String(received));
    });
    const body = Readable.from(
      (function* () {
        for (; sent < size; sent += piece.length) yield piece;
      })(),
    );
    const agent = new DuplexAgent();
    const request = http.request({ host, port, method: 'POST', agent });
    const answer = answerOf(request);
    await pipeline(body, request);
    expect((await answer).body).toBe(String(size));
    // What is neither with its sender nor its handler is in our memory, or in the kernel, which
    // takes up to 36 MiB where its buffers may grow. More would mean that somebody reads ahead.
    expect(mostUnderWay).toBeGreaterThan(piece.length);
    expect(mostUnderWay).toBeLessThan(size / 2);
    expect(accepted[0]?.sendQueueBytes).toBe(0);
    agent.destroy();
  });

  it('holds back a download that its client takes slowly', async () => {
    const piece = Buffer.alloc(64 * 1024, 'd');
    const count = 400;
    let most = 0;
    const { port, accepted } = serveWeb(cleanup, async (_request, response) => {
      await pipeline(
        Readable.from(
          (function* () {
            for (let sent = 0; sent < count; sent++) {
              most = Math.max(most, accepted[0]?.sendQueueBytes ?? 0);
              yield piece;
            }
          })(),
        ),
        response,
      );
    });
    const response = await new Promise<http.IncomingMessage>((resolve) => {
      http.get({ host, port, agent: new DuplexAgent() }, resolve);
    });
    let received = 0;
    for await (const chunk of response) {
      received += (chunk as Buffer).length;
      await new Promise(setImmediate);
    }
    expect(received).toBe(count * piece.length);
    expect(most).toBeLessThan(4 * piece.length);
  });

  it('is asked first where the client expects it', async () => {
    const seen: string[] = [];
    const web = serveWeb(cleanup, hello);
    web.server.on('checkContinue', (request, response) => {
      seen.push('asked');
      response.writeContinue();
      request.on('data', (data) => seen.push(String(data)));
      request.on('end', () => response.end('taken'));
    });
    const headers = { Expect: '100-continue' };
    const request = http.request({ host, port: web.port, method: 'PUT', headers });
    request.flushHeaders();
    await event(request, 'continue');
    request.end('body');
    expect((await answerOf(request)).body).toBe('taken');
    expect(seen).toEqual(['asked', 'body']);
  });

  it('answers a client that half-closes after its question', async () => {
    const { port, server } = serveWeb(cleanup, (_request, response) => {
      setTimeout(() => response.end('late'), 20);
    });
    Object.assign(server, { httpAllowHalfOpen: true });
    const socket = cleanup.add(await connect({ host, port }));
    await socket.sendAll('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await socket.shutdown('write');
    let answer = '';
    for await (const chunk of socket) answer += chunk;
    expect(answer).toMatch(/late$/);
  });

  it('hears that its client has gone in the middle', async () => {
    const gone: unknown[] = [];
    const { port } = serveWeb(cleanup, (request, response) => {
      request.on('error', (error: NodeJS.ErrnoException) => gone.push(error.code));
      response.on('close', () => gone.push(response.writableFinished));
      response.write('some');
    });
    const request = http.get({ host, port });
    const [response] = (await event(request, 'response')) as [http.IncomingMessage];
    await event(response, 'data');
    response.on('error', () => {});
    request.destroy();
    await until(5_000, () => gone.length === 2);
    expect(gone.map(String).sort()).toEqual(['ECONNRESET', 'false']);
  });

  it('breaks off an answer so that the client does not take it for whole', async () => {
    const { port } = serveWeb(cleanup, (_request, response) => {
      response.writeHead(200);
      response.write('some', () => response.destroy());
    });
    expect(await failureOf(get(port))).toMatchObject({ code: 'ECONNRESET' });
  });

  it('keeps its time limits', async () => {
    const options = { headersTimeout: 50, requestTimeout: 100, connectionsCheckingInterval: 10 };
    const { port } = serveWeb(cleanup, (request) => request.resume(), options);
    const never = await converse(port, 'GET / HTTP/1.1\r\n');
    expect(never).toMatch(/^HTTP\/1.1 408 /);
    const half = await converse(
      port,
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf',
    );
    expect(half).toMatch(/^HTTP\/1.1 408 /);
  });

  it('closes a connection that is idle between requests', async () => {
    const web = serveWeb(cleanup, hello);
    web.server.keepAliveTimeout = 30;
    const answer = await converse(web.port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(answer).toMatch(/Keep-Alive: timeout=0\r\n.*GET \/$/s);
  });

  it('ends a request that takes longer than setTimeout allows', async () => {
    const web = serveWeb(cleanup, () => {});
    const timeouts: unknown[] = [];
    web.server.setTimeout(30, (socket) => {
      timeouts.push(socket);
      socket.destroy();
    });
    await converse(web.port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(timeouts).toHaveLength(1);
  });

  it('closes all of its connections when told to', async () => {
    const web = serveWeb(cleanup, () => {});
    const asked = event(web.server, 'request');
    const answer = failureOf(get(web.port));
    await asked;
    web.server.closeAllConnections();
    expect(await answer).toMatchObject({ code: 'ECONNRESET' });
    expect(web.accepted.map(({ fd }) => fd)).toEqual([-1]);
  });

  it('tells handlers who is asking', async () => {
    const { port } = serveWeb(cleanup, ({ socket }, response) => {
      const { remoteAddress, remoteFamily, localPort } = socket;
      response.end(JSON.stringify({ remoteAddress, remoteFamily, localPort }));
    });
    expect(JSON.parse((await get(port)).body)).toEqual({
      remoteAddress: host,
      remoteFamily: 'IPv4',
      localPort: port,
    });
  });
});

describe('a client of node:http over sockets of ours', () => {
  async function plainServer(handler: http.RequestListener): Promise<number> {
    const server = cleanup.add(http.createServer(handler).listen(0, host));
    cleanup.add({ close: () => server.closeAllConnections() });
    await once(server, 'listening');
    return (server.address() as net.AddressInfo).port;
  }

  it('uses a connection again', async () => {
    const port = await plainServer(hello);
    const agent = new DuplexAgent({ keepAlive: true, maxSockets: 1 });
    for (const path of ['/a', '/b', '/c']) {
      expect((await get(port, { agent, path })).body).toBe(`GET ${path}`);
    }
    expect(agent.made).toBe(1);
    agent.destroy();
  });

  it('takes a connection that was made for one request', async () => {
    const port = await plainServer(hello);
    const socket = cleanup.add(await connect({ host, port }));
    const answer = await get(port, { createConnection: () => toDuplex(socket) });
    expect(answer).toMatchObject({ status: 200, body: 'GET /' });
  });

  it('hears that nobody listens', async () => {
    const port = await plainServer(hello);
    cleanup.close();
    const agent = new DuplexAgent();
    expect(await failureOf(get(port, { agent }))).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('gives up when its answer takes longer than its timeout', async () => {
    const port = await plainServer(() => {});
    const request = http.get({ host, port, agent: new DuplexAgent(), timeout: 20 });
    const failed = failureOf(answerOf(request));
    await event(request, 'timeout');
    request.destroy();
    expect(await failed).toMatchObject({ code: 'ECONNRESET' });
  });

  it('hears that the server broke off', async () => {
    const port = await plainServer((_request, response) => {
      response.write('some');
      response.socket?.resetAndDestroy();
    });
    const agent = new DuplexAgent();
    expect(await failureOf(get(port, { agent }))).toMatchObject({ code: 'ECONNRESET' });
  });
});

describe('undici over sockets of ours', () => {
  const connector: undici.buildConnector.connector = ({ hostname, port }, done) => {
    connect({ host: hostname, port: Number(port) }).then(
      (socket) => done(null, toDuplex(socket) as unknown as net.Socket),
      (error: Error) => done(error, null),
    );
  };

  it('fetches, and uses the connection again', async () => {
    const web = serveWeb(cleanup, async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      response.end(`${request.method} ${body}`);
    });
    const client = new undici.Client(`http://${host}:${web.port}`, { connect: connector });
    for (const body of ['one', 'two']) {
      const answer = await client.request({ path: '/', method: 'POST', body });
      expect(await answer.body.text()).toBe(`POST ${body}`);
    }
    expect(web.accepted).toHaveLength(1);
    await client.close();
  });

  it('sends several requests before the first answer', async () => {
    const web = serveWeb(cleanup, hello);
    const client = new undici.Client(`http://${host}:${web.port}`, {
      connect: connector,
      pipelining: 4,
    });
    const paths = ['/0', '/1', '/2', '/3'];
    const bodies = paths.map(async (path) => {
      return (await client.request({ path, method: 'GET' })).body.text();
    });
    expect(await Promise.all(bodies)).toEqual(paths.map((path) => `GET ${path}`));
    await client.close();
  });

  it('gives up, and is told so', async () => {
    const web = serveWeb(cleanup, () => {});
    const client = new undici.Client(`http://${host}:${web.port}`, { connect: connector });
    const aborting = new AbortController();
    web.server.on('request', () => aborting.abort());
    const answer = client.request({ path: '/', method: 'GET', signal: aborting.signal });
    expect((await failureOf(answer)).name).toBe('AbortError');
    await client.destroy();
  });
});

describe('ws over sockets of ours', () => {
  it('talks both ways, and closes in order', async () => {
    const web = serveWeb(cleanup, hello);
    const messages: string[] = [];
    const server = new WebSocketServer({ server: web.server });
    server.on('connection', (socket) => {
      socket.on('message', (data) => socket.send(`echo ${data}`));
      socket.on('close', (code) => messages.push(`server: ${code}`));
    });
    const client = new WebSocket(`ws://${host}:${web.port}`, { agent: new DuplexAgent() });
    client.on('message', (data) => messages.push(String(data)));
    await event(client, 'open');
    client.send('one');
    client.send('x'.repeat(200_000));
    await until(5_000, () => messages.length === 2);
    client.close(4_000);
    expect((await event(client, 'close'))[0]).toBe(4_000);
    await until(5_000, () => messages.length === 3);
    expect(messages.map((message) => message.slice(0, 12))).toEqual([
      'echo one',
      'echo xxxxxxx',
      'server: 4000',
    ]);
  });

  it('hears that the other side was cut off', async () => {
    const web = serveWeb(cleanup, hello);
    const server = new WebSocketServer({ server: web.server });
    const client = new WebSocket(`ws://${host}:${web.port}`, { agent: new DuplexAgent() });
    const [[peer]] = (await Promise.all([event(server, 'connection'), event(client, 'open')])) as [
      [WebSocket],
      unknown,
    ];
    const closed = event(client, 'close');
    peer.terminate();
    expect((await closed)[0]).toBe(1_006);
  });
});

describe('HTTP/2 over sockets of ours', () => {
  it('answers several requests at once', async () => {
    const [near, far] = await socketPair(cleanup);
    const server = http2.performServerHandshake(toDuplex(far, { allowHalfOpen: true }));
    server.on('stream', (stream, headers) => stream.end(`h2 ${headers[':path']}`));
    const client = http2.connect('http://localhost', {
      createConnection: () => toDuplex(near, { allowHalfOpen: true }),
    });
    const bodies = ['/a', '/b'].map(async (path) => {
      let body = '';
      for await (const chunk of client.request({ ':path': path })) body += chunk;
      return body;
    });
    expect(await within(5_000, Promise.all(bodies))).toEqual(['h2 /a', 'h2 /b']);
    client.close();
    await event(client, 'close');
  });
});

describeWithPeers(['curl'], 'with curl', () => {
  const curl = async (...args: string[]): Promise<string> => {
    const peer = await launch('curl', ['-sS', '--max-time', '60', ...args]);
    return (await peer.succeeded()).stdout.toString();
  };

  it('a server answers two questions of one connection', async () => {
    const web = serveWeb(cleanup, hello);
    const url = `http://${host}:${web.port}`;
    expect(await curl(`${url}/a`, `${url}/b`)).toBe('GET /aGET /b');
    expect(web.accepted).toHaveLength(1);
  });

  it('a server takes an upload that waits to be asked for', async () => {
    const web = serveWeb(cleanup, async (request, response) => {
      let size = 0;
      for await (const chunk of request) size += (chunk as Buffer).length;
      response.end(String(size));
    });
    const body = 'x'.repeat(100_000);
    const args = ['-H', 'Expect: 100-continue', '--data-binary', body];
    expect(await curl(...args, `http://${host}:${web.port}/`)).toBe('100000');
  });
});

describeWithPeers(['openssl'], 'with a certificate', () => {
  const pathTo = useFolder();

  it('a duplex carries TLS of Node’s on both of its sides', async () => {
    const { key, cert } = makeCertificate(pathTo);
    const [near, far] = await socketPair(cleanup);
    const server = new tls.TLSSocket(toDuplex(far), { isServer: true, key, cert });
    const client = tls.connect({ socket: toDuplex(near), ca: cert, servername: 'localhost' });
    server.on('data', (data) => server.end(`echo ${data}`));
    client.write('secret');
    let text = '';
    for await (const data of client) text += data;
    expect(client.authorized).toBe(true);
    expect(text).toBe('echo secret');
  });
});
