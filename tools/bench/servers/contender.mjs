// What every JavaScript contender shares: the same options, the same line when it listens, the same
// commands on stdin, the same framing. Runs under Node and under Bun.
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

// Datagrams that are received and counted are told of in such numbers: ACK_EVERY of c/server.h.
export const ACK_EVERY = 54;
/** What c/server_udp.c asks for. */
export const RECEIVE_BUFFER = 4 * 2 ** 20;

// Long enough that the sampling timer costs nothing that the CPU clock could see.
const DELAY_RESOLUTION_MS = 10;

export function readOptions() {
  const { values } = parseArgs({
    options: {
      workload: { type: 'string', default: 'echo' },
      variant: { type: 'string', default: '' },
      size: { type: 'string', default: '64' },
      workers: { type: 'string', default: '1' },
      path: { type: 'string' },
      file: { type: 'string' },
      upstream: { type: 'string' },
      identity: { type: 'string' },
    },
  });
  return { ...values, size: Number(values.size), workers: Number(values.workers) };
}

/** Of a flood so many are let in a second, by everybody. */
export const FLOOD_PER_SECOND = 1000;

// The subarray() of a Buffer would look up its memory again for each frame: 30 ns on 500.
const viewOf = (buffer, start, length) => new Uint8Array(buffer, start, length);

/**
 * Cuts a stream into frames of one size, each a view of the chunk that `frameOf` makes; what is
 * incomplete waits for the next chunk.
 */
export class Framer {
  #size;
  #frameOf;
  #carry = null;

  constructor(size, frameOf = viewOf) {
    this.#size = size;
    this.#frameOf = frameOf;
  }

  push(chunk, onFrame) {
    const data = this.#carry === null ? chunk : Buffer.concat([this.#carry, chunk]);
    const { buffer, byteOffset, length } = data;
    const size = this.#size;
    const frameOf = this.#frameOf;
    let offset = 0;
    for (; offset + size <= length; offset += size) {
      onFrame(frameOf(buffer, byteOffset + offset, size));
    }
    this.#carry = offset === length ? null : data.subarray(offset);
  }
}

async function collectGarbage() {
  // Twice, with a turn between: what the first pass finalizes, the second one frees.
  for (let pass = 0; pass < 2; pass++) {
    if (globalThis.Bun !== undefined) globalThis.Bun.gc(true);
    else globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The turns of libuv's loop, where the runtime tells. */
function loopTurns() {
  return performance.nodeTiming?.uvMetricsInfo?.loopCount ?? null;
}

/**
 * Announces the server and answers `reset`, `stats` and `gc`, each with one line, until stdin ends,
 * which ends the process: a bench that dies leaves no server behind. With several workers there
 * are no figures of the loop, since this thread sees only its own.
 */
export function announce({ port, workers, accepted, pids = [process.pid], beforeExit }) {
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  delay.enable();
  let turnsAtReset = loopTurns();

  const stats = () => {
    const turns = loopTurns();
    const p99 = delay.percentile(99) / 1e6 - DELAY_RESOLUTION_MS;
    return {
      accepted: accepted(),
      wakeups: workers > 1 || turns === null ? null : turns - turnsAtReset,
      loopDelayP99Ms: workers > 1 ? null : Math.max(0, p99),
    };
  };
  const commands = {
    stats,
    reset: () => {
      delay.reset();
      turnsAtReset = loopTurns();
      return stats();
    },
    gc: async () => {
      await collectGarbage();
      return stats();
    },
  };

  const lines = createInterface({ input: process.stdin });
  lines.on('line', async (line) => {
    process.stdout.write(`${JSON.stringify(await commands[line]())}\n`);
  });
  lines.on('close', () => {
    beforeExit?.();
    process.exit(0);
  });
  process.stdout.write(`${JSON.stringify({ port, pid: process.pid, pids })}\n`);
}
