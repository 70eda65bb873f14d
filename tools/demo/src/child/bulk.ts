/** A long stream of bytes, its sum, and a reader in no hurry: the same for every contender. */
import { createHash } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import type { Transfer } from './peer.js';

const blockSize = 64 * 1024;
/** After so many bytes the reader rests: the kernel's buffers fill, and the sender has to wait. */
const restEvery = 4 * 1024 * 1024;
const restMs = 10;

/** Blocks that differ from each other, so that one in the wrong place is seen. */
export function* blocks(bytes: number): Generator<Buffer> {
  const content = Buffer.alloc(blockSize, createHash('sha512').update('sock').digest());
  for (let at = 0; at < bytes; at += blockSize) {
    const block = Buffer.from(content.subarray(0, Math.min(blockSize, bytes - at)));
    if (block.length >= 8) block.writeDoubleLE(at);
    yield block;
  }
}

/** Sums up one end of a transfer while it goes on. */
export class Meter {
  readonly #hash = createHash('sha256');
  readonly #startMs = performance.now();
  readonly #startCpu = process.cpuUsage();
  #bytes = 0;

  add(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#bytes += chunk.length;
  }

  result(): Transfer {
    const { user, system } = process.cpuUsage(this.#startCpu);
    return {
      bytes: this.#bytes,
      sha256: this.#hash.digest('hex'),
      milliseconds: performance.now() - this.#startMs,
      cpuMs: (user + system) / 1000,
      peakMiB: process.resourceUsage().maxRSS / 1024,
    };
  }
}

/** Reads the stream to its end. */
export async function readAll(chunks: AsyncIterable<Uint8Array>): Promise<Transfer> {
  const meter = new Meter();
  for await (const chunk of chunks) meter.add(chunk);
  return meter.result();
}

/** Reads the stream to its end, with rests. */
export async function readWithRests(
  chunks: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
): Promise<Transfer> {
  const meter = new Meter();
  let bytes = 0;
  let restAt = restEvery;
  for await (const chunk of chunks) {
    meter.add(chunk);
    bytes += chunk.length;
    if (bytes < restAt) continue;
    restAt += restEvery;
    onBytes(bytes);
    await pause(restMs);
  }
  return meter.result();
}
