import { connect, listen, Socket } from '@sock/core';

// Two ends of one channel; in earnest they are in two processes.
const [master, worker] = Socket.pair('seqpacket');
const listener = listen({ host: '127.0.0.1' });
const client = await connect({ host: '127.0.0.1', port: listener.localPort });

// The master accepts, and hands over. What it passed it can close at once.
const accepted = await listener.accept();
await master.sendMsg({ data: 'serve this', fds: [accepted] });
accepted.close();
listener.close();

// The worker takes the number out of the object that owned it.
const { fds } = await worker.recvMsg();
for (const received of fds) {
  const connection = Socket.fromFd(received.take());
  await connection.sendAll('hello from the worker');
  connection.close();
}

console.log(String(await client.recv()));
for (const socket of [client, master, worker]) socket.close();
