/** Waits for a word on its standard input, listens on a path, and holds it until the input ends. */
import { createInterface } from 'node:readline';
import { listen } from '@sock/core';

const path = process.argv[2] ?? '';
const lines = createInterface({ input: process.stdin });
let release = (): void => {};
lines.once('line', () => {
  try {
    const listener = listen({ path });
    release = () => listener.close();
    console.log('taken');
  } catch (error) {
    console.log((error as NodeJS.ErrnoException).code);
  }
});
lines.once('close', () => release());
console.log('ready');
