import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PAGE = 4096;
const BLOCK = 2 ** 20;
const files = new Map<number, string>();

function write(file: number, size: number): void {
  const block = Buffer.alloc(BLOCK);
  for (let offset = 0; offset < size; offset += BLOCK) {
    for (let at = 0; at < BLOCK; at += PAGE) block.writeUInt32LE((offset + at) / PAGE, at);
    writeSync(file, block);
  }
}

/**
 * A file whose every page begins with its number, as the load wants it; `size` in whole MiB. It is
 * on the disk when this returns: what is not cannot be taken out of the cache. Goes with the
 * process.
 */
export function benchFile(size: number): string {
  const known = files.get(size);
  if (known !== undefined) return known;
  const folder = mkdtempSync(join(tmpdir(), 'sock-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true }));
  const path = join(folder, 'file');
  const file = openSync(path, 'w');
  try {
    write(file, size);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  files.set(size, path);
  return path;
}
