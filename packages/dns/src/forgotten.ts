/** What happens to resolvers and races that are dropped without close(). */

/** What is to be closed with an owner; it must not lead back to the owner. */
export interface Resources {
  /** What the owner is, for the warning. */
  readonly what: string;
  readonly parts: { close(): void }[];
}

const forgotten = new FinalizationRegistry<Resources>(({ what, parts }) => {
  for (const part of parts) part.close();
  process.emitWarning(`${what} was collected without close(); it is closed now`, {
    code: 'SOCK_NOT_CLOSED',
  });
});

/** From now on these are closed, with a warning, when their owner is collected. */
export function closeWhenForgotten(owner: object, resources: Resources): void {
  forgotten.register(owner, resources, owner);
}

/** The owner is closed. */
export function notForgotten(owner: object): void {
  forgotten.unregister(owner);
}
