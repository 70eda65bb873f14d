/** One line of the demo: a piece of work that our library and the one beside it do in turn. */
export interface Line {
  readonly title: string;
  /** Why it cannot run on this machine; undefined when it can. */
  obstacle(): string | undefined;
  /** Does the work. Rejects when anything came out wrong. */
  run(progress: Progress): Promise<Outcome>;
}

export interface Outcome {
  readonly figures: readonly Figure[];
  /** What was compared, and found right. */
  readonly verified: string;
  /** Lines to be shown below that. */
  readonly drawing?: readonly string[];
}

export interface Figure {
  readonly unit: string;
  readonly ours: number;
  /** Undefined where there is no such thing. */
  readonly theirs: number | undefined;
}

/** Tells whoever watches what is going on. */
export interface Progress {
  /** A step begins. */
  step(text: string): void;
  /** How far the step is. */
  detail(text: string): void;
}

/** What became of a line. */
export type Result =
  | { readonly line: Line; readonly outcome: Outcome }
  | { readonly line: Line; readonly skipped: string }
  | { readonly line: Line; readonly failed: string };

/** Runs the lines one after the other; one that fails does not keep the next from running. */
export async function runLines(lines: readonly Line[], progress: Progress): Promise<Result[]> {
  const results: Result[] = [];
  for (const line of lines) results.push(await runLine(line, progress));
  return results;
}

async function runLine(line: Line, progress: Progress): Promise<Result> {
  const skipped = line.obstacle();
  if (skipped !== undefined) return { line, skipped };
  progress.step(line.title);
  try {
    return { line, outcome: await line.run(progress) };
  } catch (error) {
    return { line, failed: error instanceof Error ? error.message : String(error) };
  }
}
