import { expectOutput, run } from './example.js';

describe('of coming from net, the example', () => {
  it('from-net has the conversation that its remarks have', async () => {
    expectOutput(await run('from-net'), ['hello, 127.0.0.1', 'the end']);
  });

  it('half-open answers after the end of the question', async () => {
    expectOutput(await run('half-open'), ['you asked: a question']);
  });

  it('keeps-alive ends when nobody waits any more', async () => {
    expectOutput(await run('keeps-alive'), ['here I am', 'ends with an open connection: true']);
  });

  it('silence gives up on one operation, and goes on with the next', async () => {
    expectOutput(await run('silence'), ['recv timed out after 20 ms', 'late']);
  });
});
