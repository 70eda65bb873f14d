import { subscribe } from 'node:diagnostics_channel';
import { type CloseEvent, type ConnectErrorEvent, connect, listen } from '@sock/core';

subscribe('sock:core:close', (message) => {
  const { remoteAddress, bytesRead, bytesWritten, error } = message as CloseEvent;
  console.log(`${remoteAddress}: ${bytesRead} in, ${bytesWritten} out, ${error?.code ?? 'ok'}`);
});
subscribe('sock:core:connect-error', (message) => {
  const { remoteAddress, error } = message as ConnectErrorEvent;
  console.log(`${remoteAddress}: ${(error as NodeJS.ErrnoException).code}`);
});

const server = listen({ host: '127.0.0.1' });
const near = await connect({ host: '127.0.0.1', port: server.localPort });
const far = await server.accept();
await near.sendAll('hello');
await far.recvAll(5);
for (const socket of [near, far, server]) socket.close();

await connect({ path: '@sock-docs-nobody' }).catch(() => {});
