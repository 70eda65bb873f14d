// Bundles a package into one CommonJS file and wraps it for `import`, so that both worlds share one
// copy of every class. Runs in the folder of the package, beside declarations made by tsc.
//
// Without the comments, which are a quarter of it and not all ASCII: an import has to read every
// byte, and twice as many where one character does not fit. Names stay, and lines stay short, so
// that a stack trace can be read; the source maps lead to the rest.
//
// Exports are plain properties in the end. The bundler makes a getter of each, all of them the same
// function: a call from another package's hot path costs 20 ns by it, and less than one without.
//
// One file, because loading is what an import costs: 25 files of @sock/core took 18 ms of CPU to
// load on Node 20. And a wrapper that requires, because an `import` of CommonJS sends every file
// behind it through the lexer that guesses export names: another 15 ms.
import { existsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { build } from 'esbuild';

const plainExports = `module.exports = Object.defineProperty({ ...module.exports }, '__esModule', {
  value: true,
});`;

const dist = resolve('dist');
await build({
  entryPoints: [existsSync('lib') ? 'lib/index.ts' : 'src/index.ts'],
  outfile: resolve(dist, 'index.js'),
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'cjs',
  target: 'node20.17',
  sourcemap: true,
  sourcesContent: false,
  minifyWhitespace: true,
  lineLimit: 100,
  footer: { js: plainExports },
});

const names = Object.keys(createRequire(import.meta.url)(resolve(dist, 'index.js')));
const list = names.map((name) => `  ${name},\n`).join('');
const body = `import { createRequire } from 'node:module';

export const {
${list}} = createRequire(import.meta.url)('./index.js');
`;

writeFileSync(resolve(dist, 'index.mjs'), names.length > 0 ? body : 'export {};\n');
writeFileSync(resolve(dist, 'index.d.mts'), "export * from './index.js';\n");
