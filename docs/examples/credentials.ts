import { connect, listen } from '@sock/core';

const server = listen({ path: '@sock-docs-credentials' });
const near = await connect({ path: '@sock-docs-credentials' });
const far = await server.accept();

const peer = far.peerCredentials;
console.log(peer?.pid === process.pid, peer?.uid === process.geteuid?.());

for (const socket of [near, far, server]) socket.close();
