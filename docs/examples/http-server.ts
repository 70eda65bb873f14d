import http from 'node:http';
import { serve, toDuplex } from '@sock/core';

const web = http.createServer((request, response) => {
  response.end(`hello from ${request.url}\n`);
});
// A server that listens by itself begins to watch its time limits here.
web.emit('listening');

const server = serve({ host: '127.0.0.1', port: Number(process.env.PORT ?? 8080) }, (socket) => {
  web.emit('connection', toDuplex(socket, { allowHalfOpen: true }));
});
console.log(`listening on port ${server.localPort}`);

process.once('SIGTERM', () => {
  web.close(); // closes what is idle
  void server.drain({ timeout: 5_000 }); // waits for the others
});
