import { connect, isSocketError, serve } from '@sock/core';

// net.createServer((socket) => socket.pipe(socket)).listen(0)
await using server = serve({ host: '127.0.0.1' }, async (socket) => {
  for await (const chunk of socket) await socket.sendAll(chunk);
});

// socket = net.connect(port, host); socket.on('error', …); socket.on('connect', …)
const socket = await connect({ host: '127.0.0.1', port: server.localPort });
try {
  await socket.sendAll('hello'); // socket.write('hello', callback)
  const answer = await socket.recv(); // socket.once('data', …)
  console.log(`${answer}, ${socket.remoteAddress}`);

  await socket.shutdown('write'); // socket.end()
  for await (const chunk of socket) console.log(`and ${chunk}`); // 'data' until 'end'
  console.log('the end');
} catch (error) {
  console.error(isSocketError(error) ? error.code : error); // socket.on('error', …)
} finally {
  socket.close(); // socket.destroy()
}
