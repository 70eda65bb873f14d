import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { type ListeningSocket, listen } from '@sock/core';
import { Contender } from '../contender.js';
import type { Effort } from '../effort.js';
import type { Line, Outcome, Progress } from '../line.js';
import { number } from '../table.js';

const fileSize = 4096;
const fileCount = 16;

/** An open file that has no name any more: only a descriptor leads to it. */
interface Nameless {
  readonly handle: FileHandle;
  readonly sha256: Buffer;
}

async function nameless(path: string): Promise<Nameless> {
  const content = randomBytes(fileSize);
  const handle = await open(path, 'wx+');
  await handle.write(content);
  await unlink(path);
  return { handle, sha256: createHash('sha256').update(content).digest() };
}

interface Passed {
  readonly count: number;
  readonly perSecond: number;
}

/** Passes one file after the other, and compares each answer, for so long. */
async function pass(
  listener: ListeningSocket,
  files: readonly Nameless[],
  milliseconds: number,
): Promise<Passed> {
  using socket = await listener.accept();
  const startMs = performance.now();
  let count = 0;
  do {
    for (const { handle, sha256 } of files) {
      await socket.sendMsg({ data: 'sum this', fds: [handle] });
      const answer = await socket.recvAll(sha256.length);
      if (!answer.equals(sha256)) throw new Error(`file ${count} is not the one that was passed`);
      count++;
    }
  } while (performance.now() - startMs < milliseconds);
  return { count, perSecond: (count * 1000) / (performance.now() - startMs) };
}

async function compare(
  path: string,
  files: readonly Nameless[],
  { roundMs }: Effort,
): Promise<Outcome> {
  using listener = listen({ path });
  await using receiver = new Contender('sock');
  const [{ count, perSecond }, summed] = await Promise.all([
    pass(listener, files, roundMs),
    receiver.call('sumPassed', [{ path }]),
  ]);
  if (summed !== count) throw new Error(`${summed} files came of ${count}`);
  return {
    figures: [{ unit: 'files/s, each read and answered', ours: perSecond, theirs: undefined }],
    verified: `${number(count)} files without a name, SHA-256 compared with the receiver's`,
  };
}

async function run(folder: string, effort: Effort, progress: Progress): Promise<Outcome> {
  const files: Nameless[] = [];
  try {
    for (let index = 0; index < fileCount; index++) {
      files.push(await nameless(join(folder, `nameless-${index}`)));
    }
    progress.detail(`${fileCount} files, whose names are gone`);
    return await compare(join(folder, 'passing'), files, effort);
  } finally {
    for (const { handle } of files) await handle.close();
  }
}

/** Open files passed to another process, which node:net has no means for. */
export function passedLine(folder: string, effort: Effort): Line {
  return {
    title: 'open files passed, Unix path',
    obstacle: () => undefined,
    run: (progress) => run(folder, effort, progress),
  };
}
