import { DatagramSocket } from '@sock/dgram';

const gone = new DatagramSocket({ family: 'ipv4' });
gone.bind('127.0.0.1', 0);
const port = gone.localPort as number;
gone.close();

const socket = new DatagramSocket({ family: 'ipv4' });
socket.setRecvErrors(true);
await socket.sendTo('anybody there?', '127.0.0.1', port);
const { code, origin, address, data } = await socket.recvError();
console.log(`${code}, says ${origin} of ${address}: ${data}`);
socket.close();
