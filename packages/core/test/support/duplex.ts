/** Duplexes over sockets of ours, and Node's own sockets in the same place. */
import { once } from 'node:events';
import net from 'node:net';
import {
  connect,
  type DuplexOptions,
  listen,
  type Socket,
  type SocketDuplex,
  toDuplex,
} from '@sock/core';
import { within } from '@sock/testing';
import type { Cleanup } from './states.js';

const host = '127.0.0.1';

export interface Pair {
  /** The one that is looked at. */
  readonly subject: SocketDuplex;
  /** Its peer: always a socket of Node's, in this process. */
  readonly peer: net.Socket;
}

async function peerOf(port: number | undefined, cleanup: Cleanup): Promise<net.Socket> {
  const peer = net.connect({ host, port: Number(port), allowHalfOpen: true });
  // What the peer suffers is not what is looked at.
  peer.on('error', () => {});
  cleanup.add({ close: () => peer.destroy() });
  await once(peer, 'connect');
  return peer;
}

/** A socket of ours and a peer of Node's. */
export async function socketAndPeer(cleanup: Cleanup): Promise<[Socket, net.Socket]> {
  const listener = cleanup.add(listen({ host }));
  const [socket, peer] = await Promise.all([
    listener.accept(),
    peerOf(listener.localPort, cleanup),
  ]);
  listener.close();
  return [cleanup.add(socket), peer];
}

export async function duplexPair(cleanup: Cleanup, options: DuplexOptions = {}) {
  const [socket, peer] = await socketAndPeer(cleanup);
  const subject = toDuplex(socket, options);
  return { subject, peer, socket };
}

export async function netPair(cleanup: Cleanup, options: DuplexOptions = {}): Promise<Pair> {
  const server = net.createServer({ noDelay: true, ...options });
  cleanup.add(server);
  server.listen(0, host);
  await once(server, 'listening');
  const [[subject], peer] = await Promise.all([
    once(server, 'connection') as Promise<[net.Socket]>,
    peerOf((server.address() as net.AddressInfo).port, cleanup),
  ]);
  server.close();
  cleanup.add({ close: () => subject.destroy() });
  // To a test they are the same; whether they are is what it finds out.
  return { subject: subject as unknown as SocketDuplex, peer };
}

/** Two sockets of ours. */
export async function socketPair(cleanup: Cleanup): Promise<[Socket, Socket]> {
  const listener = cleanup.add(listen({ host }));
  const target = { host, port: listener.localPort };
  const [near, far] = await Promise.all([connect(target), listener.accept()]);
  listener.close();
  return [cleanup.add(near), cleanup.add(far)];
}

/** For tests, waiting on an event of anything for five seconds. */
export function event(emitter: NodeJS.EventEmitter, name: string): Promise<unknown[]> {
  return within(5_000, once(emitter, name), `'${name}'`);
}
