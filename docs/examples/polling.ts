import { listen, Socket, SocketClosedError } from '@sock/core';
import { PollEvents, SocketPoll } from '@sock/poll';

const poll = new SocketPoll<Socket>();
const listener = listen({ host: '127.0.0.1' }) as unknown as Socket;
poll.add(listener, PollEvents.Read);

const client = new Socket({ family: 'ipv4' });
client.tryConnect('127.0.0.1', listener.localPort);
poll.add(client, PollEvents.Write);

for await (const { socket } of poll) {
  if (socket === listener) {
    const connection = listener.tryAccept();
    if (connection !== null) poll.add(connection, PollEvents.Read);
  } else if (!socket.isConnected && socket.tryConnect() === true) {
    socket.trySend('hello');
    poll.modify(socket, PollEvents.Read);
  } else if (socket === client) {
    console.log(String(client.tryRecv()));
    break;
  } else {
    const request = socket.tryRecv();
    if (request !== null) socket.trySend(`you said ${request}`);
  }
}
for (const socket of [client, listener]) socket.close();
for (const { socket } of poll.tryWait()) {
  try {
    socket.tryRecv();
  } catch (error) {
    if (!(error instanceof SocketClosedError)) throw error;
    console.log('the client is gone');
    socket.close();
  }
}
poll.close();
