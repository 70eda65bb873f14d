/** What a package would write into a log, told on node:diagnostics_channel. */
import { channel } from 'node:diagnostics_channel';
import { binding } from './reactor.js';

/** How grave a line is: the numbers of `LogLevel` in `@sock/metrics`. */
export const LineLevel = { Info: 2, Warn: 3 } as const;

/** The message of `sock:<package>:log`. */
export interface LogEvent {
  /** When, in milliseconds of `monotonicMs` of `@sock/core`. */
  readonly time: number;
  /** How grave it is, from 0 (trace) to 5 (fatal), as `LogLevel` of `@sock/metrics`. */
  readonly level: number;
  /** What happened. */
  readonly message: string;
  /** What it came of; undefined where nothing failed. */
  readonly error: unknown;
}

/** Says a line. `message` is called only where somebody listens. */
export type TellLine = (level: number, message: () => string, error?: unknown) => void;

/** The log of one package, `sock:<name>:log`. */
export function openLog(name: string): TellLine {
  // Held by the function: a channel that nobody holds is collected, and its subscribers with it.
  const lines = channel(`sock:${name}:log`);
  return (level, message, error) => {
    if (!lines.hasSubscribers) return;
    lines.publish({ time: binding.now(), level, message: message(), error } satisfies LogEvent);
  };
}
