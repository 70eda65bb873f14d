import { DatagramBatch, DatagramSocket } from '@sock/dgram';

const server = new DatagramSocket({ family: 'ipv4' });
server.bind('127.0.0.1', 0);
const client = new DatagramSocket({ family: 'ipv4' });
await client.connect('127.0.0.1', server.localPort as number);
await client.sendSegments('a bulk of bytes', 5);

const batch = new DatagramBatch({ max: 128 });
await server.recvBatchInto(batch);
for (let i = 0; i < batch.length; i++) {
  console.log(batch.offset(i), batch.byteLength(i), String(batch.data(i)));
}
console.log(await server.sendBatch(batch), 'went back');
server.close();
client.close();
