import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { Socket } from '@sock/core';

const [near, far] = Socket.pair();
writeFileSync('note.txt', 'read by somebody who could not open it');
await near.sendMsg({ data: 'a note', fds: [openSync('note.txt', 'r')] });

const { data, fds } = await far.recvMsg();
for (const received of fds) {
  console.log(`${data}: ${readFileSync(received.fd, 'utf8')}`);
  received.close();
}
near.close();
far.close();
