/** The work of the demo with @sock/core. */
import { connect, type ListeningSocket, listen, type Socket, SocketClosedError } from '@sock/core';
import { blocks, Meter, readWithRests } from './bulk.js';
import { Conversation } from './conversation.js';
import type { Peer, Place, Transfer } from './peer.js';

let outcome: Promise<Transfer> | undefined;

function placeOf(server: ListeningSocket, place: Place): Place {
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

  async serveBytes(place, bytes) {
    const server = listen(place);
    outcome = sendBytes(server, bytes);
    return placeOf(server, place);
  },

  async sent() {
    if (outcome === undefined) throw new Error('nothing was to be sent');
    return outcome;
  },

  async readSlowly(place, onBytes) {
    const socket = await connect(place);
    try {
      return await readWithRests(socket, onBytes);
    } finally {
      socket.close();
    }
  },
};
