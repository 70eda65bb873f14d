// The front door of `npm start` and `npm test`: runs a command under the pinned pnpm, which first
// installs whatever is missing. Nothing but Node has to be there beforehand. (`pnpm exec`, because
// `pnpm run` would add a line of its own after the tally of a failed test run.)
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const { packageManager } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
);

/** The pnpm that called us, or the pinned one fetched by npx. */
function pnpm() {
  const { npm_config_user_agent: agent = '', npm_execpath: path = '' } = process.env;
  if (!agent.startsWith('pnpm/')) return ['npx', '--yes', packageManager];
  return /\.[cm]?js$/.test(path) ? [process.execPath, path] : [path];
}

const [command, ...args] = pnpm();
const { status, error } = spawnSync(command, [...args, 'exec', ...process.argv.slice(2)], {
  cwd: new URL('..', import.meta.url),
  stdio: 'inherit',
});
if (error) throw error;
process.exitCode = status ?? 1;
