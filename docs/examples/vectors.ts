import { Socket } from '@sock/core';

const [near, far] = Socket.pair();
const body = Buffer.from('several places, one message');
const header = Buffer.alloc(4);
header.writeUInt32BE(body.length);
await near.sendvAll([header, body, '\r\n']);

const [length, text, end] = [Buffer.alloc(4), Buffer.alloc(27), Buffer.alloc(2)];
const count = await far.recvvAll([length, text, end]);
console.log(`${count} bytes: ${length.readUInt32BE()}, "${text}", ${JSON.stringify(`${end}`)}`);
near.close();
far.close();
