import { expectOutput, run } from './example.js';

describe('of datagrams, the example', () => {
  it('datagrams answers a batch', async () => {
    expectOutput(await run('datagrams'), ['one', 'two']);
  });
});
