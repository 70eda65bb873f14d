// Packs what would be published, lets publint and attw judge the archives, then installs them in an
// empty folder with no compiler in sight, and loads them there through require and import.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name) => join(root, 'node_modules', '.bin', name);
const folders = ['native', ...readdirSync(join(root, 'packages')).map((p) => `packages/${p}`)];
const published = folders
  .map((folder) => ({ folder: join(root, folder), ...manifestOf(join(root, folder)) }))
  .filter((manifest) => !manifest.private);

/** What can be imported: the package, and its sub-paths that lead to code. */
const entries = published.flatMap(({ name, exports }) =>
  Object.keys(exports)
    .filter((path) => path !== './package.json')
    .map((path) => name + path.slice(1)),
);
const { devDependencies } = manifestOf(root);
/** Optional for those who install, but not for loading all that there is. */
const peers = published
  .flatMap(({ peerDependencies = {} }) => Object.keys(peerDependencies))
  .map((name) => `${name}@${devDependencies[name]}`);

function manifestOf(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
}

function run(command, args, cwd, env = {}) {
  execFileSync(command, args, { cwd, env: { ...process.env, ...env }, stdio: 'inherit' });
}

const scratch = mkdtempSync(join(tmpdir(), 'sock-pack-'));
try {
  run(process.execPath, [join(root, 'tools', 'make-prebuild.mjs')], root);
  for (const { folder } of published) {
    run('pnpm', ['pack', '--pack-destination', scratch], folder);
  }
  const archives = readdirSync(scratch).map((name) => join(scratch, name));
  for (const archive of archives) {
    run(bin('publint'), ['--strict', archive], scratch);
    run(bin('attw'), [archive], scratch);
  }

  const consumer = mkdtempSync(join(scratch, 'consumer-'));
  writeFileSync(join(consumer, 'package.json'), '{ "private": true }\n');
  run(
    'npm',
    ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...archives, ...peers],
    consumer,
  );
  for (const name of entries) {
    run(process.execPath, ['-e', `require('${name}')`], consumer);
    const same = `import * as m from '${name}'; import { createRequire } from 'node:module';
      const c = createRequire('${consumer}/x.js')('${name}');
      const other = Object.keys(c).filter((key) => c[key] !== m[key]);
      if (other.length > 0) throw new Error('two copies of ' + other);`;
    run(process.execPath, ['--input-type=module', '-e', same], consumer);
  }
  console.log(`${entries.join(', ')}: packed, installed and loaded`);
} finally {
  rmSync(scratch, { recursive: true });
}
