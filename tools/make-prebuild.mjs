// Compiles the addon and puts it, stripped, where the loader of @sock/native looks for one.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const native = fileURLToPath(new URL('../native/', import.meta.url));

function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { cwd: native, stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

const musl = process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime;
const folder = `${process.platform}-${process.arch}${musl ? '-musl' : ''}`;
const prebuild = join(native, 'prebuilds', folder, 'sock_native.node');

run(process.execPath, 'build.mjs');
mkdirSync(dirname(prebuild), { recursive: true });
copyFileSync(join(native, 'build', 'Release', 'sock_native.node'), prebuild);
run('strip', process.platform === 'darwin' ? '-x' : '--strip-unneeded', prebuild);
console.log(prebuild);
