import { readdirSync, readlinkSync } from 'node:fs';
import { until } from './within.js';

const folder = '/proc/self/fd';

/** What the open descriptors of this process are, such as `socket:[123]` or a path. */
export function openDescriptors(): string[] {
  return readdirSync(folder).flatMap((name) => {
    try {
      return [readlinkSync(`${folder}/${name}`)];
    } catch {
      // The one that read the folder is closed by now.
      return [];
    }
  });
}

/** How many sockets this process has open. */
export function openSockets(): number {
  return openDescriptors().filter((target) => target.startsWith('socket:')).length;
}

/**
 * Waits until no more sockets are open than before; those of the last turn may still be closing.
 */
export async function expectSockets(count: number, limitMs = 10_000): Promise<void> {
  try {
    await until(limitMs, () => openSockets() <= count);
  } catch {
    throw new Error(`${openSockets()} sockets are open, ${count} were before`);
  }
}
