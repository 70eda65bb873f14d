/** A limiter that several threads share. */
import { runChild } from './support/child.js';

interface Report {
  total: number;
  drawn: number;
  atMost: number;
  atLeast: number;
}

describe('a limiter that threads share', () => {
  it('gives them together what one would get, though some are terminated', async () => {
    const { code, stderr, report } = await runChild<Report>('limiter', { timeoutMs: 30_000 });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { total = 0, drawn = 0, atMost = 0, atLeast = 0 } = report ?? {};
    expect(drawn).toBeGreaterThan(1_000);
    expect(total).toBeLessThanOrEqual(atMost + 1);
    // A thread that is terminated may have drawn and not said so: two tokens, of each of eight. A
    // nanosecond's tokens are lost to rounding by every draw: one in 20,000.
    expect(total).toBeGreaterThan(atLeast * (1 - 1e-3) - 20);
  });
});
