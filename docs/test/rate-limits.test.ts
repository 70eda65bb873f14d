import { expectOutput, run } from './example.js';

describe('of rate limits, the example', () => {
  it('rate-limiter waits as long as it must, and no longer than it may', async () => {
    expectOutput(await run('rate-limiter'), [
      '25 took 100 ms or longer: true',
      'a sixth at once: Infinity ms',
      'TimeoutError: acquire timed out after 1 ms',
    ]);
  });

  it('shared-limiter gives two threads what one would get', async () => {
    expectOutput(await run('shared-limiter'), ['1000 for two threads, 0 left']);
  });

  it('bandwidth takes its time, one way', async () => {
    expectOutput(await run('bandwidth'), ['150000 bytes in half a second or more: true', '0 true']);
  });
});
