import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, listen } from '@sock/core';
import { TcpSampler } from '@sock/metrics';
import { collectSockMetrics } from '@sock/metrics/prometheus';
import { register } from 'prom-client';

const links = new TcpSampler();
collectSockMetrics({ tcp: links });
const endpoint = createServer(async (_, response) => {
  response.setHeader('content-type', register.contentType);
  response.end(await register.metrics());
});
await once(endpoint.listen(Number(process.env.METRICS_PORT ?? 9464)), 'listening');

const server = listen({ host: '127.0.0.1' });
const socket = await connect({ host: '127.0.0.1', port: server.localPort });
links.add('upstream', socket);

const scrape = await register.metrics();
console.log(scrape.match(/^sock_connect_duration_seconds_count.*$/m)?.[0]);
console.log(scrape.match(/^sock_tcp_connection_congestion_window.*$/m)?.[0]);
for (const closeable of [socket, server, endpoint]) closeable.close();
