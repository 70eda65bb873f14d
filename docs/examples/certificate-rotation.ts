import { copyFileSync } from 'node:fs';
import { connectTls, listenTls, TlsContext, watchTlsFiles } from '@sock/tls';

const { FOLDER = '.', CA = '' } = process.env; // has tls.crt and tls.key, next.crt and next.key

const context = TlsContext.server();
const files = { certificate: { cert: `${FOLDER}/tls.crt`, key: `${FOLDER}/tls.key` } };
const watch = watchTlsFiles(context, files, { interval: 100 });

const listener = listenTls({ host: '127.0.0.1', context });
const serving = (async () => {
  for await (const socket of listener) {
    for await (const chunk of socket) await socket.sendAll(chunk);
    socket.close();
  }
})();

// Clients come and go, and look at what they are shown, until it is another one.
const client = TlsContext.client({ ca: CA });
const target = { host: 'localhost', port: listener.localPort, context: client };
const seen = new Set();
for (let requests = 1; seen.size < 2; requests++) {
  const socket = await connectTls(target);
  seen.add(socket.peerCertificate?.serialNumber);
  await socket.sendAll('hello');
  await socket.recvAll(5);
  await socket.end();
  if (requests !== 100) continue;
  for (const end of ['crt', 'key']) copyFileSync(`${FOLDER}/next.${end}`, `${FOLDER}/tls.${end}`);
}
console.log('another certificate is shown, and no request has failed');

watch.close();
listener.close();
await serving;
