import { PollEvents, SocketPoll } from '@sock/poll';
import { ReconnectingSocket } from '@sock/reconnect';

const port = Number(process.env.PORT);
const link = new ReconnectingSocket('127.0.0.1', port, {}, { byHand: true });
const poll = new SocketPoll();
poll.add(link.pollFd, PollEvents.Read);
link.connect();

let text = '';
while (!text.includes('goodbye')) {
  poll.waitSync(link.nextTimeoutMs());
  link.process();
  if (link.isConnected) text += link.tryRecv() ?? '';
}
console.log(text);
poll.close();
link.close();
