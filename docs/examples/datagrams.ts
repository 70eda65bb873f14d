import { DatagramSocket } from '@sock/dgram';

const server = new DatagramSocket({ family: 'ipv4' });
server.bind('127.0.0.1', 0);
const client = new DatagramSocket({ family: 'ipv4' });
await client.connect('127.0.0.1', server.localPort as number);
await client.sendBatch([{ data: 'one' }, { data: 'two' }]);
const questions = await server.recvBatch();
await server.sendBatch(questions); // back to where they came from
for (const { data } of await client.recvBatch()) console.log(String(data));
server.close();
client.close();
