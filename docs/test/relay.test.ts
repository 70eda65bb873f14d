import { runScript } from '@sock/testing';
import { bodyOf } from './example.js';

describe('of relays, the example', () => {
  it('relay passes the question on, and the answer back', async () => {
    const { code, stdout, stderr, leakedSockets } = await runScript(bodyOf('relay'));
    expect({ code, stderr, leakedSockets }).toEqual({ code: 0, stderr: '', leakedSockets: 0 });
    // The proxy and the client learn of the end at the same time.
    expect(stdout.split('\n').sort()).toEqual([
      '',
      'joe : 5 bytes there, 16 back',
      'you said "hello"',
    ]);
  });
});
