import { describeWithPeers } from '@sock/testing';
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

  it('tcp-proxy carries both ways', async () => {
    expectOutput(await run('tcp-proxy'), [
      'the server got 16777216 bytes',
      'the client got welcome',
      'both sides are closed',
    ]);
  });
});

describeWithPeers(['python3'], 'of polling, the example with Python', () => {
  it('log-follower waits for a file and for a socket', async () => {
    // A sanitizer that is loaded into this process is not meant for Python.
    const before = 'delete process.env.LD_PRELOAD;';
    expectOutput(await run('log-follower', before), ['started', 'the operator says stop']);
  });
});
