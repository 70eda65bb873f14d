import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './source.js';

/** What the import check of this repository finds in a workspace of `core` and `pool`. */
function violations(files: Readonly<Record<string, string>>): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'sock-imports-'));
  const configs = ['.dependency-cruiser.cjs', 'tsconfig.base.json', 'tsconfig.test.json'];
  const manifests = ['package.json', 'packages/core/package.json', 'packages/pool/package.json'];
  try {
    for (const path of [...configs, ...manifests]) cpSync(join(root, path), join(folder, path));
    mkdirSync(join(folder, 'node_modules', '@sock'), { recursive: true });
    for (const name of ['core', 'pool']) {
      symlinkSync(join(folder, 'packages', name), join(folder, 'node_modules', '@sock', name));
      mkdirSync(join(folder, 'packages', name, 'src'));
    }
    for (const [path, text] of Object.entries(files)) {
      writeFileSync(join(folder, 'packages', path), text);
    }
    const bin = join(root, 'node_modules', '.bin', 'depcruise');
    const args = ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'packages'];
    const { stdout } = spawnSync(bin, args, { cwd: folder, encoding: 'utf8' });
    const { summary } = JSON.parse(stdout) as {
      summary: { totalCruised: number; violations: { from: string; rule: { name: string } }[] };
    };
    expect(summary.totalCruised).toBeGreaterThanOrEqual(Object.keys(files).length);
    return summary.violations.map(({ rule, from }) => `${from}: ${rule.name}`).sort();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('the import check', () => {
  it('accepts imports that point downwards', () => {
    const files = {
      'core/src/index.ts': "export { a } from './a.js';",
      'core/src/a.ts': 'export const a = 1;',
      'pool/src/index.ts': "export { a } from '@sock/core';",
    };
    expect(violations(files)).toEqual([]);
  });

  it('finds imports that point upwards or around, go in circles, or lead nowhere', () => {
    const files = {
      'core/src/a.ts': 'export const a = 1;',
      'core/src/circle.ts': "import { b } from './circle-b.js';\nexport const a = () => b;",
      'core/src/circle-b.ts': "import { a } from './circle.js';\nexport const b = () => a;",
      'core/src/nowhere.ts': "export * from './missing.js';",
      'core/src/upwards.ts': "export { a } from '@sock/pool';",
      'core/src/upwards-type.ts': "import type { A } from '@sock/pool';\nexport type B = A;",
      'pool/src/around.ts': "export { a } from '../../core/src/a.js';",
      'pool/src/index.ts': 'export const a = 1;\nexport type A = 1;',
    };
    expect(violations(files)).toEqual([
      'packages/core/src/circle-b.ts: no-cycle',
      'packages/core/src/nowhere.ts: no-import-of-nothing',
      'packages/core/src/upwards-type.ts: core-imports-only-what-lies-below',
      'packages/core/src/upwards.ts: core-imports-only-what-lies-below',
      'packages/pool/src/around.ts: no-reaching-into-another-package',
    ]);
  });
});
