import { Socket } from '@sock/core';
import { PollEvents, SocketPoll } from '@sock/poll';

const [near, far] = Socket.pair();
const poll = new SocketPoll<Socket>();
poll.add(near, PollEvents.Read);
poll.addTimer(1_000, () => console.log('nothing for a second'));
far.trySend('hello');
for (const { socket } of await poll.wait()) console.log(String(socket.tryRecv()));
poll.close();
near.close();
far.close();
