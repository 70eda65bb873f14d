import { connect, listen } from '@sock/core';

const server = listen({ host: '127.0.0.1', fastOpen: 64 });
const port = server.localPort;

for (const request of ['first', 'second']) {
  const socket = await connect({ host: '127.0.0.1', port, fastOpen: true });
  await socket.sendAll(request);
  const accepted = await server.accept();
  console.log(
    `${await accepted.recv()}, with the first packet: ${accepted.tcpInfo().synDataAcked}`,
  );
  accepted.close();
  await socket.end();
}
server.close();
