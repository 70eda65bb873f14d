import { Socket } from '@sock/core';

const [client, server] = Socket.pair();
await client.sendAll('a question');
await client.shutdown('write');

// The end of the question is not the end of the connection: there is still an answer to send.
let question = '';
for await (const chunk of server) question += chunk;
await server.sendAll(`you asked: ${question}`);
server.close();

for await (const chunk of client) console.log(String(chunk));
client.close();
