import { listen } from '@sock/core';
import { connectTls, TlsContext, TlsSocket } from '@sock/tls';

const { CERT = '', KEY = '', CA = '' } = process.env; // PEM text, or paths

const context = TlsContext.server({ cert: CERT, key: KEY });
const listener = listen({ host: '127.0.0.1' });

async function answer(): Promise<void> {
  await using server = TlsSocket.enable(await listener.accept(), context);
  await server.handshake({ timeout: 5_000 });
  for await (const chunk of server) await server.sendAll(`you said "${chunk}"`);
}

const answering = answer();
const client = await connectTls({
  host: 'localhost',
  port: listener.localPort,
  context: TlsContext.client({ ca: CA }), // without: whom the system trusts
});
await client.sendAll('hello');
console.log(client.version, (await client.recv()).toString());
await client.end(); // tells the server that this was all
await answering;
listener.close();
