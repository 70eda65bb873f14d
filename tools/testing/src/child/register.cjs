'use strict';
// Loaded first into the Node processes that tests start. They run the TypeScript sources, as the
// tests do, so nothing has to be built and nothing can be stale. On request it also reports, when
// the process ends, how many sockets are open that were not when it began.
const { createHash } = require('node:crypto');
const { mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, writeFileSync } =
  require('node:fs');
const Module = require('node:module');
const { join } = require('node:path');
const { isMainThread } = require('node:worker_threads');

const cache = join(__dirname, '..', '..', 'node_modules', '.cache', 'sock-testing');

/** Transpiled once per text: loading the compiler takes longer than most tests. */
function transpiled(path) {
  const source = readFileSync(path, 'utf8');
  const key = createHash('sha256').update(`${path}\n${source}`).digest('hex');
  const cached = join(cache, `${key}.js`);
  try {
    return readFileSync(cached, 'utf8');
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  const { ModuleKind, ScriptTarget, transpileModule } = require('typescript');
  const compilerOptions = {
    module: ModuleKind.CommonJS,
    target: ScriptTarget.ES2022,
    inlineSourceMap: true,
  };
  const { outputText } = transpileModule(source, { compilerOptions, fileName: path });
  mkdirSync(cache, { recursive: true });
  // Renamed into place: another process may be at the same file.
  const draft = `${cached}.${process.pid}`;
  writeFileSync(draft, outputText);
  renameSync(draft, cached);
  return outputText;
}

require.extensions['.ts'] = (module, path) => module._compile(transpiled(path), path);

const resolveFilename = Module._resolveFilename;
Module._resolveFilename = function (request, parent, ...rest) {
  const fromTypeScript = parent?.filename?.endsWith('.ts') && /^\.{1,2}\/.*\.js$/.test(request);
  const wanted = fromTypeScript ? request.replace(/\.js$/, '.ts') : request;
  return resolveFilename.call(this, wanted, parent, ...rest);
};

function openSockets() {
  return readdirSync('/proc/self/fd').filter((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`).startsWith('socket:');
    } catch {
      return false;
    }
  }).length;
}

if (isMainThread && process.env.SOCK_TESTING_REPORT !== undefined) {
  const before = openSockets();
  process.on('exit', () => {
    // A thread that ends may be about to close the last of its own.
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (let looks = 0; looks < 20 && openSockets() > before; looks++) {
      Atomics.wait(pause, 0, 0, 10);
    }
    writeFileSync(process.env.SOCK_TESTING_REPORT, String(openSockets() - before));
  });
}
