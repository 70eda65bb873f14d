/** Chunks that share one memory, beyond what every stream does. */
import { Socket } from '@sock/core';
import { runChild } from './support/child.js';

describe('chunks that reuse', () => {
  it('lose nothing when a step runs out of time', async () => {
    const [near, far] = Socket.pair();
    near.setTimeouts({ operationTimeout: 5 });
    const chunks = near.chunks({ reuse: true });
    await expect(chunks.next()).rejects.toMatchObject({ name: 'TimeoutError' });
    await far.sendAll('late');
    expect((await near.recv()).toString()).toBe('late');
    near.close();
    far.close();
  });

  it('let go of their memory when the socket is closed', async () => {
    const { report, stderr } = await runChild('reused-memory', { nodeArgs: ['--expose-gc'] });
    expect({ report, stderr }).toEqual({ report: { kept: false }, stderr: '' });
  });
});
