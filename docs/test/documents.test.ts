import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { example, examplesFolder } from './example.js';

const root = join(__dirname, '..', '..');

/** What users and contributors read; the API reference is generated. */
function documents(): { path: string; text: string }[] {
  return execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], { cwd: root })
    .toString()
    .split('\n')
    .filter((path) => path !== '' && existsSync(join(root, path)))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

/** The blocks of code that users read, with the file that each stands in. */
function blocks(): { path: string; code: string }[] {
  const forUsers = documents().filter(({ path }) => /^(README\.md|docs\/|packages\/)/.test(path));
  return forUsers.flatMap(({ path, text }) =>
    [...text.matchAll(/^```(?:ts|typescript|js|mjs)\n(.*?)^```$/gms)].map((match) => ({
      path,
      code: match[1] ?? '',
    })),
  );
}

/** Links to files that are not there. */
function brokenLinks(): string[] {
  return documents().flatMap(({ path, text }) =>
    [...text.matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)[^)]*\)/g)]
      .map((match) => match[1] ?? '')
      .filter((target) => !existsSync(join(root, dirname(path), target)))
      .map((target) => `${path}: ${target}`),
  );
}

describe('the documents', () => {
  const names = readdirSync(examplesFolder)
    .filter((path) => path.endsWith('.ts'))
    .map((path) => basename(path, '.ts'));

  it('show code only from the examples, letter by letter', () => {
    const known = new Set(names.map(example));
    const foreign = blocks().filter(({ code }) => !known.has(code));
    expect(foreign).toEqual([]);
  });

  it('show every example', () => {
    const shown = new Set(blocks().map(({ code }) => code));
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !shown.has(example(name)))).toEqual([]);
  });

  it('link only to files that are there', () => {
    const linking = documents().filter(({ text }) => text.includes(']('));
    expect(linking.length).toBeGreaterThan(5);
    expect(brokenLinks()).toEqual([]);
  });
});
