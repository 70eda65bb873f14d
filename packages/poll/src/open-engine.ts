import { getSystemErrorName } from 'node:util';
import { AsyncIOError } from '@sock/core';
import { binding } from '@sock/native';
import type { AsyncBackend, Engine } from './async-engine.js';
import { ReadinessEngine } from './async-readiness.js';
import { RingEngine } from './async-ring.js';
import { asyncCallError } from './errors.js';

/** What can be had without a ring. */
const withoutRing: AsyncBackend = binding.backend === 'kqueue' ? 'kqueue' : 'edge-triggered';

/** Kernel, sandbox or policy refuse rings: others would be refused, too. */
const refusals = new Set(['ENOSYS', 'EPERM', 'EACCES', 'EINVAL', 'ENOMEM', 'EOPNOTSUPP']);

/** Whether a ring can be had; it is made, and given back. */
export function ringIsAvailable(): boolean {
  const ring = binding.ringOpen(1);
  if (ring < 0) return false;
  binding.ringClose(ring);
  return true;
}

/** The engine of that name, or the best there is; and the ring that has to be closed, if any. */
export function openEngine(
  backend: AsyncBackend | undefined,
  entries: number,
): { engine: Engine; ring: number } {
  if (backend === undefined || backend === 'io_uring') {
    const ring = binding.ringOpen(entries);
    if (ring >= 0) return { engine: new RingEngine(ring), ring };
    const cause = asyncCallError(ring, 'no ring could be made');
    if (!refusals.has(getSystemErrorName(ring))) throw cause;
    if (backend === 'io_uring') throw unsupported(backend, cause);
  } else if (backend !== withoutRing) {
    throw unsupported(backend);
  }
  return { engine: new ReadinessEngine(), ring: -1 };
}

function unsupported(backend: AsyncBackend, cause?: AsyncIOError): AsyncIOError {
  const why = cause === undefined ? '' : ` (${cause.message})`;
  return new AsyncIOError(`${backend} is not available here${why}`, {
    code: 'ERR_SOCK_UNSUPPORTED',
    cause,
  });
}
