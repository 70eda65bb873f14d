/** One of two processes with very many connections between them: the server, or the clients. */
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, listen, type Socket } from '@sock/core';
import { binding } from '@sock/native';

const { gc: collect } = globalThis as unknown as { gc: () => void };
/** Fewer than fit the backlog. */
const atOnce = 1_000;

interface Report {
  descriptors: number;
  pages: number;
  rssBytes: number;
}

async function report(): Promise<Report> {
  for (let round = 0; round < 4; round++) {
    collect();
    await sleep(10);
  }
  const { rss: rssBytes } = process.memoryUsage();
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    pages: binding.pages.length,
    rssBytes,
  };
}

let open = 0;

async function echo(socket: Socket): Promise<void> {
  open++;
  for await (const chunk of socket) await socket.sendAll(chunk);
  socket.close();
  open--;
}

async function serve(): Promise<void> {
  const listener = listen({ host: '0.0.0.0' });
  const orders = createInterface({ input: process.stdin });
  orders.on('line', async () => console.log(JSON.stringify(await report())));
  orders.on('close', async () => {
    // The last connections may still be on their way out.
    for (let round = 0; round < 500 && open > 0; round++) await sleep(10);
    console.log(JSON.stringify(await report()));
    listener.close();
  });
  console.log(listener.localPort);
  for await (const socket of listener) echo(socket).catch(() => {});
}

/** Every client of a round has its connection and its answer before the first one leaves. */
async function round(total: number, host: string, port: number): Promise<void> {
  const sockets: Socket[] = [];
  for (let made = 0; made < total; made += atOnce) {
    const count = Math.min(atOnce, total - made);
    sockets.push(
      ...(await Promise.all(Array.from({ length: count }, () => connect({ host, port })))),
    );
  }
  await Promise.all(
    sockets.map(async (socket, index) => {
      const word = `number ${index}`;
      const answer = socket.recvAll(word.length);
      await socket.sendAll(word);
      if (String(await answer) !== word) throw new Error('bytes went wrong');
    }),
  );
  for (const socket of sockets) socket.close();
}

async function visit(port: number, total: number): Promise<void> {
  const reports: Report[] = [];
  for (let number = 1; number <= 3; number++) {
    // Another address each time: ports of the one before are not free yet.
    await round(total, `127.0.0.${number}`, port);
    reports.push(await report());
  }
  console.log(JSON.stringify(reports));
}

const [role, port, total] = process.argv.slice(2);
void (role === 'server' ? serve() : visit(Number(port), Number(total)));
