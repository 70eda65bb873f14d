/**
 * The sources of core and native as plain JavaScript, for processes and workers of their own: those
 * have no Jest that would translate. Nothing has to be built first, so nothing can be stale.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

const root = join(__dirname, '..', '..', '..', '..');
const cache = join(root, 'node_modules', '.cache', 'sock-core-test');

/** Where each folder of sources goes; packages are found there by Node's usual search. */
const folders = {
  'native/lib': 'node_modules/@sock/native/dist',
  'packages/core/src': 'node_modules/@sock/core/dist',
  'packages/core/test/children': 'children',
};

/** The addon that these sources go with. */
export const addonPath =
  process.env.SOCK_NATIVE_PATH ?? join(root, 'native', 'build', 'Release', 'sock_native.node');

interface Source {
  target: string;
  text: string;
}

function sources(): Source[] {
  return Object.entries(folders).flatMap(([from, to]) =>
    readdirSync(join(root, from), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !/\.(test|d)\.ts$/.test(name))
      .map((name) => ({
        target: join(to, name.replace(/ts$/, 'js')),
        text: readFileSync(join(root, from, name), 'utf8'),
      })),
  );
}

function translate(all: readonly Source[], folder: string): void {
  // Loaded only when something has changed: it takes a second.
  const ts = require('typescript') as typeof import('typescript');
  const compilerOptions = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 };
  for (const { target, text } of all) {
    mkdirSync(dirname(join(folder, target)), { recursive: true });
    writeFileSync(join(folder, target), ts.transpileModule(text, { compilerOptions }).outputText);
  }
  for (const name of ['core', 'native']) {
    const manifest = { name: `@sock/${name}`, main: './dist/index.js' };
    const path = join(folder, 'node_modules', '@sock', name, 'package.json');
    writeFileSync(path, JSON.stringify(manifest));
  }
}

/** The folder with the compiled packages and children; the same sources have the same folder. */
export function compiledFolder(): string {
  const all = sources();
  const hash = createHash('sha256').update(JSON.stringify(all)).digest('hex').slice(0, 16);
  const folder = join(cache, hash);
  if (existsSync(folder)) return folder;
  const draft = `${folder}-${process.pid}`;
  translate(all, draft);
  try {
    renameSync(draft, folder);
  } catch (error) {
    // Another worker of Jest was quicker.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}
