import { existsSync, readFileSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';

/** The root of this package, seen from `lib/` as well as from `dist/`. */
const packageRoot = join(__dirname, '..');

/**
 * True where this Node runs on musl rather than glibc: its loader is then among the mapped files.
 * (The process report knows it too, but takes 6 ms; a look at /lib is wrong where both are there.)
 */
function isMusl(): boolean {
  if (process.platform !== 'linux') return false;
  try {
    return readFileSync('/proc/self/maps', 'latin1').includes('/ld-musl-');
  } catch {
    return false;
  }
}

/** Where the addon may be, best first. The names of prebuilds are those of `make:prebuild`. */
function* candidates(root: string): Generator<string> {
  yield join(root, 'build', 'Release', 'sock_native.node');
  const target = `${process.platform}-${process.arch}`;
  const folder = existsSync(join(root, 'prebuilds')) && isMusl() ? `${target}-musl` : target;
  yield join(root, 'prebuilds', folder, 'sock_native.node');
}

function isMissing(error: unknown, path: string): boolean {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'MODULE_NOT_FOUND' && message.includes(path);
}

/**
 * Loads the addon. `SOCK_NATIVE_PATH` names one to use instead of our own, such as a build with a
 * sanitizer. Only the absence of a file leads on to the next candidate: an addon that is there but
 * does not load is an error to be seen.
 */
export function loadAddon(root = packageRoot, override = process.env.SOCK_NATIVE_PATH): unknown {
  if (override) return require(isAbsolute(override) ? override : resolve(override));

  for (const path of candidates(root)) {
    try {
      return require(path);
    } catch (error) {
      if (!isMissing(error, path)) throw error;
    }
  }
  throw new Error(
    `@sock/native has no compiled addon for ${process.platform}-${process.arch}. ` +
      'Compile it with `npx sock-native-build` (needs CMake, make and a C++20 compiler).',
  );
}
