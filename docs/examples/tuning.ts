import { connect, listen } from '@sock/core';

const server = listen({ host: '127.0.0.1' });
// What it accepts from now on inherits this.
server.setKeepAlive({ idle: 30_000, interval: 5_000, count: 3 });

const near = await connect({ host: '127.0.0.1', port: server.localPort });
const far = await server.accept();
console.log(far.getKeepAlive());

// The kernel doubles the size of a buffer for its own overhead.
near.setSendBufferSize(32 * 1024);
console.log(near.getSendBufferSize());

// What was sent may stay without an acknowledgement for so long, in milliseconds.
near.setUserTimeout(10_000);

await near.sendAll('hello');
await far.recvAll(5);
const { state, bytesReceived } = far.tcpInfo();
console.log(state, bytesReceived);

for (const socket of [near, far, server]) socket.close();
