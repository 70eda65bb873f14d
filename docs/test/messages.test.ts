import { useFolder } from '@sock/testing';
import { expectOutput, run } from './example.js';

const pathTo = useFolder();

describe('of messages, the example', () => {
  it('messages reads through a descriptor that was passed', async () => {
    const before = `process.chdir(${JSON.stringify(pathTo('.'))});`;
    expectOutput(await run('messages', before), ['a note: read by somebody who could not open it']);
  });

  it('pass-connection answers through a connection that was passed', async () => {
    expectOutput(await run('pass-connection'), ['hello from the worker']);
  });

  it('message-sender knows who has sent it', async () => {
    expectOutput(await run('message-sender'), ['sent by this process: true']);
  });
});
