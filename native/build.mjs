#!/usr/bin/env node
// Compiles the addon into build/Release: `npx sock-native-build`.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const manifest = require.resolve('cmake-js/package.json');
const cmakeJs = join(dirname(manifest), require(manifest).bin['cmake-js']);

const { status } = spawnSync(process.execPath, [cmakeJs, 'compile'], {
  cwd: fileURLToPath(new URL('.', import.meta.url)),
  env: { CMAKE_BUILD_PARALLEL_LEVEL: String(availableParallelism()), ...process.env },
  stdio: 'inherit',
});
if (status !== 0) {
  console.error(
    '@sock/native: the addon could not be compiled. It needs CMake >= 3.20, make and a',
  );
  console.error('C++20 compiler. Once they are there, run: npx sock-native-build');
  process.exitCode = 1;
}
