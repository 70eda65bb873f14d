import ts from 'typescript';
import type { SourceFile } from './source.js';

/** The fields of a package.json that the rules look at. */
export interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** A published package, as far as the rules look at one. */
export interface PackageFolder {
  readonly path: string;
  readonly manifest: Manifest;
  readonly hasReadme: boolean;
  readonly license: string | undefined;
}

/** What every package has alike. `source` is the folder of its TypeScript. */
function shape(source: string): Readonly<Record<string, unknown>> {
  const conditions = {
    import: { types: './dist/index.d.mts', default: './dist/index.mjs' },
    require: { types: './dist/index.d.ts', default: './dist/index.js' },
  };
  const manifest = { './package.json': './package.json' };
  return {
    license: 'MIT',
    author: 'The @sock authors',
    type: 'commonjs',
    engines: { node: '>=20.17' },
    main: './dist/index.js',
    module: './dist/index.mjs',
    types: './dist/index.d.ts',
    sideEffects: false,
    exports: { '.': { '@sock/source': `./${source}/index.ts`, ...conditions }, ...manifest },
    publishConfig: { access: 'public', exports: { '.': conditions, ...manifest } },
  };
}

/** Packages that a file imports and its package.json does not name. */
export function undeclaredImports(manifest: Manifest, { path, text }: SourceFile): string[] {
  const declared = { ...manifest.dependencies, ...manifest.peerDependencies };
  const { importedFiles } = ts.preProcessFile(text);
  return importedFiles
    .map(({ fileName }) => /^(@[^/]+\/)?[^/]+/.exec(fileName)?.[0] ?? fileName)
    .filter((name) => !/^(\.|node:)/.test(name) && !(name in declared))
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
  for (const [field, value] of Object.entries(shape(path === 'native' ? 'lib' : 'src'))) {
    if (!same(manifest[field], value)) wrong.push(`differs from the others in ${field}`);
  }
  return wrong.map((finding) => `${path}: ${finding}`);
}
