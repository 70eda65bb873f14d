/** What happens to polls, and to rings, that are dropped without close(). */
import { binding } from '@sock/native';

const forgotten = new FinalizationRegistry<number>((id) => {
  if (binding.pollClose(id) === 0) return;
  process.emitWarning('a poll was collected without close(); its descriptor is closed now', {
    code: 'SOCK_NOT_CLOSED',
  });
});

/** From now on the poll of the addon is closed, with a warning, when its owner is collected. */
export function closeWhenForgotten(owner: object, id: number): void {
  forgotten.register(owner, id, owner);
}

/** The poll is closed. */
export function notForgotten(owner: object): void {
  forgotten.unregister(owner);
}

const forgottenRings = new FinalizationRegistry<number>((ring) => {
  if (binding.ringClose(ring) === 0) return;
  process.emitWarning('an AsyncIO was collected without close(); its ring is closed now', {
    code: 'SOCK_NOT_CLOSED',
  });
});

/** From now on the ring of the addon is closed, with a warning, when its owner is collected. */
export function closeRingWhenForgotten(owner: object, ring: number): void {
  forgottenRings.register(owner, ring, owner);
}

/** The ring is closed. */
export function ringNotForgotten(owner: object): void {
  forgottenRings.unregister(owner);
}
