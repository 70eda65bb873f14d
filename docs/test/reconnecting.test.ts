import { expectOutput, run } from './example.js';

describe('of connections that come back, the example', () => {
  it('circuit-breaker stops asking what keeps failing', async () => {
    const lines = ['not asked: it has failed 3 times in a row'];
    expectOutput(await run('circuit-breaker'), lines);
  });
});
