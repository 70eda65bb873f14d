import { listen } from '@sock/core';
import { type Connection, SocketPool } from '@sock/pool';

const pool = new SocketPool<string>({ maxConnections: 1_000, idleTimeout: 600_000 });
pool.setMaxPerIp(2);
pool.setConnectionRate(50, 20);

function tellAll(line: string): void {
  for (const { socket } of pool) {
    if (socket.sendQueueBytes > 64 * 1024)
      socket.close(); // reads too slowly
    else socket.sendAll(line).catch(() => {});
  }
}

async function talk({ socket, input, data }: Connection<string>): Promise<void> {
  tellAll(`${data} is here\n`);
  try {
    for await (const chunk of socket) {
      if (input.write(chunk) < chunk.length) break; // a line that is too long
      for (;;) {
        const end = input.peek().indexOf('\n');
        if (end < 0) break;
        tellAll(`${data}: ${input.read(end + 1)}`);
      }
    }
  } catch {
    // It broke off, or was idle for too long.
  }
  socket.close();
  tellAll(`${data} has left\n`);
}

const listener = listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
process.once('SIGTERM', () => {
  listener.close();
  pool.close();
});

try {
  for (;;) {
    const connection = await pool.acceptLimited(listener);
    connection.data = `guest ${pool.stats.added}`;
    void talk(connection);
  }
} catch {
  // The listener is closed.
}
