/** How long sockets live, and how long they keep the process alive. */
import { setTimeout as sleep } from 'node:timers/promises';
import { lenientSanitizer, runChild, startChild } from './support/child.js';

describe('a process', () => {
  it.each([
    'idle sockets',
    'a pending recv that is unreferenced',
    'a socket unreferenced before it waits',
    'a deadline of an unreferenced socket',
    'operations that are over',
    'operations that were aborted',
    'a lookup that is over',
    'a closed socket',
    'process.exit in the middle of everything',
  ])('ends promptly with %s', async (way) => {
    const { code, signal, stderr } = await runChild('exit', {
      args: [way],
      env: way.startsWith('process.exit') ? lenientSanitizer : {},
      timeoutMs: 5_000,
    });
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  });

  it.each([
    'a pending recv',
    'a pending recv, referenced again',
    'a pending accept',
    'a queued send',
  ])('lives on with %s', async (way) => {
    const child = startChild('exit', { args: [way] });
    await child.line();
    const later = sleep(150).then(() => 'alive');
    expect(await Promise.race([child.ended.then(() => 'ended'), later])).toBe('alive');
    child.process.kill('SIGTERM');
    expect((await child.ended).signal).toBe('SIGTERM');
  });
});

describe('a forgotten socket', () => {
  it.each([
    'was never used',
    'was used',
    'had a timeout',
    'had a signal',
    'failed to connect',
    'listened',
  ])('that %s is closed with one warning', async (way) => {
    const { report, stderr } = await runChild('forgotten', {
      args: [way],
      nodeArgs: ['--expose-gc'],
    });
    expect({ report, stderr }).toEqual({
      report: { dropped: 1, left: 0, warnings: 1 },
      stderr: expect.stringContaining('SOCK_NOT_CLOSED'),
    });
  });
});
