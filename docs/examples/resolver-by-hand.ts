import { Resolver } from '@sock/dns';
import { PollEvents, SocketPoll } from '@sock/poll';

const resolver = new Resolver({ timeout: 2_000 });
const poll = new SocketPoll();
poll.add(resolver.pollFd, PollEvents.Read);

const requests = [80, 443].map((port) =>
  resolver.submit('localhost', port, (error, addresses) => {
    console.log(error?.message ?? `${addresses?.length ? 'found' : 'nothing'} for port ${port}`);
  }),
);
while (requests.some(({ state }) => state === 'pending')) {
  poll.waitSync();
  resolver.check();
}
poll.close();
resolver.close();
