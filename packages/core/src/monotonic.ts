import { binding } from '@sock/native';

/** Milliseconds, with a fraction, on a clock that never goes back; its zero means nothing. */
export function monotonicMs(): number {
  return binding.now();
}
