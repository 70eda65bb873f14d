import { connect, listen } from '@sock/core';
import { AsyncIO } from '@sock/poll';

const io = new AsyncIO();
console.log(io.backendName);

const listener = listen({ host: '127.0.0.1' });
const serving = (async () => {
  for await (const connection of io.accepts(listener)) {
    for await (const chunk of io.receives(connection)) await io.send(connection, chunk);
    connection.close();
  }
})();

const client = await connect({ host: '127.0.0.1', port: listener.localPort as number });
await client.sendAll('hello');
console.log(String(await client.recv()));
await client.end();
listener.close();
await serving;
await io[Symbol.asyncDispose]();
