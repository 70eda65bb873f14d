import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Manifest,
  type PackageFolder,
  packageFindings,
  undeclaredImports,
} from './package-rules.js';
import { isShipped, rules } from './rules.js';
import { findings, readSource, root, sizeOf, trackedPaths } from './source.js';

const BYTES_MAX = 1 << 20;
const paths = trackedPaths();
const license = readSource('LICENSE').text;

function packageFolder(path: string): PackageFolder {
  const has = (name: string) => paths.includes(`${path}/${name}`);
  return {
    path,
    manifest: JSON.parse(readSource(`${path}/package.json`).text) as Manifest,
    hasReadme: has('README.md'),
    license: has('LICENSE') ? readSource(`${path}/LICENSE`).text : undefined,
  };
}

const packageFolders = [
  'native',
  ...readdirSync(join(root, 'packages')).map((p) => `packages/${p}`),
];

describe('the repository', () => {
  it('keeps the rules of the house in every file', () => {
    const readable = paths.filter((path) => rules.some((rule) => rule.applies(path)));
    expect(readable.length).toBeGreaterThan(20);
    expect(readable.flatMap((path) => findings(rules, readSource(path)))).toEqual([]);
  });

  it('has no file above 1 MiB', () => {
    expect(paths.filter((path) => sizeOf(path) > BYTES_MAX)).toEqual([]);
  });

  it('has nine packages that are alike', () => {
    expect(packageFolders).toHaveLength(9);
    const folders = packageFolders.map(packageFolder);
    expect(folders.flatMap((folder) => packageFindings(folder, license))).toEqual([]);
  });

  it('declares what its packages import', () => {
    const found = packageFolders.map(packageFolder).flatMap(({ path, manifest }) => {
      const shipped = paths.filter((file) => file.startsWith(`${path}/`) && isShipped(file));
      expect(shipped).not.toEqual([]);
      return shipped.flatMap((file) => undeclaredImports(manifest, readSource(file)));
    });
    expect(found).toEqual([]);
  });
});

/** For each rule a file that breaks it; a rule that misses its own is no rule. */
const canaries: readonly (readonly [rule: string, path: string, text: string])[] = [
  ['columns', 'native/src/base/a.h', `// ${'x'.repeat(98)}`],
  ['file-length', 'tools/a.mjs', '\n'.repeat(601)],
  ['function-length', 'packages/core/src/a.ts', `function f() {${'\n'.repeat(70)}}`],
  ['function-length', 'tools/a.mjs', `const f = () => {${'\n'.repeat(70)}};`],
  ['function-length', 'native/src/net/a.cc', `int f(int a) {\n${'  a++;\n'.repeat(69)}}\n`],
  ['function-length', 'native/src/net/b.cc', `int f(int a,\n      int b) {\n${'\n'.repeat(69)}}\n`],
  ['function-length', 'native/src/net/c.h', ` void f() const {\n${'\n'.repeat(69)} }\n`],
  ['includes-point-downwards', 'native/src/sys/a.cc', '#include "reactor/reactor.h"'],
  ['includes-point-downwards', 'native/src/net/a.h', '#include "dns/resolver.h"'],
  ['includes-point-downwards', 'native/src/reactor/a.cc', '#include <uv.h>'],
  ['includes-point-downwards', 'native/test/cc/a_test.cc', '#include <napi.h>'],
  ['unfinished', 'packages/core/src/a.ts', `// ${'FIX'}ME: later`],
  ['unfinished', 'native/src/base/a.h', `// ${'TO'}DO: later`],
  ['passed-in-time', 'packages/core/src/a.ts', 'const t = Date.now();'],
  ['passed-in-randomness', 'packages/pool/src/a.ts', 'const r = Math.random();'],
  ['no-output', 'native/lib/a.ts', "console.log('x');"],
  ['no-any', 'packages/core/src/a.ts', `let a: ${'any'};`],
  ['no-suppression', 'packages/core/src/a.ts', `// @ts-${'ignore'}`],
  ['no-lone-test', 'packages/core/src/a.test.ts', `it.${'only'}('x', () => {});`],
  ['platform-files', 'native/src/sys/a.cc', '#if defined(__linux__)'],
];

describe('each rule', () => {
  it.each(canaries)('%s finds what breaks it in %s', (rule, path, text) => {
    expect(findings(rules, { path, text })).toEqual([expect.stringContaining(`(${rule})`)]);
  });

  it('is broken by at least one of these', () => {
    const broken = new Set(canaries.map(([rule]) => rule));
    expect(rules.map(({ name }) => name).filter((name) => !broken.has(name))).toEqual([]);
  });

  it('leaves alone what it allows', () => {
    const text = [
      '#include "base/result.h"',
      `// ${'TO'}DO(#12): later`,
      'int f(int a) {',
      '  return a;',
      '}',
    ].join('\n');
    expect(findings(rules, { path: 'native/src/sys/a.cc', text })).toEqual([]);
  });

  it.each([
    ['has no README.md', { hasReadme: false }],
    ['has no LICENSE', { license: undefined }],
    ['differs from the others in exports', { manifest: { name: '@sock/core', exports: {} } }],
    ['says nothing about keywords', { manifest: { name: '@sock/core' } }],
    ['is named @sock/cor', { manifest: { name: '@sock/cor' } }],
  ])('about packages finds one that %s', (message, flaw) => {
    const folder = { ...packageFolder('packages/core'), ...flaw };
    expect(packageFindings(folder, license)).toContainEqual(expect.stringContaining(message));
  });

  it('about imports finds one that is not declared', () => {
    const manifest = { name: '@sock/core', dependencies: { '@sock/native': '*' } };
    const text = [
      "import { a } from '@sock/native';",
      "import { b } from './b.js';",
      "import { c } from 'node:fs';",
      "import { d } from '@sock/poll/inner';",
    ].join('\n');
    expect(undeclaredImports(manifest, { path: 'a.ts', text })).toEqual([
      'a.ts: imports @sock/poll, which @sock/core does not declare',
    ]);
  });
});
