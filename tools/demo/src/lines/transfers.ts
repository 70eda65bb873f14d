import type { Transfer } from '../child/peer.js';
import { type Library, libraries } from '../contender.js';
import type { Effort } from '../effort.js';
import type { Figure, Progress } from '../line.js';
import { median } from '../median.js';
import { number } from '../table.js';
import type { ScratchFile } from './scratch-file.js';

export const mebibyte = 1024 * 1024;

/** What came of a file that one library moved once. */
export interface Moved {
  readonly received: Transfer;
  /** Of the process that the line is about. */
  readonly cpuMs: number;
}

type Columns = Readonly<Record<Library, readonly Moved[]>>;

/** Moves the file with one library and with the other in turn; every byte has to arrive. */
export async function moveInTurn(
  file: ScratchFile,
  { rounds, transferMiB }: Effort,
  move: (library: Library) => Promise<Moved>,
  progress: Progress,
): Promise<Columns> {
  const columns = { sock: [] as Moved[], net: [] as Moved[] };
  for (let round = 1; round <= rounds; round++) {
    for (const library of ['sock', 'net'] as const) {
      progress.detail(`round ${round} of ${rounds}, ${libraries[library]}`);
      const moved = await move(library);
      const { bytes, sha256 } = moved.received;
      if (bytes !== transferMiB * mebibyte || sha256 !== file.sha256) {
        throw new Error(`${libraries[library]}: ${bytes} bytes came, and not those of the file`);
      }
      columns[library].push(moved);
    }
  }
  return columns;
}

function rateOf({ bytes, milliseconds }: Transfer): number {
  return (bytes * 1000) / mebibyte / milliseconds;
}

/** @param process Whose processor time it is. */
export function figuresOf({ sock, net }: Columns, process: string): Figure[] {
  const figure = (unit: string, of: (moved: Moved) => number): Figure => ({
    unit,
    ours: median(sock.map(of)),
    theirs: median(net.map(of)),
  });
  return [
    figure('MiB/s', ({ received }) => rateOf(received)),
    figure(`${process}'s CPU, ms`, ({ cpuMs }) => cpuMs),
  ];
}

export function verifiedOf({ sha256 }: ScratchFile, { sock, net }: Columns): string {
  const times = sock.length + net.length;
  const bytes = number(times * (sock[0]?.received.bytes ?? 0));
  return `${bytes} bytes, ${times} times SHA-256 ${sha256.slice(0, 16)}… as of the file`;
}
