import type { Transfer } from '../child/peer.js';
import { Contender, type Library, libraries } from '../contender.js';
import type { Effort } from '../effort.js';
import type { Line, Outcome, Progress } from '../line.js';
import { number } from '../table.js';

const mebibyte = 1024 * 1024;

interface Ends {
  readonly sender: Transfer;
  readonly reader: Transfer;
}

async function transfer(library: Library, total: number, progress: Progress): Promise<Ends> {
  await using server = new Contender(library);
  await using client = new Contender(library);
  const place = await server.call('serveBytes', [{ host: '127.0.0.1', port: 0 }, total]);
  const reader = await client.call('readSlowly', [place], (bytes) => {
    progress.detail(`${libraries[library]} ${bytes / mebibyte} of ${total / mebibyte} MiB`);
  });
  const sender = await server.call('sent', []);
  if (reader.bytes !== total || sender.sha256 !== reader.sha256) {
    throw new Error(
      `${libraries[library]}: ${reader.bytes} bytes came, and not those that were sent`,
    );
  }
  return { sender, reader };
}

function rateOf({ bytes, milliseconds }: Transfer): number {
  return (bytes * 1000) / mebibyte / milliseconds;
}

async function compare(total: number, progress: Progress): Promise<Outcome> {
  const ours = await transfer('sock', total, progress);
  const theirs = await transfer('net', total, progress);
  const figure = (unit: string, of: (ends: Ends) => number) => ({
    unit,
    ours: of(ours),
    theirs: of(theirs),
  });
  const { sha256 } = ours.reader;
  if (theirs.reader.sha256 !== sha256) throw new Error('the two transfers had not the same bytes');
  return {
    figures: [
      figure('MiB/s', ({ reader }) => rateOf(reader)),
      figure("sender's CPU, ms", ({ sender }) => sender.cpuMs),
      figure("sender's peak memory, MiB", ({ sender }) => sender.peakMiB),
      figure("reader's peak memory, MiB", ({ reader }) => reader.peakMiB),
    ],
    verified: `${number(total * 2)} bytes, SHA-256 ${sha256.slice(0, 16)}… at every end`,
  };
}

/** A sender that has to wait for its reader, and must not pile up meanwhile what is unread. */
export function slowReaderLine({ transferMiB }: Effort): Line {
  return {
    title: `${transferMiB} MiB through a slow reader`,
    obstacle: () => undefined,
    run: (progress) => compare(transferMiB * mebibyte, progress),
  };
}
