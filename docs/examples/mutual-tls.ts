import { connectTls, listenTls, TlsContext, TlsVerifyMode } from '@sock/tls';

const { CA = '', CERT = '', KEY = '', OWN_CERT = '', OWN_KEY = '' } = process.env; // PEM, or paths

const server = TlsContext.server({ cert: CERT, key: KEY, ca: CA });
server.setVerifyMode(TlsVerifyMode.FailIfNoPeerCert);
const listener = listenTls({ host: '127.0.0.1', context: server });

const client = TlsContext.client({ cert: OWN_CERT, key: OWN_KEY, ca: CA });
const { localPort: port } = listener;
const [near, far] = await Promise.all([
  connectTls({ host: 'localhost', port, context: client }),
  listener.accept(),
]);
console.log(far.peerCertificate?.subject, 'talks to', near.peerCertificate?.subject);
await Promise.all([near.end(), far.end()]);
listener.close();
