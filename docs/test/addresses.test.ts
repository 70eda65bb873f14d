import { expectOutput, run } from './example.js';

describe('of addresses, the example', () => {
  it('addresses has one key for each, and lets in who is not denied', async () => {
    expectOutput(await run('addresses'), ['2001:db8::1 192.0.2.7', '127.0.0.1 is let in']);
  });
});
