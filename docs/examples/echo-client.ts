import { connect } from '@sock/core';

const socket = await connect({ host: '127.0.0.1', port: Number(process.env.PORT ?? 7000) });
try {
  await socket.sendAll('hello');
  console.log(`answer: ${await socket.recvAll(5)}`);
} finally {
  await socket.end();
}
