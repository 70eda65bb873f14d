/** What happens to sockets that are dropped without close(). */
import type { Endpoint } from './endpoint.js';
import { binding } from './reactor.js';

const slotBits = 2 ** 22;

/**
 * The net under sockets that were dropped without close(). What is held names slot and generation
 * in one number; a socket that was closed in order is not taken out, as its name means nothing by
 * then.
 */
const forgotten = new FinalizationRegistry<number>((held) => {
  if (binding.close(held % slotBits, Math.trunc(held / slotBits)) === 0) return;
  process.emitWarning('a socket was collected without close(); its descriptor is closed now', {
    code: 'SOCK_NOT_CLOSED',
  });
});

const forgottenDescriptors = new FinalizationRegistry<number>((held) => {
  if (binding.close(held % slotBits, Math.trunc(held / slotBits)) === 0) return;
  const message = 'a received descriptor was collected without close() or take(); it is closed now';
  process.emitWarning(message, { code: 'SOCK_NOT_CLOSED' });
});

/** The descriptor in that slot is closed, with a warning, when its owner is collected. */
export function closeDescriptorWhenForgotten(
  owner: object,
  slot: number,
  generation: number,
): void {
  forgottenDescriptors.register(owner, generation * slotBits + slot);
}

/**
 * A registration keeps its object from dying young: V8 clears them in full collections only. So a
 * new socket is held here at first, and registered when it has lived for a while; the many that are
 * closed by then cost nothing.
 */
const recent: (Endpoint | undefined)[] = [];
const recentMs = 1000;
const recentMax = 4096;
let sweeping: NodeJS.Timeout | undefined;

function sweepRecent(): void {
  clearTimeout(sweeping);
  sweeping = undefined;
  for (const endpoint of recent.splice(0)) {
    if (endpoint === undefined || endpoint.closed) continue;
    endpoint.recentIndex = -1;
    forgotten.register(endpoint.owner, endpoint.generation * slotBits + endpoint.slot);
  }
}

/** From now on the native socket is closed, with a warning, when its owner is collected. */
export function closeWhenForgotten(endpoint: Endpoint): void {
  endpoint.recentIndex = recent.push(endpoint) - 1;
  sweeping ??= setTimeout(sweepRecent, recentMs).unref();
  if (recent.length === recentMax) sweepRecent();
}

/** The socket is closed. */
export function notForgotten(endpoint: Endpoint): void {
  if (endpoint.recentIndex >= 0) recent[endpoint.recentIndex] = undefined;
  endpoint.recentIndex = -1;
}
