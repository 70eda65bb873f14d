/** What a stream is iterated over with. */
import { iterationEnd, type Limits } from '@sock/native';
import { StepOperation, type StepResult } from './receive-operations.js';

/** Where an iteration takes its steps. */
export interface Steps {
  step(operation: StepOperation, limits: Limits): Promise<StepResult>;
}

/**
 * An iteration over what comes. Is the operation of its own steps: with a thousand busy sockets
 * every object on the way is out of the cache.
 */
export class ChunkIterator extends StepOperation implements AsyncIterableIterator<Buffer> {
  constructor(
    private readonly steps: Steps,
    private readonly limits: Limits,
    memory: Buffer | null,
    max: number,
  ) {
    super(memory, max);
  }

  next(): Promise<StepResult> {
    // Who asks for a step before the last one came gets an operation of its own.
    const operation = this.idle ? this : new StepOperation(this.view, this.max);
    return this.steps.step(operation, this.limits);
  }

  /** Leaving the loop early closes nothing. */
  return(): Promise<StepResult> {
    return Promise.resolve(iterationEnd);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
