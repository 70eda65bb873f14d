/** Iterations over what a socket brings: chunks, connections, datagrams. */

/** An operation that is used again for each step of an iteration: only its promise is new. */
export interface Step<T> {
  onBegin(resolve: (value: T) => void, reject: (error: unknown) => void): void;
}

/** What an operation settles that has no promise yet. */
export function unsettled(): void {}

/** Whose promise is being made: so one executor serves all, where each would need its closure. */
let beginning: Step<unknown> | null = null;

function executor(resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
  beginning?.onBegin(resolve, reject);
}

/** The promise of a step, which the operation gets the means to settle. */
export function beginStep<T>(operation: Step<T>): Promise<T> {
  beginning = operation as Step<unknown>;
  const promise = new Promise<unknown>(executor);
  beginning = null;
  return promise as Promise<T>;
}

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
