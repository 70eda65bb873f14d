import { RingBuffer, Socket } from '@sock/core';

const [near, far] = Socket.pair();
const sending = near.sendAll('one\ntwo\nthree\n').then(() => near.end());

/** Received in place, and taken out line by line. */
const input = new RingBuffer(8);
async function* lines(): AsyncGenerator<string> {
  for (;;) {
    const end = input.peek().indexOf('\n');
    if (end >= 0) {
      yield String(input.read(end + 1).subarray(0, end));
      continue;
    }
    // A line longer than this is nothing that we sent.
    if (input.available > 1024) throw new RangeError('the line is too long');
    input.reserve(1);
    input.commit(await far.recv(input.writeView()));
  }
}

try {
  for await (const line of lines()) console.log(line);
} catch (error) {
  console.log((error as { code?: string }).code);
}
far.close();
await sending;
