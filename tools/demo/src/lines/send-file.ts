import { join } from 'node:path';
import { Contender, type Library } from '../contender.js';
import type { Effort } from '../effort.js';
import type { Line, Outcome, Progress } from '../line.js';
import { type ScratchFile, scratchFile } from './scratch-file.js';
import { figuresOf, type Moved, mebibyte, moveInTurn, verifiedOf } from './transfers.js';

async function send(library: Library, { path }: ScratchFile): Promise<Moved> {
  await using reader = new Contender(library);
  await using sender = new Contender(library);
  const place = await reader.call('collect', [{ host: '127.0.0.1', port: 0 }]);
  const cpuBefore = await sender.call('cpuMs', []);
  await sender.call('sendFile', [place, path]);
  const cpuMs = (await sender.call('cpuMs', [])) - cpuBefore;
  return { received: await reader.call('collected', []), cpuMs };
}

async function run(folder: string, effort: Effort, progress: Progress): Promise<Outcome> {
  await using file = await scratchFile(join(folder, 'sent'), effort.transferMiB * mebibyte);
  const columns = await moveInTurn(file, effort, (library) => send(library, file), progress);
  return { figures: figuresOf(columns, 'sender'), verified: verifiedOf(file, columns) };
}

/** A file sent by the kernel, beside one that passes through the process. */
export function sendFileLine(folder: string, effort: Effort): Line {
  return {
    title: `a file of ${effort.transferMiB} MiB sent`,
    obstacle: () => undefined,
    run: (progress) => run(folder, effort, progress),
  };
}
