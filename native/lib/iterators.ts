/** Iterations over what a socket brings: chunks, connections, datagrams. */

export const iterationEnd: IteratorReturnResult<undefined> = { value: undefined, done: true };

/** Takes one step after the other. Leaving the loop early closes nothing. */
export class StepIterator<T> implements AsyncIterableIterator<T> {
  readonly next: () => Promise<IteratorResult<T, undefined>>;

  constructor(next: () => Promise<IteratorResult<T, undefined>>) {
    this.next = next;
  }

  return(): Promise<IteratorResult<T, undefined>> {
    return Promise.resolve(iterationEnd);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
