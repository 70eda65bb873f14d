// Runs when the package is installed. Compiles only if no prebuilt addon fits this machine; in a
// checkout the build of the workspace does that.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

function loads() {
  return spawnSync(process.execPath, ['-e', 'require(process.argv[1])', at('.')]).status === 0;
}

if (!existsSync(at('../pnpm-workspace.yaml')) && !loads()) await import('./build.mjs');
