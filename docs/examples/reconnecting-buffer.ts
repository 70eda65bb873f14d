import { SocketError } from '@sock/core';
import { ReconnectingSocket } from '@sock/reconnect';

const port = Number(process.env.PORT);
const link = new ReconnectingSocket('127.0.0.1', port, { delivery: 'buffer', bufferMax: 1_000 });
link.connect();

// Not connected yet: it waits, and goes out with the connection.
await link.sendAll('hello\n');

try {
  await link.sendAll('this may be cut off\n');
} catch (error) {
  if (!(error instanceof SocketError)) throw error;
  console.log(`${error.bytesTransferred} bytes left, ${error.bytesAcknowledged} arrived`);
}
await link.end();
console.log('all is sent');
