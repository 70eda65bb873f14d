import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Gives every test of the describe that calls it a folder of its own, removed when the test is
 * over. Returns a function that makes a path in it; short, since a Unix path may have 107 bytes.
 */
export function useFolder(): (name: string) => string {
  let folder: string | undefined;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sock-'));
  });
  afterEach(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true });
    folder = undefined;
  });
  return (name) => {
    if (folder === undefined) throw new Error('there is a folder only while a test runs');
    return join(folder, name);
  };
}
