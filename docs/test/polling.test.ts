import { expectOutput, run } from './example.js';

describe('of polling, the example', () => {
  it('readiness waits for the first message', async () => {
    expectOutput(await run('readiness'), ['hello']);
  });

  it('polling serves and asks in one loop', async () => {
    expectOutput(await run('polling'), ['you said hello', 'the client is gone']);
  });

  it('timers tick, and put off a timeout', async () => {
    expectOutput(await run('timers'), ['3 ticks, and 1 second left']);
  });
});
