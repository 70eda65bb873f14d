import { listen, type Socket } from '@sock/core';

const server = listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 7000) });
console.log(`listening on port ${server.localPort}`);
process.once('SIGINT', () => server.close());

for await (const socket of server) echo(socket).catch(console.error);

async function echo(socket: Socket): Promise<void> {
  try {
    for await (const chunk of socket) await socket.sendAll(chunk);
  } finally {
    socket.close();
  }
}
