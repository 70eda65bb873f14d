/** Several threads with sockets, which come and go at any moment. */
import { lenientSanitizer, runChild } from './support/child.js';

const clean = { code: 0, signal: null, stderr: '' };

describe.each([
  ['epoll', 200],
  ['poll', 60],
] as const)('threads, on %s', (backend, times) => {
  const run = (way: string, ...args: number[]) =>
    runChild('workers', {
      args: [way, ...args],
      env: { SOCK_BACKEND: backend, ...(way === 'exit while busy' ? lenientSanitizer : {}) },
      timeoutMs: 120_000,
    });

  it('serve one port together', async () => {
    const { report, ...end } = await run('share one port');
    expect(end).toMatchObject(clean);
    expect(report).toEqual({ total: 60, shares: 3 });
  });

  it('may be the only ones to have loaded the addon', async () => {
    const { report, ...end } = await run('only in workers');
    expect(end).toMatchObject(clean);
    expect(report).toEqual({ exits: 5, loadedHere: false });
  });

  it('may be busy when the process ends', async () => {
    const { report, elapsedMs, ...end } = await run('exit while busy');
    expect(end).toMatchObject(clean);
    expect(report).toBe('exiting');
    expect(elapsedMs).toBeLessThan(10_000);
  });

  it('may be terminated in the middle of it, many times, and leave nothing', async () => {
    const { report, ...end } = await run('terminate many', times);
    expect(end).toMatchObject(clean);
    expect(report).toEqual({ left: 0 });
  }, 120_000);
});
