import { invalidType, outOfRange } from '@sock/native';

/** A number within these bounds, both included; fractions are allowed. */
export function checkBetween(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number') throw invalidType(name, 'a number', value);
  if (value >= min && value <= max) return value;
  throw outOfRange(name, `>= ${min} and <= ${max}`, value);
}
