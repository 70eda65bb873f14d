import type { Progress } from './line.js';

/** Where the progress is shown: stdout, or what a test puts in its place. */
export interface Output {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

export interface ProgressLine extends Progress {
  /** Makes room for what is printed next. */
  clear(): void;
}

/** On a terminal one line that is written over and over; elsewhere a line for each step. */
export function progressOn(output: Output): ProgressLine {
  if (output.isTTY !== true) {
    return {
      step: (text) => output.write(`${text}\n`),
      detail: () => {},
      clear: () => {},
    };
  }
  let current = '';
  const show = (text: string): void => {
    // A line that wraps could not be written over.
    output.write(`\r\x1b[2K${text.slice(0, (output.columns ?? 80) - 1)}`);
  };
  return {
    step: (text) => {
      current = text;
      show(current);
    },
    detail: (text) => show(`${current}: ${text}`),
    clear: () => output.write('\r\x1b[2K'),
  };
}
