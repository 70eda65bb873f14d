import { writeFile } from 'node:fs/promises';
import { connect, serve } from '@sock/core';

const path = process.env.FILE ?? 'film.mp4';
await writeFile(path, 'a film, in two parts');

const server = serve({ host: '127.0.0.1' }, async (socket) => {
  const [offset, length] = (await socket.recv()).toString().split(' ').map(Number);
  await socket.sendAll('part: ');
  await socket.sendFileAll(path, { offset, length });
});

const socket = await connect({ host: '127.0.0.1', port: server.localPort });
await socket.sendAll('8 12');
for await (const chunk of socket) console.log(`${chunk}`);
socket.close();
server.close();
await server.finished;
