import { cidrMatch, connect, listen, parseIp } from '@sock/core';

const denied = ['192.0.2.0/24', '2001:db8::/32'];

/** One key for one peer, however its address is written. */
function keyOf(address: string): string {
  const ip = parseIp(address);
  if (ip === null) throw new TypeError(`no address: ${address}`);
  return ip.mappedIpv4 ?? ip.address;
}

console.log(keyOf('2001:DB8:0:0:0:0:0:1'), keyOf('::ffff:192.0.2.7'));

const listener = listen({ host: '127.0.0.1' });
const client = await connect({ host: '127.0.0.1', port: listener.localPort });
const connection = await listener.accept();
const peer = connection.remoteAddress ?? '';
const isDenied = denied.some((network) => cidrMatch(peer, network));
console.log(`${keyOf(peer)} is ${isDenied ? 'denied' : 'let in'}`);

connection.close();
client.close();
listener.close();
