/** Iterates over what comes, connection after connection. */
import type { ChunksOptions } from '@sock/core';
import { type Connection, endOfStream } from './connection.js';

export interface ChunkSource {
  readonly connection: Connection | null;
  /** Another connection; null: there will be none, and that is as it should be. */
  nextConnection(): Promise<Connection | null>;
}

type Step = IteratorResult<Buffer, undefined>;

const end: Step = { done: true, value: undefined };

export class ChunkIterator implements AsyncIterableIterator<Buffer> {
  readonly #source: ChunkSource;
  readonly #options: ChunksOptions | undefined;
  #connection: Connection | null = null;
  #chunks: AsyncIterator<Buffer> | null = null;
  #isOver = false;

  constructor(source: ChunkSource, options: ChunksOptions | undefined) {
    this.#source = source;
    this.#options = options;
  }

  next(): Promise<Step> {
    const { connection } = this.#source;
    if (connection === null || this.#isOver) return this.#nextElsewhere();
    if (connection !== this.#connection) this.#begin(connection);
    const step = this.#chunks?.next() as Promise<Step>;
    return step.then(
      (result) => (result.done === true ? this.#goOn(connection, endOfStream()) : result),
      (error: unknown) => this.#goOn(connection, error),
    );
  }

  /** Leaving the loop closes nothing. */
  return(): Promise<Step> {
    this.#isOver = true;
    return Promise.resolve(end);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #begin(connection: Connection): void {
    this.#connection = connection;
    const { socket } = connection;
    this.#chunks =
      this.#options === undefined ? socket[Symbol.asyncIterator]() : socket.chunks(this.#options);
  }

  async #nextElsewhere(): Promise<Step> {
    if (this.#isOver || (await this.#source.nextConnection()) === null) {
      this.#isOver = true;
      return end;
    }
    return this.next();
  }

  #goOn(connection: Connection, error: unknown): Promise<Step> {
    if (connection.noticeFailure(error)) return this.next();
    this.#isOver = true;
    return Promise.reject(error);
  }
}
