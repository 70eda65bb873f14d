import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { loadAddon } from './load.js';

const built =
  process.env.SOCK_NATIVE_PATH ?? join(__dirname, '..', 'build', 'Release', 'sock_native.node');
const target = `${process.platform}-${process.arch}`;

describe('loadAddon', () => {
  let root: string;
  let release: string;
  let prebuild: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'sock-load-'));
    release = join(root, 'build', 'Release', 'sock_native.node');
    prebuild = join(root, 'prebuilds', target, 'sock_native.node');
    for (const path of [release, prebuild]) mkdirSync(dirname(path), { recursive: true });
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('loads what was compiled on this machine', () => {
    symlinkSync(built, release);
    expect(loadAddon(root, '')).toBeDefined();
  });

  it('prefers what was compiled here to a prebuilt addon', () => {
    symlinkSync(built, release);
    writeFileSync(prebuild, 'no addon');
    expect(loadAddon(root, '')).toBeDefined();
  });

  it('loads a prebuilt addon where none was compiled', () => {
    symlinkSync(built, prebuild);
    expect(loadAddon(root, '')).toBeDefined();
  });

  it('loads the addon it is pointed at before any other', () => {
    writeFileSync(release, 'no addon');
    const elsewhere = join(root, 'elsewhere.node');
    copyFileSync(built, elsewhere);
    expect(loadAddon(root, elsewhere)).toBeDefined();
  });

  it('shows why an addon that is there does not load, rather than passing it over', () => {
    writeFileSync(release, 'no addon');
    symlinkSync(built, prebuild);
    expect(() => loadAddon(root, '')).toThrow(
      expect.objectContaining({ code: 'ERR_DLOPEN_FAILED' }),
    );
  });

  it('says how to compile the addon where there is none', () => {
    expect(() => loadAddon(root, '')).toThrow(
      `no compiled addon for ${target}. Compile it with \`npx sock-native-build\``,
    );
  });
});
