import { join } from 'node:path';
import { Contender, type Library } from '../contender.js';
import type { Effort } from '../effort.js';
import type { Line, Outcome, Progress } from '../line.js';
import { type ScratchFile, scratchFile } from './scratch-file.js';
import { figuresOf, type Moved, mebibyte, moveInTurn, verifiedOf } from './transfers.js';

const anyPort = { host: '127.0.0.1', port: 0 };

/** Both proxies have the same ends, so that what differs is theirs. */
async function pass(library: Library, { path }: ScratchFile): Promise<Moved> {
  await using reader = new Contender('sock');
  await using proxy = new Contender(library);
  await using sender = new Contender('sock');
  const target = await reader.call('collect', [anyPort]);
  const place = await proxy.call('serveRelay', [anyPort, target]);
  const cpuBefore = await proxy.call('cpuMs', []);
  await sender.call('sendFile', [place, path]);
  const received = await reader.call('collected', []);
  return { received, cpuMs: (await proxy.call('cpuMs', [])) - cpuBefore };
}

async function run(folder: string, effort: Effort, progress: Progress): Promise<Outcome> {
  await using file = await scratchFile(join(folder, 'relayed'), effort.transferMiB * mebibyte);
  const columns = await moveInTurn(file, effort, (library) => pass(library, file), progress);
  return { figures: figuresOf(columns, 'proxy'), verified: verifiedOf(file, columns) };
}

/** Two connections joined in a process between their ends. */
export function relayLine(folder: string, effort: Effort): Line {
  return {
    title: `${effort.transferMiB} MiB through a proxy`,
    obstacle: () => undefined,
    run: (progress) => run(folder, effort, progress),
  };
}
