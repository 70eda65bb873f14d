import { createHash } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { connect, listen, type Socket } from '@sock/core';
import { blocks } from '../child/bulk.js';
import type { Effort } from '../effort.js';
import type { Line, Outcome, Progress } from '../line.js';
import { number } from '../table.js';

const mebibyte = 1024 * 1024;
const rate = 8 * mebibyte;

/** Sends everything at the socket's bandwidth; its sum. */
async function sendLimited(socket: Socket, total: number): Promise<string> {
  const hash = createHash('sha256');
  for (const block of blocks(total)) {
    hash.update(block);
    for (let rest = block; rest.length > 0; ) {
      rest = rest.subarray(await socket.sendLimited(rest));
    }
  }
  await socket.shutdown();
  return hash.digest('hex');
}

/** Reads to the end; the sum, and how long it took from the beginning. */
async function receive(socket: Socket, total: number, progress: Progress) {
  const hash = createHash('sha256');
  const startMs = performance.now();
  let bytes = 0;
  for await (const chunk of socket) {
    hash.update(chunk);
    bytes += chunk.length;
    progress.detail(`${(bytes / mebibyte).toFixed(1)} of ${(total / mebibyte).toFixed(1)} MiB`);
  }
  return { bytes, sha256: hash.digest('hex'), milliseconds: performance.now() - startMs };
}

async function run(total: number, progress: Progress): Promise<Outcome> {
  using listener = listen({ host: '127.0.0.1' });
  using sender = await connect({ host: '127.0.0.1', port: listener.localPort });
  using reader = await listener.accept();
  sender.setBandwidth(rate);
  const [sum, received] = await Promise.all([
    sendLimited(sender, total),
    receive(reader, total, progress),
  ]);
  const { bytes, sha256, milliseconds } = received;
  if (bytes !== total || sha256 !== sum) throw new Error('not the bytes came that were sent');
  // A second's bytes go at once.
  const perSecond = ((total - rate) * 1000) / milliseconds;
  if (perSecond > rate) throw new Error(`${number(perSecond)} bytes/s are more than the limit`);
  const unit = `MiB/s of ${rate / mebibyte} allowed, after the burst`;
  return {
    figures: [{ unit, ours: perSecond / mebibyte, theirs: undefined }],
    verified: `${number(bytes)} bytes, SHA-256 ${sha256.slice(0, 16)}… at both ends`,
  };
}

/** A transfer that keeps to a bandwidth, which node:net has no means for. */
export function limitedLine({ roundMs }: Effort): Line {
  const total = rate + Math.ceil((rate * roundMs) / 1000);
  return {
    title: `${(total / mebibyte).toFixed(1)} MiB with a limit of ${rate / mebibyte} MiB/s`,
    obstacle: () => undefined,
    run: (progress) => run(total, progress),
  };
}
