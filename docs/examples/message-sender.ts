import { Socket } from '@sock/core';

const [near, far] = Socket.pair();
far.setPassCredentials(true);
await near.sendAll('it was me');
const { credentials } = await far.recvMsg();
console.log(`sent by this process: ${credentials?.pid === process.pid}`);
near.close();
far.close();
