import { expectOutput, run } from './example.js';

describe('of memory, the example', () => {
  it('arena receives into it, and rejects who waits with what it released', async () => {
    expectOutput(await run('arena'), [
      'hello, from 4096 bytes of the arena',
      '<Buffer 00 00 00>',
      'ERR_SOCK_BUFFER_DETACHED',
    ]);
  });

  it('ring-buffer puts lines together, longer than it was at first', async () => {
    expectOutput(await run('ring-buffer'), ['one', 'two', 'three', 'ERR_SOCK_EOF']);
  });
});
