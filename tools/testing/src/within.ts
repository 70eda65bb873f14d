/**
 * Limits here are for what hangs, not for what is slow: machines that run tests are at times, and a
 * limit that has to be waited for is one of a failure.
 */
const patience = 5;

/**
 * Settles as the promise does, and rejects when that takes longer than the limit: with it nothing
 * in a test can hang.
 */
export async function within<T>(limitMs: number, promise: Promise<T>, what = 'this'): Promise<T> {
  const allowedMs = limitMs * patience;
  const late = new Error(`${what} took longer than ${allowedMs} ms`);
  let timer: NodeJS.Timeout | undefined;
  const alarm = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late), allowedMs);
  });
  try {
    return await Promise.race([promise, alarm]);
  } finally {
    clearTimeout(timer);
  }
}

/** Looks again and again until the condition holds; rejects when that takes longer. */
export async function until(
  limitMs: number,
  condition: () => boolean | Promise<boolean>,
  what = 'the condition',
): Promise<void> {
  const allowedMs = limitMs * patience;
  const endMs = performance.now() + allowedMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`${what} did not hold within ${allowedMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
