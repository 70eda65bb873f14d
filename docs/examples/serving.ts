import { once } from 'node:events';
import { serve } from '@sock/core';

const server = serve(
  { host: '127.0.0.1', port: Number(process.env.PORT ?? 7000), maxConnections: 1_000 },
  async (socket, { signal }) => {
    // Drained: no further requests, but those that are here already are answered.
    signal.addEventListener('abort', () => void socket.shutdown('read'), { once: true });
    for await (const request of socket) await socket.sendAll(`you said ${request}`);
  },
);
console.log(`listening on port ${server.localPort}`);

await once(process, 'SIGTERM');
const cutOff = await server.drain({ timeout: 5_000 });
console.log(`${cutOff} connections had to be cut off`);
