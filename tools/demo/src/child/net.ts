/** The work of the demo with node:net, written as its documentation suggests. */
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import http from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { blocks, Meter, readAll, readWithRests } from './bulk.js';
import { Conversation } from './conversation.js';
import type { Peer, Place, Transfer } from './peer.js';
import { askPages, pageServer } from './web.js';

let outcome: Promise<Transfer> | undefined;

/** node:net writes the name of an abstract socket with a leading NUL. */
function inNet(place: Place): Place {
  return 'path' in place ? { path: place.path.replace(/^@/, '\0') } : place;
}

/** The same options that `listen()` of @sock/core sets. */
const options = { noDelay: true } as const;

async function listening(server: Server, place: Place): Promise<Place> {
  server.listen({ ...inNet(place), backlog: 4096 });
  await once(server, 'listening');
  const address = server.address();
  if ('path' in place || typeof address !== 'object' || address === null) return place;
  return { host: place.host, port: address.port };
}

function echo(socket: Socket): void {
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') throw error;
  });
  socket.on('data', (chunk) => socket.write(chunk));
}

function converse(place: Place, index: number, isOver: () => boolean): Promise<number> {
  return new Promise((resolve, reject) => {
    const conversation = new Conversation(index);
    const socket = connect({ ...inNet(place), ...options });
    socket.on('connect', () => socket.write(conversation.ask()));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the server ended the conversation')));
    socket.on('data', (chunk) => {
      try {
        if (!conversation.hear(chunk)) return;
      } catch (error) {
        socket.destroy(error as Error);
        return;
      }
      if (!isOver()) {
        socket.write(conversation.ask());
        return;
      }
      resolve(conversation.answers);
      socket.destroy();
    });
  });
}

async function sendBytes(server: Server, bytes: number): Promise<Transfer> {
  const [socket] = (await once(server, 'connection')) as [Socket];
  const meter = new Meter();
  for (const block of blocks(bytes)) {
    meter.add(block);
    if (!socket.write(block)) await once(socket, 'drain');
  }
  socket.end();
  await once(socket, 'finish');
  return meter.result();
}

async function readFirst(server: Server): Promise<Transfer> {
  const [socket] = (await once(server, 'connection')) as [Socket];
  return await readAll(socket);
}

async function told(): Promise<Transfer> {
  if (outcome === undefined) throw new Error('nothing was to be moved');
  return outcome;
}

export const peer: Peer = {
  serveEcho: (place) => listening(createServer(options, echo), place),

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

  servePages: (place) => listening(pageServer(), place),

  async askPages(place, connections, milliseconds) {
    const agent = new http.Agent({ keepAlive: true });
    try {
      return await askPages(agent, place, connections, milliseconds);
    } finally {
      agent.destroy();
    }
  },

  serveBytes(place, bytes) {
    const server = createServer(options);
    outcome = sendBytes(server, bytes);
    return listening(server, place);
  },

  sent: told,

  readSlowly: (place, onBytes) => readWithRests(connect({ ...inNet(place), ...options }), onBytes),

  collect(place) {
    const server = createServer(options);
    outcome = readFirst(server);
    return listening(server, place);
  },

  collected: told,

  sendFile: (place, path) =>
    pipeline(createReadStream(path), connect({ ...inNet(place), ...options })),

  serveRelay(place, target) {
    // Half-closes have to pass, as they do with a relay.
    const halves = { ...options, allowHalfOpen: true } as const;
    const server = createServer(halves, (near) => {
      const far = connect({ ...inNet(target), ...halves });
      near.pipe(far);
      far.pipe(near);
    });
    return listening(server, place);
  },
};
