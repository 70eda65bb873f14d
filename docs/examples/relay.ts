import { connect, relay, serve } from '@sock/core';

// Somebody who answers when everything was said.
const backend = serve({ host: '127.0.0.1' }, async (socket) => {
  let question = '';
  for await (const chunk of socket) question += chunk;
  await socket.sendAll(`you said "${question}"`);
});

// And somebody in between, who looks at the first bytes and leaves the rest to the kernel.
const proxy = serve({ host: '127.0.0.1' }, async (client) => {
  const name = (await client.recvAll(4)).toString();
  const upstream = await connect({ host: '127.0.0.1', port: backend.localPort });
  const { aToB, bToA } = await relay(client, upstream);
  console.log(`${name}: ${aToB} bytes there, ${bToA} back`);
});

const socket = await connect({ host: '127.0.0.1', port: proxy.localPort });
await socket.sendAll('joe hello');
await socket.shutdown();
for await (const chunk of socket) console.log(`${chunk}`);
socket.close();

for (const server of [proxy, backend]) {
  server.close();
  await server.finished;
}
