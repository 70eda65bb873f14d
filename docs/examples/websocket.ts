import { once } from 'node:events';
import http from 'node:http';
import { connect, serve, toDuplex } from '@sock/core';
import { WebSocket, WebSocketServer } from 'ws';

const web = http.createServer();
new WebSocketServer({ server: web }).on('connection', (socket) => {
  socket.on('message', (message) => socket.send(`you said ${message}`));
});
await using server = serve({ host: '127.0.0.1' }, (socket) => {
  web.emit('connection', toDuplex(socket, { allowHalfOpen: true }));
});

const { localPort: port } = server;
const socket = await connect({ host: '127.0.0.1', port });
const client = new WebSocket(`ws://127.0.0.1:${port}/`, {
  createConnection: () => toDuplex(socket) as never,
});
await once(client, 'open');
client.send('hello');
const [message] = await once(client, 'message');
console.log(String(message));
client.close();
await once(client, 'close');
