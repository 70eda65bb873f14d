import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const MAIN = join(__dirname, '../dist/main.js');

function bench(...args: string[]) {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
}

describe('the bench', () => {
  it('gets a right answer from every contender in every workload', () => {
    const { status, stdout, stderr } = bench('--smoke');
    expect({ status, output: stdout + stderr }).toMatchObject({
      status: 0,
      output: expect.not.stringContaining('FAILED'),
    });
    expect(stdout).toContain('echo-64: C epoll ok; @sock/core ok');
  }, 120_000);

  it('refuses a workload that it does not know, and lists those it does', () => {
    const { status, stderr } = bench('--smoke', 'no-such-work');
    expect(status).toBe(2);
    expect(stderr).toContain('no workload "no-such-work"');
    expect(stderr).toContain('echo-64');
  });
});
