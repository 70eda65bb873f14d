/** The memory that chunks lie in. */
import { runChild } from './support/child.js';

describe('around a chunk', () => {
  it('nothing can be read but zeros and what was received', async () => {
    // Has malloc fill what it hands out: mallopt(3).
    const env = { MALLOC_PERTURB_: '1' };
    const { report, stderr } = await runChild('received-memory', { env });
    expect({ report, stderr }).toEqual({
      report: { several: true, others: [0] },
      stderr: '',
    });
  });
});
