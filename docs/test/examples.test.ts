import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { runScript, type ScriptResult } from '@sock/testing';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';

const root = join(__dirname, '..', '..');
const folder = join(root, 'docs', 'examples');

function example(name: string): string {
  return readFileSync(join(folder, `${name}.ts`), 'utf8');
}

/** The example as the body of an async function: its imports become requires. */
function bodyOf(name: string): string {
  const { outputText } = transpileModule(example(name), {
    compilerOptions: { module: ModuleKind.CommonJS, target: ScriptTarget.ES2022 },
  });
  return `{${outputText}}`;
}

async function run(name: string, before = '', after = ''): Promise<ScriptResult> {
  return runScript(`${before}\n${bodyOf(name)}\n${after}`);
}

/** Nothing but this on stdout, nothing on stderr, no socket left open. */
function expectOutput(result: ScriptResult, lines: readonly string[]): void {
  const { code, stdout, stderr, leakedSockets } = result;
  expect({ code, lines: stdout.split('\n').slice(0, -1), stderr, leakedSockets }).toEqual({
    code: 0,
    lines,
    stderr: '',
    leakedSockets: 0,
  });
}

describe('the example', () => {
  it('echo-server answers the example echo-client, and ends on SIGINT', async () => {
    const result = await runScript(`
      process.env.PORT = '0';
      const print = console.log;
      const listening = new Promise((resolve) => {
        console.log = (line) => resolve(/^listening on port (\\d+)$/.exec(line)[1]);
      });
      const server = (async () => ${bodyOf('echo-server')})();
      process.env.PORT = await listening;
      console.log = print;
      ${bodyOf('echo-client')}
      process.kill(process.pid, 'SIGINT');
      await server;
      print('the server has ended');
    `);
    expectOutput(result, ['answer: hello', 'the server has ended']);
  });

  it('tempos receives the same in each of the three', async () => {
    expectOutput(await run('tempos'), ['ping', 'ping', 'ping', 'null']);
  });

  it('errors tells that nobody listens', async () => {
    // A port that is taken, so that nobody else can begin to listen there.
    const before = `
      const { Socket } = require('@sock/core');
      const holder = new Socket({ family: 'ipv4' });
      holder.bind('127.0.0.1', 0);
      process.env.PORT = String(holder.localPort);
    `;
    const result = await run('errors', before, 'holder.close();');
    expectOutput(result, ['nobody listens on 127.0.0.1; worth another try: true']);
  });

  it('limits gives up in every way, and loses nothing', async () => {
    expectOutput(await run('limits'), [
      'recv timed out after 20 ms',
      'recv timed out after 20 ms',
      'The operation was aborted',
      'still here',
    ]);
  });

  it('lifetime rejects what was waiting', async () => {
    expectOutput(await run('lifetime'), ['ERR_SOCK_CLOSED']);
  });

  it('unix says hello through a path and a name', async () => {
    expectOutput(await run('unix'), ['hello', 'hello']);
  });

  it('framing receives messages as they were sent', async () => {
    expectOutput(await run('framing'), ['"one"', '"two"', '""']);
  });

  it('reuse hashes every byte once', async () => {
    const sum = createHash('sha256').update('x'.repeat(4 * 1024 * 1024));
    expectOutput(await run('reuse'), [sum.digest('hex')]);
  });
});

/** What users and contributors read; the API reference is generated. */
function documents(): { path: string; text: string }[] {
  return execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], { cwd: root })
    .toString()
    .split('\n')
    .filter((path) => path !== '' && existsSync(join(root, path)))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

/** The blocks of code that users read, with the file that each stands in. */
function blocks(): { path: string; code: string }[] {
  const forUsers = documents().filter(({ path }) => /^(README\.md|docs\/|packages\/)/.test(path));
  return forUsers.flatMap(({ path, text }) =>
    [...text.matchAll(/^```(?:ts|typescript|js|mjs)\n(.*?)^```$/gms)].map((match) => ({
      path,
      code: match[1] ?? '',
    })),
  );
}

/** Links to files that are not there. */
function brokenLinks(): string[] {
  return documents().flatMap(({ path, text }) =>
    [...text.matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)[^)]*\)/g)]
      .map((match) => match[1] ?? '')
      .filter((target) => !existsSync(join(root, dirname(path), target)))
      .map((target) => `${path}: ${target}`),
  );
}

describe('the documents', () => {
  const names = readdirSync(folder)
    .filter((path) => path.endsWith('.ts'))
    .map((path) => basename(path, '.ts'));

  it('show code only from the examples, letter by letter', () => {
    const known = new Set(names.map(example));
    const foreign = blocks().filter(({ code }) => !known.has(code));
    expect(foreign).toEqual([]);
  });

  it('show every example', () => {
    const shown = new Set(blocks().map(({ code }) => code));
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !shown.has(example(name)))).toEqual([]);
  });

  it('link only to files that are there', () => {
    const linking = documents().filter(({ text }) => text.includes(']('));
    expect(linking.length).toBeGreaterThan(5);
    expect(brokenLinks()).toEqual([]);
  });
});
