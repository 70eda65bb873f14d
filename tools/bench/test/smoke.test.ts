import { join } from 'node:path';
import { launch } from '@sock/testing';

const MAIN = join(__dirname, '../dist/main.js');

async function bench(...args: string[]) {
  const { ended } = await launch(process.execPath, [MAIN, ...args]);
  const { code, stdout, stderr } = await ended;
  return { status: code, stdout: String(stdout), stderr };
}

describe('the bench', () => {
  it('gets a right answer from every contender in every workload', async () => {
    const { stdout: list } = await bench('--list');
    const ids = list.trim().split('\n');
    expect(ids).toContain('echo-64');
    // Two at a time: a small run mostly waits.
    const halves = [0, 1].map((half) => ids.filter((_, index) => index % 2 === half));
    const runs = await Promise.all(halves.map((half) => bench('--smoke', ...half)));
    for (const { status, stdout, stderr } of runs) {
      expect({ status, output: stdout + stderr }).toMatchObject({
        status: 0,
        output: expect.not.stringContaining('FAILED'),
      });
    }
    expect(runs[0]?.stdout).toContain('echo-64: C epoll ok; @sock/core ok');
  }, 120_000);

  it('refuses a workload that it does not know, and lists those it does', async () => {
    const { status, stderr } = await bench('--smoke', 'no-such-work');
    expect(status).toBe(2);
    expect(stderr).toContain('no workload "no-such-work"');
    expect(stderr).toContain('echo-64');
  });
});
