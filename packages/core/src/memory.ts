/** Memory, or an error of ours where there is none. */
import { ArenaError } from './errors.js';

/** V8 zeroes it. Refused memory is a failure that can pass, not a wrong argument. */
export function allocateMemory(size: number): ArrayBuffer {
  try {
    return new ArrayBuffer(size);
  } catch (cause) {
    throw new ArenaError(`no memory for ${size} bytes`, { code: 'ENOMEM', cause });
  }
}

/**
 * Takes the memory away from everybody who has a view of it: those become empty. Returns the same
 * bytes, not a copy, as memory that nobody else has; null where somebody forbade it, with
 * `markAsUntransferable`.
 */
export function takeAway(memory: ArrayBuffer): ArrayBuffer | null {
  try {
    return structuredClone(memory, { transfer: [memory] });
  } catch {
    return null;
  }
}
