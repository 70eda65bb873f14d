/** A server: every connection on its own, never more than may be, and an end in order. */
import { connect, type ServeOptions, type Server, Socket, serve } from '@sock/core';
import { expectSockets, isPending, openSockets, runScript, until, within } from '@sock/testing';
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

async function echo(socket: Socket): Promise<void> {
  for await (const chunk of socket) await socket.sendAll(chunk);
}

function serving(handler: Parameters<typeof serve>[1], options: ServeOptions = {}): Server {
  return cleanup.add(serve({ host, ...options }, handler));
}

async function client(server: Server): Promise<Socket> {
  return cleanup.add(await connect({ host, port: server.localPort }));
}

/** The warnings of a process whose handlers fail in each of the given ways, one after the other. */
async function warningsOf(faults: string, options = ''): Promise<string[]> {
  const { stdout } = await runScript(`
    const { connect, serve, SocketError } = require('@sock/core');
    process.on('warning', ({ code, message, detail }) => {
      console.log([code, message, detail.split('\\n')[0]].join(': '));
    });
    for (const fault of [${faults}]) {
      const server = serve({ host: '127.0.0.1', ${options} }, () => Promise.reject(fault));
      const socket = await connect({ host: '127.0.0.1', port: server.localPort });
      await socket.recv().catch(() => {});
      socket.close();
      server.close();
    }
  `);
  return stdout.split('\n').slice(0, -1);
}

describe('a server', () => {
  it('serves connections side by side, on TCP and on a Unix path', async () => {
    const places = [{ host }, { path: `@sock-serve-${process.pid}` }];
    for (const place of places) {
      const server = cleanup.add(serve(place, echo));
      const target = 'path' in place ? place : { host, port: server.localPort };
      const clients = await Promise.all([1, 2, 3].map(() => connect(target)));
      clients.forEach((socket) => void cleanup.add(socket));
      // In an order of its own: nobody waits for anybody.
      for (const [index, socket] of [...clients.entries()].reverse()) {
        await socket.sendAll(`hello ${index}`);
        expect(String(await socket.recv())).toBe(`hello ${index}`);
      }
      expect(server.connections).toBe(3);
    }
  });

  it('ends a connection in order when its handler is done: the last bytes arrive', async () => {
    const reply = Buffer.alloc(4 * 1024 * 1024, 'x');
    const server = serving(async (socket) => {
      await socket.sendAll(reply);
    });
    const socket = await client(server);
    // Bytes that nobody reads would turn a plain close into a reset.
    await socket.sendAll('unread');
    expect((await socket.recvAll(reply.length)).equals(reply)).toBe(true);
    await expect(socket.recv()).rejects.toMatchObject({ code: 'ERR_SOCK_EOF' });
    socket.close();
    await until(1_000, () => server.connections === 0);
  });

  it('gives a peer that does not end its side only so long', async () => {
    const server = serving(async () => {}, { endTimeout: 30 });
    const socket = await client(server);
    await until(2_000, () => server.connections === 0);
    await expect(socket.recv()).rejects.toMatchObject({ code: 'ERR_SOCK_EOF' });
  });

  it('leaves the socket to a handler that returns no promise', async () => {
    let taken: Socket | undefined;
    const server = serving((socket) => {
      taken = socket;
    });
    const socket = await client(server);
    await until(1_000, () => taken !== undefined);
    await taken?.sendAll('still here');
    expect(String(await socket.recv())).toBe('still here');
    expect(server.connections).toBe(1);
    taken?.close();
    expect(server.connections).toBe(0);
  });

  it('closes the connection of a handler that fails, and serves the others', async () => {
    const faults = [
      () => {
        throw new Error('thrown');
      },
      async () => {
        throw new Error('rejected');
      },
      echo,
    ];
    const failed: unknown[] = [];
    const server = serving((socket) => faults.shift()?.(socket), {
      onError: (error, socket) => failed.push([String(error), socket.fd]),
    });
    for (let broken = 0; broken < 2; broken++) {
      await expect((await client(server)).recv()).rejects.toMatchObject({
        code: expect.stringMatching(/EOF|RESET/),
      });
    }
    expect(failed).toEqual([
      ['Error: thrown', -1],
      ['Error: rejected', -1],
    ]);
    const healthy = await client(server);
    await healthy.sendAll('alive');
    expect(String(await healthy.recv())).toBe('alive');
  });

  it('warns of a mistake in a handler, and not of a peer that breaks off', async () => {
    const faults = "new SocketError('broken off'), new Error('a mistake'), 'a string'";
    expect(await warningsOf(faults)).toEqual([
      'SOCK_HANDLER_FAILED: A connection handler failed: Error: a mistake',
      "SOCK_HANDLER_FAILED: A connection handler failed: 'a string'",
    ]);
  });

  it('survives an onError that throws', async () => {
    const onError = "onError: (error) => { throw new Error(error.message + ' again'); }";
    expect(await warningsOf("new Error('first'), new Error('second')", onError)).toEqual([
      'SOCK_HANDLER_FAILED: A connection handler failed: Error: first again',
      'SOCK_HANDLER_FAILED: A connection handler failed: Error: second again',
    ]);
  });

  it('refuses options and handlers that are wrong, by name', () => {
    const wrong: [unknown, unknown, string][] = [
      [undefined, echo, 'options'],
      [{ maxConnections: 0 }, echo, 'options.maxConnections'],
      [{ maxConnections: 1.5 }, echo, 'options.maxConnections'],
      [{ endTimeout: 0 }, echo, 'options.endTimeout'],
      [{ onError: 'log' }, echo, 'options.onError'],
      [{ signal: 'stop' }, echo, 'signal'],
      [{ maxConnection: 1 }, echo, 'options.maxConnection'],
      [{ host }, 'echo', 'handler'],
    ];
    for (const [options, handler, name] of wrong) {
      expect(() => serve(options as never, handler as never)).toThrow(`"${name}"`);
    }
  });
});

