/**
 * Settles as the promise does, and rejects when that takes longer than the limit: with it nothing
 * in a test can hang.
 */
export async function within<T>(limitMs: number, promise: Promise<T>, what = 'this'): Promise<T> {
  const late = new Error(`${what} took longer than ${limitMs} ms`);
  let timer: NodeJS.Timeout | undefined;
  const alarm = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late), limitMs);
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
  const endMs = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`${what} did not hold within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
