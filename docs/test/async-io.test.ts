import { run } from './example.js';

describe('of asynchronous I/O, the example', () => {
  it('async-io serves by requests that go on', async () => {
    const output = await run('async-io');
    expect(output.stdout).toMatch(/^(io_uring|kqueue|edge-triggered)\nhello\n$/);
  });

  it('async-requests submits, aborts and cancels', async () => {
    const output = await run('async-requests');
    const lines = output.stdout.trim().split('\n');
    expect(lines.slice(0, 2).sort()).toEqual(['received hello', 'sent 5 bytes']);
    expect(lines.slice(2)).toEqual(['AbortError', 'was over']);
  });
});
