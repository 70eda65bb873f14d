import { subscribe } from 'node:diagnostics_channel';
import type { AttemptEvent, LookupCompleteEvent } from '@sock/dns';
import { connectHappyEyeballs } from '@sock/dns';

subscribe('sock:dns:complete', (message) => {
  const { hostname, family, addresses } = message as LookupCompleteEvent;
  console.log(`${hostname}, ${family}: ${addresses?.join(' ')}`);
});
subscribe('sock:dns:attempt', (message) => {
  const { address, outcome } = message as AttemptEvent;
  console.log(`${address}: ${outcome}`);
});

const socket = await connectHappyEyeballs('localhost', Number(process.env.PORT ?? 7000));
await socket.end();
