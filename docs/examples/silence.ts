import { Socket, TimeoutError } from '@sock/core';

const [near, far] = Socket.pair();

// Every operation may have a limit of its own, which counts from its beginning…
try {
  await near.recv(64, { timeout: 20 });
} catch (error) {
  if (!(error instanceof TimeoutError)) throw error;
  console.log(error.message);
}

// …and nothing is lost or closed by it: the next one goes on.
await far.sendAll('late');
console.log(String(await near.recv()));
near.close();
far.close();
