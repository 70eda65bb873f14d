import http from 'node:http';
import { toDuplex } from '@sock/core';
import { listenTls, TlsContext } from '@sock/tls';

const { CERT = '', KEY = '', PORT = '8443' } = process.env; // PEM text, or paths

const context = TlsContext.server({ cert: CERT, key: KEY });
context.setAlpnProtocols(['http/1.1']);

const web = http.createServer((request, response) => response.end(`hello ${request.url}\n`));
// A server that listens by itself begins to watch its time limits here.
web.emit('listening');

const listener = listenTls({ host: '127.0.0.1', port: Number(PORT), context });
console.log(`listening on port ${listener.localPort}`);
for await (const socket of listener) {
  web.emit('connection', toDuplex(socket, { allowHalfOpen: true }));
}