describe('maxConnections', () => {
  it('keeps the next ones waiting, and serves them with all they sent meanwhile', async () => {
    let most = 0;
    const server: Server = serving(
      async (socket) => {
        most = Math.max(most, server.connections);
        await echo(socket);
      },
      { maxConnections: 2 },
    );
    const clients = await Promise.all(Array.from({ length: 6 }, () => client(server)));
    const answers = clients.map(async (socket, index) => {
      await socket.sendAll(`${index}`);
      const answer = await socket.recv();
      await socket.end();
      return String(answer);
    });
    await expect(within(5_000, Promise.all(answers), 'six answers')).resolves.toEqual([
      '0',
      '1',
      '2',
      '3',
      '4',
      '5',
    ]);
    expect(most).toBe(2);
  });
});

describe('drain', () => {
  it('lets what is open come to its end, and takes nobody new', async () => {
    const server = serving(echo);
    const socket = await client(server);
    await until(1_000, () => server.connections === 1);
    const port = server.localPort;
    const drained = server.drain();
    await expect(connect({ host, port })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await socket.sendAll('the last word');
    expect(String(await socket.recv())).toBe('the last word');
    expect(await isPending(drained)).toBe(true);
    await socket.end();
    await expect(drained).resolves.toBe(0);
    await server.finished;
  });

  it('serves those who had connected before, though nobody had accepted them yet', async () => {
    const server = serving(echo);
    const { localPort: port } = server;
    const socket = cleanup.add(new Socket({ family: 'ipv4' }));
    // All in one turn: the server has not heard of it when it is told to drain.
    socket.connectSync(host, port as number);
    const drained = server.drain();
    await socket.sendAll('in time');
    expect(String(await socket.recv())).toBe('in time');
    await socket.end();
    await expect(drained).resolves.toBe(0);
  });

  it('tells handlers, so that one that waits for requests can stop', async () => {
    const server = serving(async (socket, { signal }) => {
      signal.addEventListener('abort', () => void socket.shutdown('read'), { once: true });
      await echo(socket);
    });
    const socket = await client(server);
    await until(1_000, () => server.connections === 1);
    const drained = server.drain();
    await expect(socket.recv()).rejects.toMatchObject({ code: 'ERR_SOCK_EOF' });
    await socket.end();
    await expect(drained).resolves.toBe(0);
  });

  it('cuts off what is left after its timeout or abort, and counts it', async () => {
    for (const options of [{ timeout: 20 }, { signal: AbortSignal.abort() }]) {
      const server = serving(echo);
      const sockets = [await client(server), await client(server)];
      await until(1_000, () => server.connections === 2);
      await expect(server.drain(options)).resolves.toBe(2);
      for (const socket of sockets) {
        await expect(socket.recv()).rejects.toMatchObject({
          code: expect.stringMatching(/EOF|RESET/),
        });
      }
      await server.finished;
    }
  });

  it('ends at once where maxConnections keeps others waiting', async () => {
    const server = serving(echo, { maxConnections: 1 });
    const [first, second] = [await client(server), await client(server)];
    await until(1_000, () => server.connections === 1);
    const drained = server.drain();
    await expect(second.recv()).rejects.toMatchObject({ code: 'ECONNRESET' });
    await first.end();
    await expect(drained).resolves.toBe(0);
  });
});

describe('close', () => {
  it('closes the listener and every connection at once, and again does nothing', async () => {
    const server = serving(echo);
    const socket = await client(server);
    await until(1_000, () => server.connections === 1);
    server.close();
    expect([server.connections, server.localPort]).toEqual([0, undefined]);
    server.close();
    await expect(socket.recv()).rejects.toMatchObject({ code: 'ERR_SOCK_EOF' });
    await server.finished;
  });

  it('comes by the signal too, before and after the start', async () => {
    const stop = new AbortController();
    const server = serving(echo, { signal: stop.signal });
    stop.abort();
    await server.finished;
    await serving(echo, { signal: stop.signal }).finished;
  });

  it('lets the process end, as unref does', async () => {
    const script = `
      const { serve, connect } = require('@sock/core');
      const server = serve({ host: '127.0.0.1' }, async () => {});
      serve({ host: '127.0.0.1' }, async () => {}).unref();
      server.close();
    `;
    expect(await runScript(script)).toMatchObject({ code: 0, stderr: '' });
  });
});
