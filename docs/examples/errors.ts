import { connect, SocketError, TimeoutError } from '@sock/core';

const port = Number(process.env.PORT ?? 7000);
try {
  const socket = await connect({ host: '127.0.0.1', port, timeout: 2_000 });
  await socket.end();
} catch (error) {
  if (error instanceof TimeoutError) {
    console.log(`nothing for ${error.timeout} ms`);
  } else if (error instanceof SocketError && error.code === 'ECONNREFUSED') {
    console.log(`nobody listens on ${error.address}; worth another try: ${error.retryable}`);
  } else {
    throw error;
  }
}
