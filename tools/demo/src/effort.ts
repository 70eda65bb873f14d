/** How much is done for a figure. */
export interface Effort {
  readonly connections: number;
  readonly warmUpMs: number;
  readonly roundMs: number;
  readonly rounds: number;
  readonly transferMiB: number;
}

/** Half a minute in all: enough for a figure to settle, and to be watched to the end. */
export const shown: Effort = {
  connections: 64,
  warmUpMs: 250,
  roundMs: 400,
  rounds: 3,
  transferMiB: 256,
};

/** Tells whether everything works, and nothing about how fast. */
export const tried: Effort = {
  connections: 4,
  warmUpMs: 10,
  roundMs: 20,
  rounds: 1,
  transferMiB: 9,
};
