/**
 * Which package may import which. Everything points one way: pool -> reconnect -> core, the others
 * -> core, and only the packages that move bytes or count something see the addon.
 */
const mayImport = {
  native: [],
  core: ['native'],
  poll: ['core', 'native'],
  dgram: ['core', 'native'],
  dns: ['core', 'native'],
  tls: ['core', 'native'],
  metrics: ['core', 'native'],
  reconnect: ['core', 'native'],
  pool: ['core', 'native', 'reconnect'],
};
const everyone = Object.keys(mayImport);
const folder = (name) => (name === 'native' ? '^native/' : `^packages/${name}/`);
const edges = everyone.map((name) => {
  const others = everyone.filter((other) => other !== name && !mayImport[name].includes(other));
  return {
    name: `${name}-imports-only-what-lies-below`,
    severity: 'error',
    from: { path: folder(name), pathNot: '/test/|\\.test\\.ts$' },
    to: { path: others.map(folder).join('|') },
  };
});

module.exports = {
  forbidden: [
    ...edges,
    {
      name: 'no-reaching-into-another-package',
      comment: 'By its name only: a relative path into it goes around its exports.',
      severity: 'error',
      from: { path: '^(native|packages/[^/]+)/' },
      to: { path: '^(native|packages)/', pathNot: '^$1/', dependencyTypes: ['local'] },
    },
    {
      name: 'no-cycle',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-import-of-nothing',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|build[^/]*|node_modules)/' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@sock/source', 'import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.mjs', '.js', '.cjs', '.json'],
    },
    tsConfig: { fileName: 'tsconfig.test.json' },
  },
};
