/** What a store has under a key. */
export interface StoredCircuit {
  /** As it was given to {@link CircuitStore.replace}. */
  readonly value: string;
  /** Milliseconds that it stays, by the store's own clock: no other is shared. */
  readonly ttl: number;
}

/**
 * Where processes share the state of a circuit: two operations that Redis, a database or a file
 * behind a lock can do. Either may reject; the circuit then goes by what it knows itself.
 */
export interface CircuitStore {
  /** What is stored under the key, or `null`: nothing, or no more. */
  get(key: string): Promise<StoredCircuit | null>;
  /**
   * If what is stored under the key equals `expected` (`null`: nothing is), replaces it with
   * `value` for `ttl` milliseconds (`null`: removes it), and resolves with `true`; with `false`
   * otherwise. Nobody else's change may come in between: with Redis, a script of four lines.
   */
  replace(
    key: string,
    expected: string | null,
    value: string | null,
    ttl: number,
  ): Promise<boolean>;
}
