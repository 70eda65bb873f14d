/** The work of the demo with @sock/core. */
import http from 'node:http';
import type { Duplex } from 'node:stream';
import {
  connect,
  type ListeningSocket,
  listen,
  relay,
  type Server,
  type Socket,
  SocketClosedError,
  serve,
  toDuplex,
} from '@sock/core';
import { blocks, Meter, readAll, readWithRests } from './bulk.js';
import { Conversation } from './conversation.js';
import type { Peer, Place, Transfer } from './peer.js';
import { askPages, pageServer } from './web.js';

let outcome: Promise<Transfer> | undefined;

function placeOf(server: ListeningSocket | Server, place: Place): Place {
  return 'path' in place ? place : { host: place.host, port: server.localPort ?? 0 };
}

async function echo(socket: Socket): Promise<void> {
  try {
    for await (const chunk of socket) await socket.sendAll(chunk);
  } catch (error) {
    if (!(error instanceof SocketClosedError)) throw error;
  } finally {
    socket.close();
  }
}

async function acceptAll(server: ListeningSocket): Promise<void> {
  for await (const socket of server) void echo(socket);
}

async function converse(place: Place, index: number, isOver: () => boolean): Promise<number> {
  const socket = await connect(place);
  const conversation = new Conversation(index);
  try {
    await socket.sendAll(conversation.ask());
    for await (const chunk of socket) {
      if (!conversation.hear(chunk)) continue;
      if (isOver()) return conversation.answers;
      await socket.sendAll(conversation.ask());
    }
    throw new Error('the server ended the conversation');
  } finally {
    socket.close();
  }
}

async function sendBytes(server: ListeningSocket, bytes: number): Promise<Transfer> {
  const socket = await server.accept();
  const meter = new Meter();
  for (const block of blocks(bytes)) {
    meter.add(block);
    await socket.sendAll(block);
  }
  await socket.end();
  return meter.result();
}

async function readFirst(server: ListeningSocket): Promise<Transfer> {
  await using socket = await server.accept();
  return await readAll(socket);
}

async function told(): Promise<Transfer> {
  if (outcome === undefined) throw new Error('nothing was to be moved');
  return outcome;
}

class Agent extends http.Agent {
  override createConnection(
    { host, port }: http.ClientRequestArgs,
    done?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    connect({ host: host ?? 'localhost', port: Number(port) }).then(
      (socket) => done?.(null, toDuplex(socket)),
      (error: Error) => done?.(error, undefined as never),
    );
  }
}

export const peer: Peer = {
  async serveEcho(place) {
    const server = listen(place);
    void acceptAll(server);
    return placeOf(server, place);
  },

  async askEcho(place, connections, milliseconds) {
    let over = false;
    setTimeout(() => {
      over = true;
    }, milliseconds);
    const answers = await Promise.all(
      Array.from({ length: connections }, (_, index) => converse(place, index, () => over)),
    );
    return answers.reduce((sum, count) => sum + count, 0);
  },

  async servePages(place) {
    const web = pageServer();
    const server = serve(place, (socket) => {
      web.emit('connection', toDuplex(socket, { allowHalfOpen: true }));
    });
    return placeOf(server, place);
  },

  async askPages(place, connections, milliseconds) {
    const agent = new Agent({ keepAlive: true });
    try {
      return await askPages(agent, place, connections, milliseconds);
    } finally {
      agent.destroy();
    }
  },

  async serveBytes(place, bytes) {
    const server = listen(place);
    outcome = sendBytes(server, bytes);
    return placeOf(server, place);
  },

  sent: told,

  async readSlowly(place, onBytes) {
    const socket = await connect(place);
    try {
      return await readWithRests(socket, onBytes);
    } finally {
      socket.close();
    }
  },

  async collect(place) {
    const server = listen(place);
    outcome = readFirst(server);
    return placeOf(server, place);
  },

  collected: told,

  async sendFile(place, path) {
    const socket = await connect(place);
    await socket.sendFileAll(path);
    await socket.end();
  },

  async serveRelay(place, target) {
    const server = serve(place, async (socket) => {
      await relay(socket, await connect(target));
    });
    return placeOf(server, place);
  },
};
