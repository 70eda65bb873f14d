import { HappyEyeballs, Resolver } from '@sock/dns';
import { SocketPoll } from '@sock/poll';

const resolver = new Resolver();
const poll = new SocketPoll();
const race = HappyEyeballs.start(resolver, poll, 'localhost', Number(process.env.PORT ?? 7000));

while (!race.poll()) {
  for (const { data } of poll.waitSync()) if (data === race) race.process();
}
const socket = race.result();
console.log(socket === null ? race.error?.message : `connected to ${socket.remoteAddress}`);

socket?.close();
race.close();
poll.close();
resolver.close();
