import { connect, listen, type Socket, SocketClosedError } from '@sock/core';
import { PollEvents, SocketPoll } from '@sock/poll';

const { Read, Write } = PollEvents;

/** One end of what is joined; `unsent` is what its socket has not taken yet. */
interface End {
  socket: Socket;
  peer: End;
  unsent: Buffer | null;
}

const upstream = listen({ host: '127.0.0.1' });
const proxy = listen({ host: '127.0.0.1' });
const poll = new SocketPoll<Socket, End>();

function join(socket: Socket, other: Socket): void {
  const near = { socket, unsent: null } as End;
  const far: End = { socket: other, peer: near, unsent: null };
  near.peer = far;
  for (const end of [near, far]) poll.add(end.socket, Read, end);
}

/** While one end is full, nothing more is read from the other: that is the limit of memory. */
function watch(end: End): void {
  const events = (end.peer.unsent === null ? Read : 0) | (end.unsent === null ? 0 : Write);
  poll.modify(end.socket, events, end);
}

function deliver(end: End, chunk: Buffer): void {
  const wasFull = end.unsent !== null;
  const sent = end.socket.trySend(chunk) ?? 0;
  end.unsent = sent < chunk.length ? chunk.subarray(sent) : null;
  if (wasFull !== (end.unsent !== null)) for (const one of [end, end.peer]) watch(one);
}

const running = poll.run(({ socket, events, data: end }) => {
  try {
    if (events & Write && end.unsent !== null) deliver(end, end.unsent);
    const chunk = events & Read && end.peer.unsent === null ? socket.tryRecv() : null;
    if (chunk !== null) deliver(end.peer, chunk);
  } catch (error) {
    for (const one of [end, end.peer]) one.socket.close();
    if (!(error instanceof SocketClosedError)) throw error;
  }
});

const client = await connect({ host: '127.0.0.1', port: proxy.localPort });
const accepted = await proxy.accept();
join(accepted, await connect({ host: '127.0.0.1', port: upstream.localPort }));
const server = await upstream.accept();

// More than the kernel holds, so the proxy has to wait for the server.
const sending = client.sendAll(Buffer.alloc(2 ** 24));
console.log(`the server got ${(await server.recvAll(2 ** 24)).length} bytes`);
await sending;
await server.sendAll('welcome');
console.log(`the client got ${await client.recv()}`);

server.close();
for await (const _ of client);
console.log('both sides are closed');
poll.close();
await running;
for (const socket of [client, upstream, proxy]) socket.close();
