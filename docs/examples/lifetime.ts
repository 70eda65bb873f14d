import { connect, listen } from '@sock/core';

const server = listen({ host: '127.0.0.1' });
const socket = await connect({ host: '127.0.0.1', port: server.localPort });
const connection = await server.accept();

// Three open sockets, and nothing waits: at this point the process could end.

const waiting = socket.recv();
// Now it would run until something comes. Not any more:
socket.unref();

// What was waiting when a socket is closed learns of it.
socket.close();
await waiting.catch((error) => console.log(error.code));
connection.close();
server.close();
