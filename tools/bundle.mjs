// Bundles a package into one CommonJS file and wraps it for `import`, so that both worlds share one
// copy of every class. Runs in the folder of the package, beside declarations made by tsc.
//
// Without the comments, which are a quarter of it and not all ASCII: an import has to read every
// byte, and twice as many where one character does not fit. Names stay, and lines stay short, so
// that a stack trace can be read; the source maps lead to the rest.
//
// The exports are one object of plain properties. Left to itself the bundler makes a getter of
// each, all of them the same function: making them is a tenth of what loading takes, and a call
// from a hot path of another package costs 20 ns by one, less than one without.
//
// One file, because loading is what an import costs: 25 files of @sock/core took 18 ms of CPU to
// load on Node 20. And a wrapper that requires, because an `import` of CommonJS sends every file
// behind it through the lexer that guesses export names: another 15 ms.
//
// A package may have more than one entry, as its package.json says: a file each. What such an entry
// shares with the first one it imports by the name of the package, so that nothing is there twice.
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { build } from 'esbuild';

const settings = {
  bundle: true,
  packages: 'external',
  platform: 'node',
  target: 'node20.17',
};

/** What an entry exports at run time, in the order of the alphabet. */
async function exportedNames(source) {
  const { metafile } = await build({
    ...settings,
    entryPoints: [source],
    format: 'esm',
    write: false,
    metafile: true,
    outfile: 'dist/index.js',
  });
  return metafile.outputs['dist/index.js'].exports;
}

async function bundleEntry(source) {
  const names = await exportedNames(source);
  const list = names.map((name) => `  ${name},\n`).join('');
  const file = basename(source, '.ts');
  const exporter = `import {
${list}} from '${source}';

module.exports = {
${list}};
Object.defineProperty(module.exports, '__esModule', { value: true });
`;
  await build({
    ...settings,
    stdin: {
      contents: exporter,
      sourcefile: 'exports.js',
      resolveDir: '.',
    },
    logOverride: { 'commonjs-variable-in-esm': 'silent' },
    outfile: `dist/${file}.js`,
    format: 'cjs',
    sourcemap: true,
    sourcesContent: false,
    minifyWhitespace: true,
    lineLimit: 100,
  });
  const body = `import { createRequire } from 'node:module';

export const {
${list}} = createRequire(import.meta.url)('./${file}.js');
`;
  writeFileSync(`dist/${file}.mjs`, names.length > 0 ? body : 'export {};\n');
  writeFileSync(`dist/${file}.d.mts`, `export * from './${file}.js';\n`);
}

const { exports } = JSON.parse(readFileSync('package.json', 'utf8'));
for (const { '@sock/source': source } of Object.values(exports)) {
  if (source !== undefined) await bundleEntry(source);
}
