import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { blocks } from '../child/bulk.js';

/** A file to be sent, which the kernel has in its cache; disposing of it removes it. */
export interface ScratchFile extends AsyncDisposable {
  readonly path: string;
  readonly sha256: string;
}

export async function scratchFile(path: string, bytes: number): Promise<ScratchFile> {
  const hash = createHash('sha256');
  const handle = await open(path, 'w');
  try {
    for (const block of blocks(bytes)) {
      hash.update(block);
      await handle.write(block);
    }
  } finally {
    await handle.close();
  }
  return {
    path,
    sha256: hash.digest('hex'),
    [Symbol.asyncDispose]: () => rm(path),
  };
}
