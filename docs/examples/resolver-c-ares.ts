import { Resolver } from '@sock/dns';

const server = process.env.NAME_SERVER ?? '127.0.0.1:53';
const resolver = new Resolver({ engine: 'c-ares', servers: [server], timeout: 2_000 });

const servers = await resolver.resolveSrv('_sip._tcp.example.test');
servers.sort((a, b) => a.priority - b.priority);
for (const { name, port, priority } of servers) console.log(`${priority}: ${name}:${port}`);
resolver.close();
