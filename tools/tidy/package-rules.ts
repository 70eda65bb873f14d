import ts from 'typescript';
import type { SourceFile } from './source.js';

/** The fields of a package.json that the rules look at. */
export interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** A published package, as far as the rules look at one. */
export interface PackageFolder {
  readonly path: string;
  readonly manifest: Manifest;
  readonly hasReadme: boolean;
  readonly license: string | undefined;
}

/** The files of one entry of a package. */
function conditionsOf(file: string) {
  return {
    import: { types: `./dist/${file}.d.mts`, default: `./dist/${file}.mjs` },
    require: { types: `./dist/${file}.d.ts`, default: `./dist/${file}.js` },
  };
}

/**
 * What every package has alike. `source` is the folder of its TypeScript, `others` are its entries
 * besides the first.
 */
function shape(source: string, others: readonly string[]): Readonly<Record<string, unknown>> {
  const entries = ['index', ...others];
  const key = (file: string) => (file === 'index' ? '.' : `./${file}`);
  const manifest = { './package.json': './package.json' };
  const inWorkspace = entries.map((file) => [
    key(file),
    { '@sock/source': `./${source}/${file}.ts`, ...conditionsOf(file) },
  ]);
  const published = entries.map((file) => [key(file), conditionsOf(file)]);
  const declarations = others.map((file) => [file, [`./dist/${file}.d.ts`]]);
  return {
    license: 'MIT',
    author: 'The @sock authors',
    type: 'commonjs',
    engines: { node: '>=20.17' },
    main: './dist/index.js',
    module: './dist/index.mjs',
    types: './dist/index.d.ts',
    // For a TypeScript that does not look at `exports`.
    typesVersions: others.length > 0 ? { '*': Object.fromEntries(declarations) } : undefined,
    sideEffects: false,
    exports: { ...Object.fromEntries(inWorkspace), ...manifest },
    publishConfig: {
      access: 'public',
      exports: { ...Object.fromEntries(published), ...manifest },
    },
  };
}

/** The entries of a package besides the first: the files that its sub-paths lead to. */
function otherEntries(manifest: Manifest): string[] {
  return Object.keys(manifest.exports ?? {})
    .filter((path) => path !== '.' && path !== './package.json')
    .map((path) => path.slice('./'.length));
}

/** Packages that a file imports and its package.json does not name. */
export function undeclaredImports(manifest: Manifest, { path, text }: SourceFile): string[] {
  const declared = [
    manifest.name,
    ...Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }),
  ];
  const { importedFiles } = ts.preProcessFile(text);
  return importedFiles
    .map(({ fileName }) => /^(@[^/]+\/)?[^/]+/.exec(fileName)?.[0] ?? fileName)
    .filter((name) => !/^(\.|node:)/.test(name) && !declared.includes(name))
    .map((name) => `${path}: imports ${name}, which ${manifest.name} does not declare`);
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** What is wrong with a package, one line each. */
export function packageFindings(folder: PackageFolder, license: string): string[] {
  const { path, manifest } = folder;
  const wrong: string[] = [];
  const name = `@sock/${path.split('/').at(-1)}`;
  if (manifest.name !== name) wrong.push(`is named ${manifest.name}, not ${name}`);
  if (!folder.hasReadme) wrong.push('has no README.md');
  if (folder.license !== license) wrong.push('has no LICENSE, or another than the root');
  for (const field of ['description', 'keywords', 'files', 'version']) {
    if (manifest[field] === undefined) wrong.push(`says nothing about ${field}`);
  }
  const alike = shape(path === 'native' ? 'lib' : 'src', otherEntries(manifest));
  for (const [field, value] of Object.entries(alike)) {
    if (!same(manifest[field], value)) wrong.push(`differs from the others in ${field}`);
  }
  return wrong.map((finding) => `${path}: ${finding}`);
}
