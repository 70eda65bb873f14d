import { DatagramSocket } from '@sock/dgram';

// What would be the StatsD daemon.
const daemon = new DatagramSocket({ family: 'ipv4' });
daemon.bind('127.0.0.1', 0);

const socket = new DatagramSocket({ family: 'ipv4' });
const statsd = socket.createSender({ address: '127.0.0.1', port: daemon.localPort });
statsd.send('requests:1|c');
statsd.send('latency:12.5|ms');
statsd.send('connections:42|g'); // all three leave together, when this turn is over

const metrics = await daemon.recvBatch();
console.log(metrics.map(({ data }) => String(data)).join(', '));
console.log(`sent ${statsd.sent}, dropped ${statsd.dropped}`);
socket.close();
daemon.close();
