import { connect } from '@sock/core';
import { AddressMemory, connectHappyEyeballs, Resolver } from '@sock/dns';

const port = Number(process.env.PORT ?? 7000);
const resolver = new Resolver({ cache: {} });
const memory = new AddressMemory();

for (let i = 0; i < 2; i++) {
  const socket = await connect({
    host: 'localhost',
    port,
    race: (name, number, limits) =>
      connectHappyEyeballs(name, number, { ...limits, resolver, memory, firstAttemptDelay: 100 }),
  });
  await socket.end();
}
console.log(`${memory.size} address is remembered`);
resolver.close();
