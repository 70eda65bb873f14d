import { getRandomValues } from 'node:crypto';

const word = new Uint32Array(1);

/** @internal A number from 0 up to, and without, 1: where nobody hands randomness in. */
export function randomFraction(): number {
  getRandomValues(word);
  return (word[0] as number) / 2 ** 32;
}
