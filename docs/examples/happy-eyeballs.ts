import { connect, HappyEyeballsError } from '@sock/core';
import { connectHappyEyeballs, raceTrace } from '@sock/dns';

const port = Number(process.env.PORT ?? 7000);
try {
  const socket = await connect({ host: 'localhost', port, race: connectHappyEyeballs });
  for (const { type, address } of raceTrace(socket) ?? []) {
    if (address !== undefined) console.log(`${type} ${address}`);
  }
  await socket.end();
} catch (error) {
  if (!(error instanceof HappyEyeballsError)) throw error;
  for (const { message } of error.errors) console.log(message);
}
