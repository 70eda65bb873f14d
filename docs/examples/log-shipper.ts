import { createInterface } from 'node:readline';
import { SocketError } from '@sock/core';
import { ReconnectingSocket } from '@sock/reconnect';

const unconfirmedMax = 1_000;
/** Lines that the server has not confirmed; the first has the number `confirmed + 1`. */
const lines: string[] = [];
let confirmed = 0;
/** The last one that this connection has been given; undefined until the server has spoken. */
let sent: number | undefined;
let answer = '';

const link = new ReconnectingSocket('127.0.0.1', Number(process.env.PORT), {
  initialDelay: 10,
  maxDelay: 200,
  maxAttempts: Number.POSITIVE_INFINITY,
  circuitFailureThreshold: Number.POSITIVE_INFINITY,
});
link.on('lost', () => {
  sent = undefined;
  answer = '';
});
link.connect();

const input = createInterface({ input: process.stdin });
input.on('line', (text) => {
  lines.push(`${confirmed + lines.length + 1} ${text}\n`);
  if (lines.length >= unconfirmedMax) process.stdin.pause();
  ship();
});
const ended = new Promise((resolve) => input.on('close', resolve));

function ship(): void {
  if (sent === undefined || sent === confirmed + lines.length) return;
  const batch = lines.slice(sent - confirmed).join('');
  sent = confirmed + lines.length;
  link.sendAll(batch).catch((error: unknown) => {
    // What is lost with a connection is still in `lines`, and goes out with the next.
    if (!(error instanceof SocketError)) throw error;
  });
}

async function confirm(): Promise<void> {
  for await (const chunk of link) {
    const numbers = (answer + chunk.toString()).split('\n');
    answer = numbers.pop() ?? '';
    if (numbers.length === 0) continue;
    const number = Number(numbers.at(-1));
    lines.splice(0, number - confirmed);
    confirmed = number;
    sent ??= confirmed;
    ship();
    process.stdin.resume();
  }
}

const confirming = confirm();
await ended;
while (lines.length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
await link.end();
await confirming;
console.log(`${confirmed} lines are on the server`);
