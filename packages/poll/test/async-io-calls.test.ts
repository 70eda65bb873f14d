/** What requests cost in system calls, as strace sees it. */
import { describeWithPeers, runScript } from '@sock/testing';

/**
 * Requests handed to the kernel by each call that did hand any, ring by ring: libuv has rings of
 * its own from Node 24 on.
 */
function handedIn(trace: string): number[][] {
  const rings: Record<string, number[]> = {};
  for (const [, ring = '', count] of trace.matchAll(/io_uring_enter\((\d+), (\d+),/g)) {
    rings[ring] ??= [];
    if (Number(count) > 0) rings[ring].push(Number(count));
  }
  return Object.values(rings);
}

describeWithPeers(['strace that may trace', 'io_uring'], 'an AsyncIO over io_uring', () => {
  it('hands in all requests of a turn by one call', async () => {
    const { stdout, stderr, trace } = await runScript(
      `
      const { Socket } = require('@sock/core');
      const { AsyncIO } = require('@sock/poll');
      const io = new AsyncIO({ backend: 'io_uring' });
      const pairs = Array.from({ length: 32 }, () => Socket.pair());
      for (let turn = 0; turn < 3; turn++) {
        const sent = pairs.map(([near]) => io.send(near, 'x'));
        const received = pairs.map(([, far]) => io.recv(far));
        console.log((await Promise.all([...sent, ...received])).length);
      }
      await io[Symbol.asyncDispose]();
      for (const ends of pairs) for (const end of ends) end.close();
    `,
      // Nothing fails; what is tampered with is told.
      { inject: ['io_uring_enter:delay_enter=1'] },
    );
    expect({ stdout, stderr }).toEqual({ stdout: '64\n64\n64\n', stderr: '' });
    expect(handedIn(trace)).toContainEqual([64, 64, 64]);
  });
});
