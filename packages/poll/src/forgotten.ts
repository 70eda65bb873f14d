/** What happens to polls that are dropped without close(). */
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
