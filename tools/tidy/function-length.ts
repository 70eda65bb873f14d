import ts from 'typescript';
import type { SourceFile } from './source.js';

export interface FunctionLength {
  readonly name: string;
  /** Where it begins, from 1. */
  readonly line: number;
  readonly lines: number;
}

/** The length of each function in a file. */
export function functionLengths(file: SourceFile): FunctionLength[] {
  return /\.(cc|h|c)$/.test(file.path) ? inNative(file) : inTypeScript(file);
}

function inTypeScript({ path, text }: SourceFile): FunctionLength[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found: FunctionLength[] = [];
  const lineAt = (position: number) => source.getLineAndCharacterOfPosition(position).line + 1;

  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body) {
      const line = lineAt(node.getStart());
      const name = node.name?.getText() ?? 'a function';
      found.push({ name, line, lines: lineAt(node.end) - line + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/**
 * C++ as clang-format lays it out: a body opens on a line that ends its parameters and closes with
 * a brace at the indent of the line that began it. Blocks of `if` and `for` are found too, and are
 * never longer than the function around them.
 */
function inNative({ text }: SourceFile): FunctionLength[] {
  const lines = text.split('\n');
  const found: FunctionLength[] = [];
  for (const [index, line] of lines.entries()) {
    if (!/\)( const| noexcept| override| final| -> .+| : .+)* \{$/.test(line)) continue;
    const name = /([\w~:]+)\(/.exec(line)?.[1] ?? 'a function';
    const indent = startIndent(lines, index);
    const end = lines.findIndex((other, at) => at > index && other.startsWith(`${indent}}`));
    if (end >= 0) found.push({ name, line: index + 1, lines: end - index + 1 });
  }
  return found;
}

/** The indent of the first line of a signature that spans several. */
function startIndent(lines: readonly string[], index: number): string {
  let at = index;
  while (at > 0 && /[,(]$|^ {4,}: /.test(lines[at - 1] ?? '')) at -= 1;
  return /^ */.exec(lines[at] ?? '')?.[0] ?? '';
}
