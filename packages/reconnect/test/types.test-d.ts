/** Never run: the compiler is the test. */
import { connect, type Socket, type StreamSocket } from '@sock/core';
import { connectHappyEyeballs } from '@sock/dns';
import {
  type CircuitBreaker,
  type ConnectFunction,
  type LostEvent,
  ReconnectingSocket,
  ReconnectState,
  type SharedCircuitBreaker,
} from '@sock/reconnect';

declare const shared: SharedCircuitBreaker;

export function connectFunctions(): ReconnectingSocket[] {
  const race: ConnectFunction = connectHappyEyeballs;
  const path: ConnectFunction = () => connect({ path: '/run/x' });
  const guarded: ConnectFunction = (host, port, options) =>
    shared.execute(() => connect({ host, port, ...options }));
  return [race, path, guarded].map((made) => new ReconnectingSocket('x', 1, {}, { connect: made }));
}

export async function verbs(link: ReconnectingSocket): Promise<void> {
  const count: number = await link.send('x');
  await link.sendAll(new Uint8Array(count), { timeout: 1 });
  const chunk: Buffer = await link.recv(1);
  const filled: number = await link.recv(chunk);
  const perhaps: Buffer | null = link.tryRecv(filled);
  const socket: StreamSocket | null = link.socket;
  for await (const next of link) next satisfies Buffer;
  await using ending = link;
  using closing = link;
  void [perhaps, socket, ending, closing];
}

export function events(link: ReconnectingSocket): void {
  link.on('lost', ({ error, bytesSent, duration }: LostEvent) => [error, bytesSent, duration]);
  link.once('connected', (socket) => socket.isConnected);
  link.on('state', ({ to }) => to === ReconnectState.CircuitOpen);
  // @ts-expect-error There is no such event.
  link.on('gone', () => {});
}

export async function calls(breaker: CircuitBreaker): Promise<Socket> {
  const text: string = await breaker.execute(() => 'x');
  void text;
  return breaker.execute(async () => connect({ port: 1 }));
}
