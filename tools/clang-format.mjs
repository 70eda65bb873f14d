// Checks the format of the C and C++ sources, or with --write puts it right. The version of
// clang-format comes from npm, so that it is the same on every machine.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const write = process.argv.includes('--write');
const root = fileURLToPath(new URL('..', import.meta.url));
const files = execFileSync(
  'git',
  // The owner of a checkout may be another user than the one who tests it.
  ['-c', 'safe.directory=*', 'ls-files', '*.c', '*.cc', '*.h'],
  { cwd: root, encoding: 'utf8' },
)
  .split('\n')
  .filter((file) => file !== '' && existsSync(new URL(file, new URL('..', import.meta.url))));

const mode = write ? ['-i'] : ['--dry-run', '--Werror'];
const { status, error } = spawnSync(
  fileURLToPath(new URL('../node_modules/.bin/clang-format', import.meta.url)),
  ['--style=file', ...mode, ...files],
  { cwd: root, stdio: 'inherit' },
);
if (error) throw error;
process.exitCode = status ?? 1;
