import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Resolver } from '@sock/dns';

const server = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;

const resolver = new Resolver({ timeout: 2_000 });
const { lookup } = resolver;
const request = get({ host: 'localhost', port, family: 4, lookup, agent: false });
const [response] = (await once(request, 'response')) as [IncomingMessage];
for await (const chunk of response) console.log(`${chunk}`);

server.close();
resolver.close();
