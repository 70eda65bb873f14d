import { functionLengths } from './function-length.js';
import type { Finding, Rule, SourceFile } from './source.js';

const COLUMNS_MAX = 100;
const FILE_LINES_MAX = 600;
const FUNCTION_LINES_MAX = 70;

const isCode = (path: string) => /\.(ts|mjs|cjs|cc|h|c)$/.test(path);
const isTest = (path: string) => /(\.test\.ts$|_test\.cc$|\/test\/)/.test(path);
const isNative = (path: string) => path.startsWith('native/src/');
/** What users run: time, randomness and output come from outside there. */
export const isShipped = (path: string) =>
  /^(packages\/[^/]+\/src|native\/lib)\/.*\.ts$/.test(path) && !isTest(path);

/** A rule that looks at one line at a time. */
function lineRule(
  name: string,
  applies: Rule['applies'],
  wrong: (line: string) => string | undefined,
): Rule {
  function* check({ text }: SourceFile): Generator<Finding> {
    for (const [index, line] of text.split('\n').entries()) {
      const message = wrong(line);
      if (message !== undefined) yield { line: index + 1, message };
    }
  }
  return { name, applies, check };
}

/** A rule that bans what a pattern matches. */
function ban(name: string, applies: Rule['applies'], pattern: RegExp, message: string): Rule {
  return lineRule(name, applies, (line) => (pattern.test(line) ? message : undefined));
}

const columns = lineRule('columns', isCode, (line) =>
  line.length > COLUMNS_MAX ? `${line.length} columns, not ${COLUMNS_MAX}` : undefined,
);

const fileLength: Rule = {
  name: 'file-length',
  applies: isCode,
  *check({ text }) {
    const lines = text.split('\n').length - 1;
    if (lines > FILE_LINES_MAX) yield { line: 1, message: `${lines} lines, not ${FILE_LINES_MAX}` };
  },
};

const functionLength: Rule = {
  name: 'function-length',
  applies: (path) => isCode(path) && !isTest(path),
  *check(file) {
    for (const { name, line, lines } of functionLengths(file)) {
      if (lines <= FUNCTION_LINES_MAX) continue;
      yield { line, message: `${name} has ${lines} lines, not ${FUNCTION_LINES_MAX}` };
    }
  },
};

/** Which layers of the addon a layer may include besides itself. */
const BELOW: Readonly<Record<string, readonly string[]>> = {
  base: [],
  sys: ['base'],
  reactor: ['sys', 'base'],
  net: ['reactor', 'sys', 'base'],
  dns: ['reactor', 'sys', 'base'],
  tls: ['reactor', 'sys', 'base'],
  binding: ['net', 'dns', 'tls', 'reactor', 'sys', 'base'],
};

const includes: Rule = {
  name: 'includes-point-downwards',
  applies: (path) => /^native\/(src|test)\/.*\.(cc|h)$/.test(path),
  *check({ path, text }) {
    const own = /^native\/src\/([^/]+)\//.exec(path)?.[1];
    const allowed = own === undefined ? Object.keys(BELOW) : [own, ...(BELOW[own] ?? [])];
    for (const [index, line] of text.split('\n').entries()) {
      const layer = /^\s*#\s*include\s+"([^/"]+)\//.exec(line)?.[1];
      if (layer !== undefined && layer in BELOW && !allowed.includes(layer)) {
        yield { line: index + 1, message: `${own} must not include ${layer}` };
      }
      if (own !== 'binding' && /^\s*#\s*include\s+[<"](napi|node|node_api|uv|v8)\.h/.test(line)) {
        yield { line: index + 1, message: 'only the binding sees the headers of Node' };
      }
    }
  },
};

export const rules: readonly Rule[] = [
  columns,
  fileLength,
  functionLength,
  includes,
  ban('unfinished', isCode, new RegExp('\\bFIX' + 'ME\\b'), 'may not be merged'),
  ban(
    'unfinished',
    isCode,
    new RegExp('\\bTO' + 'DO\\b(?!\\(#\\d+\\))'),
    'carries no issue number',
  ),
  ban('passed-in-time', isShipped, /\bDate\.now\b|\bnew Date\b/, 'time is passed in, monotonic'),
  ban('passed-in-randomness', isShipped, /\bMath\.random\b/, 'randomness is passed in'),
  ban('no-output', isShipped, /\bconsole\.|\bprocess\.std(out|err)\b/, 'a library prints nothing'),
  ban('no-any', (path) => path.endsWith('.ts'), /(:|<|\bas) any\b/, 'say what it is'),
  ban('no-suppression', isCode, new RegExp('@ts-' + '(ignore|nocheck)'), 'say why'),
  ban('no-lone-test', isTest, /\b(it|test|describe)\.only\b|\bf(it|describe)\(/, 'runs alone'),
  ban(
    'platform-files',
    isNative,
    /^\s*#\s*(if|elif|ifdef|ifndef).*\b(__linux__|__APPLE__|__FreeBSD__|__OpenBSD__)\b/,
    'a platform difference is a file of its own',
  ),
];
