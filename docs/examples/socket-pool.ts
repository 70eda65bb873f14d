import { listen } from '@sock/core';
import { SocketPool } from '@sock/pool';

const pool = new SocketPool<string>({ maxConnections: 1_000, idleTimeout: 60_000 });
const listener = listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
process.once('SIGTERM', () => {
  listener.close();
  pool.close();
});

for await (const socket of listener) {
  const connection = pool.add(socket);
  if (connection === null) {
    socket.close(); // every place is taken
    continue;
  }
  connection.data = `guest ${pool.stats.added}`;
  await socket.sendAll(`welcome, ${connection.data}; you are ${pool.count}\n`);
}
