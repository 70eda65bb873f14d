/**
 * A server that echoes, run with few descriptors. On each line of input it does what that says and
 * reports how it fares; it ends with its input.
 */
import { createInterface } from 'node:readline';
import { listen, type Socket, SocketClosedError } from '@sock/core';

const listener = listen({ host: '127.0.0.1' });
const held: Socket[] = [];
let accepted = 0;
let warnings = 0;
let cpu = process.cpuUsage();
process.on('warning', ({ message }) => {
  if (message.includes('EMFILE')) warnings++;
});

async function echo(socket: Socket): Promise<void> {
  for await (const chunk of socket) await socket.sendAll(chunk);
}

function take(socket: Socket): void {
  accepted++;
  held.push(socket);
  echo(socket).catch(() => {});
}

async function byIteration(): Promise<void> {
  for await (const socket of listener) take(socket);
}

async function oneByOne(): Promise<void> {
  try {
    for (;;) take(await listener.accept());
  } catch (error) {
    if (!(error instanceof SocketClosedError)) throw error;
  }
}

function report(): void {
  const { user, system } = process.cpuUsage(cpu);
  cpu = process.cpuUsage();
  console.log(JSON.stringify({ accepted, warnings, cpuMs: (user + system) / 1_000 }));
}

function release(): void {
  for (const socket of held.splice(0)) socket.close();
}

const orders = createInterface({ input: process.stdin });
orders.on('line', (line) => {
  if (line === 'release') release();
  report();
});
orders.on('close', () => {
  listener.close();
  release();
  report();
});
console.log(listener.localPort);
void (process.argv[2] === 'iteration' ? byIteration() : oneByOne());
