/** Sockets in every state that a socket can be in, each made for one call and closed after it. */
import { connect, listen, Socket } from '@sock/core';
import { turns, until } from '@sock/testing';

export type Family = 'ipv4' | 'unix';

/** Closes what a test has made, last first. */
export class Cleanup {
  private readonly closers: (() => void)[] = [];

  add<T extends { close(): void }>(closeable: T): T {
    this.closers.push(() => closeable.close());
    return closeable;
  }

  close(): void {
    for (const closer of this.closers.splice(0).reverse()) closer();
  }
}

let names = 0;

/** Where to listen: a port of the kernel's choice, or an abstract name of our own. */
function place(family: Family): { host: string } | { path: string } {
  if (family === 'ipv4') return { host: '127.0.0.1' };
  return { path: `@sock-states-${process.pid}-${names++}` };
}

/** A listener, and how to connect to it. */
export function listening(cleanup: Cleanup, family: Family = 'ipv4', backlog = 16) {
  const where = place(family);
  const listener = cleanup.add(listen({ ...where, backlog }));
  const target = 'path' in where ? where : { ...where, port: listener.localPort };
  return { listener, target };
}

export async function connectedPair(cleanup: Cleanup, family: Family = 'ipv4') {
  const { listener, target } = listening(cleanup, family);
  const [near, far] = await Promise.all([connect(target), listener.accept()]);
  return [cleanup.add(near), cleanup.add(far)] as const;
}

/** A listener whose backlog is full: connecting to it takes for ever. */
export async function fullListener(cleanup: Cleanup, family: Family = 'ipv4') {
  const made = listening(cleanup, family, 1);
  // The kernel lets one more in than it was told.
  for (let i = 0; i < 2; i++) cleanup.add(await connect(made.target));
  return made;
}

/** Ends a connection by a reset: closing with unread bytes does. */
async function reset(near: Socket, far: Socket): Promise<void> {
  await near.sendAll('unread');
  await until(1_000, () => far.tryRecv(1) !== null);
  far.close();
  await turns(1);
}

export const states = [
  'new',
  'bound',
  'connecting',
  'connected',
  'half-closed by its peer',
  'reset by its peer',
  'listening',
  'closed',
] as const;
export type State = (typeof states)[number];

async function connecting(cleanup: Cleanup, family: Family): Promise<Socket> {
  const { target } = await fullListener(cleanup, family);
  const socket = cleanup.add(new Socket({ family }));
  const attempt =
    'path' in target
      ? socket.connectUnix(target.path)
      : socket.connect(target.host, target.port as number);
  // Ends with the socket, when the test is over.
  attempt.catch(() => {});
  await turns(1);
  return socket;
}

/** A socket in that state. */
export async function socketIn(
  state: State,
  cleanup: Cleanup,
  family: Family = 'ipv4',
): Promise<Socket> {
  switch (state) {
    case 'new':
      return cleanup.add(new Socket({ family }));
    case 'bound': {
      const socket = cleanup.add(new Socket({ family }));
      const where = place(family);
      if ('path' in where) socket.bindUnix(where.path);
      else socket.bind(where.host, 0);
      return socket;
    }
    case 'connecting':
      return connecting(cleanup, family);
    case 'connected':
      return (await connectedPair(cleanup, family))[0];
    case 'half-closed by its peer': {
      const [near, far] = await connectedPair(cleanup, family);
      await far.shutdown('write');
      await turns(1);
      return near;
    }
    case 'reset by its peer': {
      const [near, far] = await connectedPair(cleanup, family);
      await reset(near, far);
      return near;
    }
    case 'listening':
      return listening(cleanup, family).listener as unknown as Socket;
    case 'closed': {
      const socket = new Socket({ family });
      socket.close();
      return socket;
    }
  }
}
