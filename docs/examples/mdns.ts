import { DatagramSocket } from '@sock/dgram';

const group = '224.0.0.251';
const socket = new DatagramSocket({ family: 'ipv4' });
socket.setReuseAddr(true); // others of this host listen, too
socket.setRecvPacketInfo(true);
socket.bind(null, Number(process.env.MDNS_PORT ?? 5353));
socket.joinMulticast(group, 'lo'); // once for each interface that is to be heard

// What would be a printer.
const printer = new DatagramSocket({ family: 'ipv4' });
printer.bind('127.0.0.1', 0);
printer.setMulticastInterface('lo');
const answer = Buffer.from([0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
await printer.sendTo(answer, group, socket.localPort as number);

for await (const { data, address, interfaceIndex, arrival } of socket) {
  const isAnswer = ((data[2] as number) & 0x80) !== 0;
  const what = isAnswer ? 'an answer' : 'a question';
  console.log(`${what} of ${address} to ${arrival?.destination}, on interface ${interfaceIndex}`);
  break;
}
socket.close();
printer.close();
