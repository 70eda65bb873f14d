/** Running the examples of the documents. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runScript, type ScriptResult } from '@sock/testing';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';

export const examplesFolder = join(__dirname, '..', 'examples');

export function example(name: string): string {
  return readFileSync(join(examplesFolder, `${name}.ts`), 'utf8');
}

/** The example as the body of an async function: its imports become requires. */
export function bodyOf(name: string): string {
  const url = pathToFileURL(join(examplesFolder, `${name}.ts`)).href;
  const { outputText } = transpileModule(example(name), {
    compilerOptions: { module: ModuleKind.CommonJS, target: ScriptTarget.ES2022 },
  });
  return `{${outputText.replaceAll('import.meta.url', JSON.stringify(url))}}`;
}

export async function run(name: string, before = '', after = ''): Promise<ScriptResult> {
  return runScript(`${before}\n${bodyOf(name)}\n${after}`);
}

/** Nothing but this on stdout, nothing on stderr, no socket left open. */
export function expectOutput(result: ScriptResult, lines: readonly string[]): void {
  const { code, stdout, stderr, leakedSockets } = result;
  expect({ code, lines: stdout.split('\n').slice(0, -1), stderr, leakedSockets }).toEqual({
    code: 0,
    lines,
    stderr: '',
    leakedSockets: 0,
  });
}
