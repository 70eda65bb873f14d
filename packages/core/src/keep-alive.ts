/** How the kernel looks after idle TCP connections. */
import { checkInteger, checkOptions, invalidType, outOfRange } from '@sock/native';

/** When a silent peer is asked whether it is still there, and when it is given up. */
export interface KeepAlive {
  /** Milliseconds of silence before the first probe: above 0, at most 32,767,000. */
  idle: number;
  /** Milliseconds between two probes: above 0, at most 32,767,000. */
  interval: number;
  /** Probes without an answer that end the connection: 1 to 127. */
  count: number;
}

/** What is to change about it; `undefined` leaves a value as it is. */
export type KeepAliveOptions = { [Name in keyof KeepAlive]?: KeepAlive[Name] | undefined };

/** MAX_TCP_KEEPIDLE and MAX_TCP_KEEPINTVL of the kernel, in seconds; MAX_TCP_KEEPCNT. */
const secondsMax = 32_767;
const countMax = 127;

export function kernelSeconds(timeMs: number): number {
  return Math.ceil(timeMs / 1000);
}

function checkSeconds(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'number') throw invalidType(name, 'a number', value);
  if (value > 0 && value <= secondsMax * 1000) return value;
  throw outOfRange(name, `> 0 and <= ${secondsMax * 1000}`, value);
}

export function checkKeepAlive(value: unknown): KeepAliveOptions | false {
  if (value === false) return false;
  if (value === undefined) throw invalidType('options', 'an object or false', value);
  const { idle, interval, count } = checkOptions<KeepAlive>(value, ['idle', 'interval', 'count']);
  return {
    idle: checkSeconds('options.idle', idle),
    interval: checkSeconds('options.interval', interval),
    count: count === undefined ? undefined : checkInteger('options.count', count, 1, countMax),
  };
}
