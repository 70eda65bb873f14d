import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(__dirname, '..', '..');

/** A file of the repository, as far as the rules look at one. */
export interface SourceFile {
  /** Relative to the root of the repository, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** What a rule found: where, and what is wrong there. */
export interface Finding {
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

/** A rule about one file. It sees only the files it applies to. */
export interface Rule {
  readonly name: string;
  readonly applies: (path: string) => boolean;
  readonly check: (file: SourceFile) => Iterable<Finding>;
}

/** The paths git tracks and that are still there. */
export function trackedPaths(): string[] {
  // The owner of a checkout may be another user than the one who tests it.
  const args = ['-c', 'safe.directory=*', 'ls-files', '-z'];
  const paths = execFileSync('git', args, { cwd: root, encoding: 'utf8' }).split('\0');
  return paths.filter((path) => path !== '' && existsSync(join(root, path)));
}

export function sizeOf(path: string): number {
  return statSync(join(root, path)).size;
}

export function readSource(path: string): SourceFile {
  return { path, text: readFileSync(join(root, path), 'utf8') };
}

/** Every finding of every rule in a file, one readable line each. */
export function findings(rules: readonly Rule[], file: SourceFile): string[] {
  return rules
    .filter((rule) => rule.applies(file.path))
    .flatMap((rule) =>
      [...rule.check(file)].map(
        ({ line, message }) => `${file.path}:${line}: ${message} (${rule.name})`,
      ),
    );
}
