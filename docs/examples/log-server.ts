import { appendFileSync, readFileSync, truncateSync } from 'node:fs';
import { serve } from '@sock/core';

const file = String(process.env.LOG_FILE);
appendFileSync(file, '');
// A piece of a line at the end is from a write that was cut off: nobody was told that it is there.
const complete = readFileSync(file, 'utf8').replace(/[^\n]*$/, '');
truncateSync(file, Buffer.byteLength(complete));
let last = complete.split('\n').length - 1;

const server = serve({ host: '127.0.0.1', port: Number(process.env.PORT) }, async (socket) => {
  await socket.sendAll(`${last}\n`);
  let rest = '';
  for await (const chunk of socket) {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    // What comes for the second time is on the disk already.
    const fresh = lines.filter((line) => Number.parseInt(line, 10) > last);
    if (fresh.length === 0) continue;
    appendFileSync(file, `${fresh.join('\n')}\n`);
    last = Number.parseInt(String(fresh.at(-1)), 10);
    await socket.sendAll(`${last}\n`);
  }
});
console.log(`port ${server.localPort}`);
