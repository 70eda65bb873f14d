import { Socket } from '@sock/core';
import { AsyncIO } from '@sock/poll';

const io = new AsyncIO();
const [near, far] = Socket.pair();

const patient = io.submitRecv(far, 1_024, (error, chunk) => {
  console.log(
    error === null ? `received ${chunk}` : `not received: ${(error as { code?: string }).code}`,
  );
});
io.submitSend(near, 'hello', (error, sent) => console.log(error ?? `sent ${sent} bytes`));

await io.recv(near, 1, { signal: AbortSignal.timeout(20) }).catch(({ name }) => console.log(name));
console.log(io.cancel(patient) ? 'cancelled' : 'was over');

await io[Symbol.asyncDispose]();
near.close();
far.close();
